//! Layout of every page: the title, navigation, the other language.

use std::fmt::Display;

use sync_core::date::date_in_china;
use words::{Language, Words};

use super::address::Address;
use super::state::ConsoleState;
use super::style;

/// A link.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) href: String,
    pub(super) title: String,
    /// Whether it leads to where the reader is.
    pub(super) here: bool,
}

/// What the template `base.html` needs, and the words for every other one.
pub(super) struct Layout<'a> {
    words: &'a Words,
    /// What the page is about, as its heading says.
    pub(super) heading: String,
    /// The org unit that it is of; empty where the heading says that.
    pub(super) place: String,
    names_somebody: bool,
    /// The page's language as HTML names it.
    pub(super) lang: &'static str,
    /// The other language, and the same page in it.
    pub(super) other: Link,
    pub(super) other_lang: &'static str,
    /// The main pages.
    pub(super) pages: Vec<Link>,
    pub(super) style: &'static str,
    /// Today in China: what tasks and dates are held against.
    pub(super) today: String,
    /// Made-up data.
    pub(super) sample: bool,
}

impl<'a> Layout<'a> {
    /// The frame of the page at `here`.
    pub(super) fn new(
        state: &'a ConsoleState,
        language: Language,
        heading: String,
        here: &Address,
    ) -> Self {
        let words = state.words(language);
        let other = match language {
            Language::Chinese => Language::English,
            Language::English => Language::Chinese,
        };
        let other_link = Link {
            href: here.in_language(other),
            title: words.sentence("console-other-language", &[]),
            here: false,
        };
        Self {
            words,
            heading,
            place: String::new(),
            names_somebody: false,
            lang: lang(language),
            other: other_link,
            other_lang: lang(other),
            pages: pages(words, here),
            style: style::address(),
            today: date_in_china(state.app.context().clock.now()),
            sample: state.app.context().sample,
        }
    }

    /// The same with another heading.
    pub(super) fn headed(self, heading: String) -> Self {
        Self { heading, ..self }
    }

    /// The same of an org unit.
    pub(super) fn of(self, place: &str) -> Self {
        Self {
            place: place.to_owned(),
            ..self
        }
    }

    /// The same with a heading that is somebody's name: it stays out of the document's title, which
    /// browsers keep in their histories.
    pub(super) fn naming_somebody(self) -> Self {
        Self {
            names_somebody: true,
            ..self
        }
    }

    /// The title of the document: what tells this page from others in a list of windows.
    pub(super) fn title(&self) -> String {
        let heading = match self.names_somebody {
            true => String::new(),
            false => self.heading.clone(),
        };
        let parts = [heading, self.place.clone(), self.say("site")];
        let filled = parts.into_iter().filter(|part| !part.is_empty());
        filled.collect::<Vec<_>>().join(" · ")
    }

    /// A text of the console, without its `console-`.
    pub(super) fn say(&self, name: &str) -> String {
        self.words.sentence(&format!("console-{name}"), &[])
    }

    /// A text that names something.
    pub(super) fn say_with(&self, name: &str, argument: &str, value: impl Display) -> String {
        let value = value.to_string();
        let name = format!("console-{name}");
        self.words.sentence(&name, &[(argument, &value)])
    }
}

fn lang(language: Language) -> &'static str {
    match language {
        Language::Chinese => "zh-CN",
        Language::English => "en",
    }
}

/// The main pages, in the order of the work: look, open a register, see who is late, decide,
/// take what somebody brought.
fn pages(words: &Words, here: &Address) -> Vec<Link> {
    let language = words.language();
    let page = |name: &str, address: Address, here: bool| Link {
        href: address.in_language(language),
        title: words.sentence(&format!("console-{name}"), &[]),
        here,
    };
    let is_register = matches!(here, Address::Registers { .. } | Address::Register { .. });
    let is_figure = matches!(here, Address::Overview { .. } | Address::Indicator { .. });
    let conflicts = Address::Conflicts { org: None, page: 1 };
    let is_conflict = matches!(here, Address::Conflicts { .. });
    vec![
        page("overview", Address::home(), is_figure),
        page("registers", Address::Registers { org: None }, is_register),
        page("freshness", Address::Freshness, *here == Address::Freshness),
        page("conflicts", conflicts, is_conflict),
        page("events", Address::Events, *here == Address::Events),
        page("bundles", Address::Bundles, *here == Address::Bundles),
    ]
}

/// A title of the plan in a language.
pub(super) fn title(language: Language, title: &plan::dictionary::Text) -> &str {
    match language {
        Language::Chinese => &title.zh,
        // A title that has no English is better than none.
        Language::English if title.en.is_empty() => &title.zh,
        Language::English => &title.en,
    }
}
