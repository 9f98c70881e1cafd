//! Behaviour that other languages can't provoke: panics, and codes without words.

use client::error::{Issue, PhoneError as Inner};
use client::keys::Secret;
use client::phone::{Phone, unopened};
use words::{Language, Words};

use crate::error::PhoneError;
use crate::phone::SharedPhone;

/// A phone without a store: opening it is not asked for until something needs it.
fn held(dir: &std::path::Path) -> SharedPhone {
    let secret = Secret::new("246810".to_owned()).unwrap();
    SharedPhone::new(unopened(dir, secret))
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
    assert_eq!(error.issues()[0].code, "store_missing");
}

#[test]
fn a_wiped_phone_is_an_error_of_its_own_and_one_that_holds_too_much_is_unchanged() {
    let words = Words::new(Language::Chinese);
    let narrowed = |code| PhoneError::of(&Inner::wrong(Issue::new(code)), &words);
    assert!(matches!(narrowed("wiped"), PhoneError::Wiped { .. }));
    let unchanged = narrowed("too_much_to_hand_over");
    let PhoneError::Wrong { problems } = unchanged else {
        panic!("{unchanged:?}");
    };
    assert!(problems[0].message.contains("outbox"), "{problems:?}");
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
        .flat_map(|source| source.split("Issue::new(\"").skip(1))
        .filter_map(|rest| rest.split_once('"'))
        .map(|(code, _)| code)
        .collect();
    codes.extend(["internal", "wiped"]);
    assert!(codes.len() > 4, "{codes:?}");
    for language in [Language::Chinese, Language::English] {
        let words = Words::new(language);
        for code in &codes {
            assert!(words.knows(code), "{code} has no words in {language:?}");
        }
    }
}

#[test]
fn the_store_of_version_0_1_0_opens_with_all_that_was_saved_in_it() {
    use crate::language;
    use crate::record::{Subject, Value};
    let fixture = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/store-0.1.0");
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(fixture.join("ortoo.db"), dir.path().join("ortoo.db")).unwrap();
    let secret = crate::secret::Secret::Typed {
        secret: "246810".to_owned(),
    };
    let place = dir.path().to_string_lossy().into_owned();
    let phone = crate::phone::Phone::open(place, secret, language::Language::English).unwrap();
    let women = phone.list(Subject::Person, None, Some("其其格".to_owned()));
    let [woman] = women.unwrap().try_into().unwrap();
    let shown = phone.show(woman.id).unwrap();
    let sex = Value::Text {
        value: "2".to_owned(),
    };
    assert_eq!(shown.fields["identity.sex"], sex);
    assert_eq!(shown.items["screening"].len(), 1);
    assert_eq!(phone.conflicts().unwrap().len(), 1);
    assert_eq!(phone.status().unwrap().unsent, 1);
}
