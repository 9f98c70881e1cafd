//! Texts for people: one Fluent message per code, in Chinese and English.
//!
//! A message says what happened, to which key, and what to do next. The message of the code
//! `not_a_date` is `not-a-date` in both files. A crate of its own, since the phone's command line
//! and the server say the same of a value that breaks the dictionary.

use std::borrow::Cow;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use unic_langid::LanguageIdentifier;

/// A text as a terminal may get it: what would steer it, or turn the order of what it shows around, is escaped
/// as in JSON. Somebody may have typed that as a name.
pub fn legible(text: &str) -> Cow<'_, str> {
    let steers = |c: char| {
        let bidi = ['\u{61c}', '\u{200e}', '\u{200f}'];
        // What breaks a line, and what nobody sees.
        let unseen = ['\u{2028}', '\u{2029}', '\u{feff}'];
        let is_control = c.is_control() && c != '\n' && c != '\t';
        is_control
            || bidi.contains(&c)
            || unseen.contains(&c)
            || ('\u{202a}'..='\u{202e}').contains(&c)
            || ('\u{2066}'..='\u{2069}').contains(&c)
    };
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let escaped = text.chars().map(|c| match steers(c) {
        true => format!("\\u{:04x}", u32::from(c)),
        false => c.to_string(),
    });
    Cow::Owned(escaped.collect())
}

const ZH: &str = include_str!("../zh.ftl");
const EN: &str = include_str!("../en.ftl");
/// Said of a code that no file knows: one of a newer server or package.
const UNKNOWN: &str = "unknown-message";

/// A language that there are messages in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Chinese.
    Chinese,
    /// English.
    English,
}

impl Language {
    /// The language of a locale's name as `LC_ALL` and `LANG` give it; English unless it begins
    /// with `zh`.
    pub fn of_locale(locale: &str) -> Self {
        if locale.to_ascii_lowercase().starts_with("zh") {
            Self::Chinese
        } else {
            Self::English
        }
    }

    /// The language of this process: `LC_ALL`, or `LANG` where that is not set.
    pub fn of_environment() -> Self {
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self::of_locale(&set("LC_ALL").or_else(|| set("LANG")).unwrap_or_default())
    }
}

/// The messages of one language. Read once and shared: the server's pages say many on several threads.
pub struct Words {
    language: Language,
    bundle: FluentBundle<FluentResource>,
}

impl Words {
    /// The messages of `language`.
    pub fn new(language: Language) -> Self {
        let (text, tag) = match language {
            Language::Chinese => (ZH, "zh-CN"),
            Language::English => (EN, "en"),
        };
        // The files are part of the program and a test reads both without errors; what a broken
        // one leaves is still better than nothing.
        let resource =
            FluentResource::try_new(text.to_owned()).unwrap_or_else(|(partly, _)| partly);
        let mut bundle = FluentBundle::new_concurrent(vec![
            tag.parse::<LanguageIdentifier>().unwrap_or_default(),
        ]);
        bundle.set_use_isolating(false);
        bundle.add_resource_overriding(resource);
        Self { language, bundle }
    }

    /// The language.
    pub fn language(&self) -> Language {
        self.language
    }

    /// The message of a code about `key`, with further arguments by name.
    pub fn say<N: AsRef<str>, V: AsRef<str>>(
        &self,
        code: &str,
        key: &str,
        args: &[(N, V)],
    ) -> String {
        let mut named: FluentArgs<'_> = args
            .iter()
            .map(|(name, value)| (name.as_ref().replace('_', "-"), value.as_ref().to_owned()))
            .collect();
        named.set("key", key);
        named.set("code", code);
        self.message(&code.replace('_', "-"), &named)
            .or_else(|| self.message(UNKNOWN, &named))
            .unwrap_or_else(|| code.to_owned())
    }

    /// A sentence that is no complaint, such as `pending`.
    pub fn sentence(&self, name: &str, args: &[(&str, &str)]) -> String {
        let args: FluentArgs<'_> = args.iter().map(|(name, value)| (*name, *value)).collect();
        self.message(name, &args).unwrap_or_else(|| name.to_owned())
    }

    /// Whether there is a message of its own for this code.
    pub fn knows(&self, code: &str) -> bool {
        self.bundle.has_message(&code.replace('_', "-"))
    }

    fn message(&self, name: &str, args: &FluentArgs<'_>) -> Option<String> {
        let pattern = self.bundle.get_message(name)?.value()?;
        // An argument that is missing shows as its name, which a test would have caught.
        let mut errors = Vec::new();
        Some(
            self.bundle
                .format_pattern(pattern, Some(args), &mut errors)
                .into_owned(),
        )
    }
}

impl std::fmt::Debug for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Words({:?})", self.language)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn keys(text: &str) -> BTreeSet<&str> {
        text.lines()
            .filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()))
            .filter_map(|line| line.split_once(" =").map(|(key, _)| key))
            .collect()
    }

    /// `{ $name }` of every message.
    fn arguments(text: &str) -> BTreeSet<(String, String)> {
        let mut found = BTreeSet::new();
        for (key, message) in text.lines().filter_map(|line| line.split_once(" =")) {
            for part in message.split("{ $").skip(1) {
                let name = part.split(" }").next().unwrap_or_default();
                // Rules of the plan come in both languages; each file takes its own.
                let name = name.trim_end_matches("-zh").trim_end_matches("-en");
                found.insert((key.to_owned(), name.to_owned()));
            }
        }
        found
    }

    #[test]
    fn both_languages_have_the_same_messages_with_the_same_arguments() {
        assert_eq!(keys(ZH), keys(EN));
        assert_eq!(arguments(ZH), arguments(EN));
        assert!(FluentResource::try_new(ZH.to_owned()).is_ok());
        assert!(FluentResource::try_new(EN.to_owned()).is_ok());
        let mut seen = BTreeSet::new();
        let keys = EN
            .lines()
            .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()));
        keys.for_each(|line| assert!(seen.insert(line.split(" =").next()), "twice: {line}"));
    }

    #[test]
    fn a_message_names_the_key_and_the_arguments() {
        let args = [("max", "60")];
        let english = Words::new(Language::English).say("too_long", "identity.name", &args);
        assert_eq!(english, "identity.name is too long: at most 60.");
        let chinese = Words::new(Language::Chinese).say("too_long", "identity.name", &args);
        assert_eq!(chinese, "identity.name 过长，最多 60。");
        let none: [(&str, &str); 0] = [];
        let newer = Words::new(Language::English).say("of_next_year", "a.b", &none);
        assert!(
            newer.contains("of_next_year") && newer.contains("a.b"),
            "{newer}"
        );
    }

    #[test]
    fn what_steers_a_terminal_is_escaped_and_names_in_every_script_stay() {
        for name in ["其其格", "ᠴᠡᠴᠡᠭ\u{180b}\u{202f}", "Ö\t\n", ""] {
            assert_eq!(legible(name), name);
        }
        let named = legible("a\u{9b}31m\u{1b}[2J\u{202e}b\u{2066}");
        assert_eq!(named, r"a\u009b31m\u001b[2J\u202eb\u2066");
    }

    #[test]
    fn the_language_follows_the_locale() {
        for locale in ["zh_CN.UTF-8", "zh", "ZH_TW"] {
            assert_eq!(Language::of_locale(locale), Language::Chinese);
        }
        for locale in ["", "C", "en_GB.UTF-8", "mn_MN"] {
            assert_eq!(Language::of_locale(locale), Language::English);
        }
    }
}
