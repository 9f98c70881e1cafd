//! Every address of the console, written and read in this file alone.
//!
//! An address names places, years and keys of the plan; never a person, a record or what somebody
//! searched for (SECURITY.md): a record's is a token that only this process can read.

use form_urlencoded::Serializer;
use words::Language;

/// The style sheet; its name carries a hash of its content, so that it may be kept for good.
pub(super) const STYLE: &str = "/assets/";

/// A page, without its language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// All indicators of an org unit in a year.
    Overview {
        /// The org unit; the banner if it is left out.
        org: Option<String>,
        /// The year; this one if it is left out.
        year: Option<u16>,
    },
    /// One indicator, down to the records behind it.
    Indicator {
        key: String,
        org: Option<String>,
        year: Option<u16>,
        /// Which of the records behind it are listed.
        part: Option<Part>,
        page: usize,
    },
    /// The list of registers.
    Registers {
        /// The org unit that their links lead to.
        org: Option<String>,
    },
    /// One register of a 嘎查.
    Register {
        key: String,
        org: Option<String>,
        page: usize,
    },
    /// A record, by its token.
    Record(String),
    /// When each 嘎查 was last heard of.
    Freshness,
    /// What happened.
    Events,
    /// What waits for a decision.
    Conflicts { org: Option<String>, page: usize },
    /// Where a traveller's bundle is handed in.
    Bundles,
    /// The answer to a bundle, by its name.
    Reply(String),
}

/// The groups behind a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Those in the numerator.
    Reached,
    /// Those in the denominator alone.
    Rest,
    /// Those of whom it is not known.
    Unknown,
}

impl Part {
    pub(super) const ALL: [Part; 3] = [Part::Reached, Part::Rest, Part::Unknown];

    /// As it stands in addresses and in the names of messages.
    pub(super) fn key(self) -> &'static str {
        match self {
            Part::Reached => "reached",
            Part::Rest => "rest",
            Part::Unknown => "unknown",
        }
    }

    pub(super) fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.key() == key)
    }
}

/// How a language is named in addresses.
pub(super) fn code(language: Language) -> &'static str {
    match language {
        Language::Chinese => "zh",
        Language::English => "en",
    }
}

/// The language that an address is in; Chinese where it names none.
pub(super) fn language_of(path: &str) -> Language {
    match path.split('/').nth(1) {
        Some("en") => Language::English,
        _ => Language::Chinese,
    }
}

impl Address {
    /// The overview of everything, this year.
    pub(super) fn home() -> Self {
        Self::Overview {
            org: None,
            year: None,
        }
    }

    /// The address in a language.
    pub(super) fn in_language(&self, language: Language) -> String {
        let mut query = Serializer::new(String::new());
        let path = match self {
            Self::Overview { org, year } => {
                put(&mut query, "org", org.as_deref());
                put(&mut query, "year", *year);
                String::new()
            }
            Self::Indicator {
                key,
                org,
                year,
                part,
                page,
            } => {
                put(&mut query, "org", org.as_deref());
                put(&mut query, "year", *year);
                put(&mut query, "part", part.map(Part::key));
                put_page(&mut query, *page);
                format!("indicator/{key}")
            }
            Self::Registers { org } => {
                put(&mut query, "org", org.as_deref());
                "registers".to_owned()
            }
            Self::Register { key, org, page } => {
                put(&mut query, "org", org.as_deref());
                put_page(&mut query, *page);
                format!("register/{key}")
            }
            Self::Record(token) => format!("record/{token}"),
            Self::Freshness => "freshness".to_owned(),
            Self::Events => "events".to_owned(),
            Self::Bundles => "bundles".to_owned(),
            Self::Reply(name) => format!("reply/{name}"),
            Self::Conflicts { org, page } => {
                put(&mut query, "org", org.as_deref());
                put_page(&mut query, *page);
                "conflicts".to_owned()
            }
        };
        let query = query.finish();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("/{}/{path}{mark}{query}", code(language))
    }
}

fn put(query: &mut Serializer<'_, String>, name: &str, value: Option<impl ToString>) {
    if let Some(value) = value {
        query.append_pair(name, &value.to_string());
    }
}

/// The first page needs no number.
fn put_page(query: &mut Serializer<'_, String>, page: usize) {
    put(query, "page", (page > 1).then_some(page));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_only_what_it_must() {
        assert_eq!(Address::home().in_language(Language::Chinese), "/zh/");
        let address = Address::Indicator {
            key: "health.cervical-screening-rate".into(),
            org: Some("152522100200".into()),
            year: Some(2026),
            part: Some(Part::Unknown),
            page: 2,
        };
        assert_eq!(
            address.in_language(Language::English),
            "/en/indicator/health.cervical-screening-rate?org=152522100200&year=2026&part=unknown&page=2"
        );
        let first = Address::Conflicts { org: None, page: 1 };
        assert_eq!(first.in_language(Language::Chinese), "/zh/conflicts");
    }

    #[test]
    fn an_address_without_a_language_is_chinese() {
        assert_eq!(language_of("/en/freshness"), Language::English);
        for path in ["/", "/zh/", "/english", "/mn/"] {
            assert_eq!(language_of(path), Language::Chinese, "{path}");
        }
    }
}
