//! The language in which a phone speaks.

use words::Words;

/// The language of the messages that come with codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Language {
    /// Chinese.
    Chinese,
    /// English.
    English,
}

impl Language {
    pub(crate) fn words(self) -> Words {
        Words::new(match self {
            Self::Chinese => words::Language::Chinese,
            Self::English => words::Language::English,
        })
    }
}

/// A text of the plan, in both languages.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Title {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

impl From<&::plan::dictionary::Text> for Title {
    fn from(words: &::plan::dictionary::Text) -> Self {
        Self {
            zh: words.zh.clone(),
            en: words.en.clone(),
        }
    }
}
