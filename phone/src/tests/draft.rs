//! Drafts, before they are saved.

use super::*;

#[test]
fn what_is_wrong_with_a_new_item_is_named_as_it_was_typed() {
    let disk = Database::default();
    let mut phone = phone(&disk, &[UNIT]);
    let more = [
        "water.source=77",
        "water.treatment=1,88",
        "water#abc.users=many",
    ];
    let error = phone
        .add(Subject::Household, None, &sets(&more))
        .unwrap_err();
    let keys: Vec<&str> = error.issues().iter().map(|c| c.key.as_str()).collect();
    assert_eq!(keys, ["water#abc.users", "water.source", "water.treatment"]);
    let id = phone
        .add(Subject::Person, None, &sets(&WOMAN))
        .unwrap()
        .to_string();
    let set = sets(&["cancer=C", "round=2026", "screened_on=2999-01-01"]);
    let error = phone.item(&id, "screening", &set).unwrap_err();
    assert_eq!(
        code(error),
        ("future_date".into(), "screening.screened_on".into())
    );
    // An item that is there is named with its id.
    let edit = sets(&["screening#C-2026.screened_on=2999-01-01"]);
    let error = phone.edit(&id, &edit).unwrap_err();
    assert_eq!(code(error).1, "screening#C-2026.screened_on");
}

#[test]
fn a_draft_hears_before_it_is_saved_what_saving_would_say() {
    let disk = Database::default();
    let mut phone = phone(&disk, &[UNIT]);
    let new = Draft::New {
        subject: Subject::Person,
        unit: None,
    };
    let keys = |issues: &[Issue]| -> Vec<(String, String)> {
        let named = issues.iter();
        named.map(|c| (c.key.clone(), c.code.clone())).collect()
    };
    // An empty form asks, and refuses nothing.
    let empty = phone.check(&new, &[]).unwrap();
    assert_eq!(empty.refused, []);
    let asked = |checked: &Checked, key: &str| checked.asked.iter().any(|asked| asked == key);
    assert!(asked(&empty, "identity.name"));
    let required = ("identity.name".to_owned(), "required".to_owned());
    assert!(keys(&empty.left).contains(&required));

    let bad = sets(&[
        "identity.name=其其格",
        "identity.birth_date=2999-01-01",
        "screening.cancer=C",
        "screening.round=2026",
        "screening.screened_on=2999-01-01",
    ]);
    let said = phone.check(&new, &bad).unwrap();
    let saving = phone.add(Subject::Person, None, &bad).unwrap_err();
    assert_eq!(keys(&said.refused), keys(saving.issues()));
    assert_eq!(
        keys(&said.refused),
        [
            ("identity.birth_date".into(), "future_date".into()),
            ("screening.screened_on".into(), "future_date".into()),
        ]
    );
    assert!(asked(&said, "screening.screened_on"));
    // What can't even be read is said too.
    for text in ["nonsense=", "Nonsense.x=1", "identity.nonsense=1"] {
        let typed = sets(&[text]);
        let said = phone.check(&new, &typed).unwrap();
        let saving = phone.add(Subject::Person, None, &typed).unwrap_err();
        assert_eq!(keys(&said.refused), keys(saving.issues()), "{text}");
    }

    let good = sets(&WOMAN);
    assert_eq!(phone.check(&new, &good).unwrap().refused, []);
    assert_eq!(phone.status().unwrap().unsent, 0);
    let id = phone.add(Subject::Person, None, &good).unwrap().to_string();
    let shown = phone.show(&id).unwrap();
    let problems: Vec<Issue> = shown.problems.iter().map(issue_of).collect();
    let edit = Draft::Edit { id: &id };
    let same = phone.check(&edit, &good).unwrap();
    assert_eq!(keys(&same.left), keys(&problems));
    let item = Draft::Item {
        id: &id,
        section: "screening",
    };
    let said = phone.check(&item, &sets(&["cancer=C", "round=x"])).unwrap();
    assert_eq!(said.refused[0].key, "screening.round");
    assert_eq!(phone.status().unwrap().unsent, 1);
}
