//! What the other languages can't bring about: panics, and codes without words.

use client::keys::Secret;
use client::phone::Phone;
use words::{Language, Words};

use crate::error::PhoneError;
use crate::phone::Held;

/// A phone without a store: opening it is not asked for until something needs it.
fn held(dir: &std::path::Path) -> Held {
    let secret = Secret::new("246810".to_owned()).unwrap();
    Held::new(Phone::unopened(dir, secret))
}

#[test]
fn a_panic_reaches_the_app_as_an_error_and_the_next_call_opens_the_store_again() {
    let dir = tempfile::tempdir().unwrap();
    let held = held(dir.path());
    let error = held.turn::<()>(|_| panic!("a mistake")).unwrap_err();
    let words = Words::new(Language::English);
    let narrowed = PhoneError::of(&error, &words);
    assert!(
        matches!(narrowed, PhoneError::Internal { .. }),
        "{narrowed:?}"
    );
    // The lock is not poisoned, and the phone looks for its store anew.
    let error = held.turn(Phone::status).unwrap_err();
    assert_eq!(error.complaints()[0].code, "store_missing");
}

#[test]
fn every_code_of_this_crate_has_words_in_both_languages() {
    let sources = [
        include_str!("error.rs"),
        include_str!("phone.rs"),
        include_str!("secret.rs"),
        include_str!("work.rs"),
    ];
    let mut codes: Vec<&str> = sources
        .iter()
        .flat_map(|source| source.split("Complaint::new(\"").skip(1))
        .filter_map(|rest| rest.split_once('"'))
        .map(|(code, _)| code)
        .collect();
    codes.push("internal");
    assert!(codes.len() > 4, "{codes:?}");
    for language in [Language::Chinese, Language::English] {
        let words = Words::new(language);
        for code in &codes {
            assert!(words.knows(code), "{code} has no words in {language:?}");
        }
    }
}
