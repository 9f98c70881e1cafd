//! Links between two records, on one phone.

use super::*;

const NUMBER: &str = "11010519491231002X";

/// A woman of this name and number, who was born on the number's day.
fn woman(phone: &mut Phone, name: &str, number: &str) -> String {
    let typed = [
        Typed::new("identity.name", name),
        Typed::new("identity.id_no", number),
    ];
    let id = phone.add(Subject::Person, None, &typed).unwrap();
    id.to_string()
}

/// Two records of one name and number, the smaller first: of one moment's ids either may be.
fn two(phone: &mut Phone, number: &str) -> [String; 2] {
    let mut both = ["其其格", "其其格"].map(|name| woman(phone, name, number));
    both.sort();
    both
}

fn groups(phone: &mut Phone) -> usize {
    phone.list(Subject::Person, None, None).unwrap().len()
}

/// Keys and values of everything that is to be settled.
fn open(phone: &mut Phone) -> Vec<(String, Vec<ShownValue>)> {
    let open = phone.conflicts().unwrap().into_iter();
    open.map(|conflict| (conflict.key, conflict.values))
        .collect()
}

fn text(text: &str) -> ShownValue {
    ShownValue::Text(text.into())
}

#[test]
fn a_link_joins_two_records_without_a_number_and_unlink_parts_them() {
    let disk = Database::default();
    let mut phone = phone(&disk, &[UNIT]);
    let [a, b] = two(&mut phone, "");
    phone
        .edit(&b, &sets(&["identity.phone=10012345678"]))
        .unwrap();
    assert_eq!(groups(&mut phone), 2);
    // Whichever is named first, it stands in one place.
    let linked = phone.link(&b, &a).unwrap();
    assert_eq!((linked.linked.len(), linked.conflicts), (1, vec![]));
    assert_eq!(phone.link(&a, &b).unwrap().linked[0].to_string(), b);
    assert_eq!(groups(&mut phone), 1);
    let row = phone.list(Subject::Person, None, None).unwrap().remove(0);
    assert_eq!(row.fields["identity.phone"], text("10012345678"));
    let shown = phone.show(&a).unwrap();
    assert!(
        !shown.fields.contains_key("identity.phone"),
        "nothing was copied"
    );
    assert_eq!(shown.items.get("same"), None, "it is no section");
    let history = phone.history(&a).unwrap();
    let said = history
        .iter()
        .filter(|event| event.key.starts_with("same#"));
    assert_eq!(
        said.map(|event| &event.value).collect::<Vec<_>>(),
        [&text("same")]
    );

    let parted = phone.unlink(&a, &b).unwrap();
    assert_eq!((parted.linked.len(), groups(&mut phone)), (0, 2));
    phone.link(&a, &b).unwrap();
    assert_eq!(groups(&mut phone), 1);
}

#[test]
fn different_names_are_open_until_they_are_confirmed_parted_or_corrected() {
    let disk = Database::default();
    let mut phone = phone(&disk, &[UNIT]);
    let [a, b] = two(&mut phone, NUMBER);
    phone.edit(&b, &sets(&["identity.name=琪琪格"])).unwrap();
    phone
        .edit(&b, &sets(&["identity.phone=10012345678"]))
        .unwrap();
    let differs = [(
        "identity.name".to_owned(),
        vec![text("其其格"), text("琪琪格")],
    )];
    assert_eq!(open(&mut phone), differs);
    let row = |phone: &mut Phone| phone.list(Subject::Person, None, None).unwrap().remove(0);
    assert!(!row(&mut phone).fields.contains_key("identity.phone"));

    let confirmed = phone.link(&a, &b).unwrap();
    assert_eq!((confirmed.linked.len(), confirmed.conflicts), (1, vec![]));
    assert_eq!(open(&mut phone), []);
    assert_eq!(
        row(&mut phone).fields["identity.phone"],
        text("10012345678")
    );
    let settled = phone.resolve(&a, "identity.name", &Choice::Take(1));
    assert_eq!(code(settled.unwrap_err()).0, "no_conflict");
    // A date of birth that differs is another matter.
    phone
        .edit(&a, &sets(&["identity.birth_date=1949-12-31"]))
        .unwrap();
    phone
        .edit(&b, &sets(&["identity.birth_date=1949-12"]))
        .unwrap();
    assert_eq!(open(&mut phone)[0].0, "identity.birth_date");
    phone
        .edit(&b, &sets(&["identity.birth_date=1949-12-31"]))
        .unwrap();
    assert_eq!(open(&mut phone), []);

    // Parted and linked again: somebody has to look again.
    assert_eq!(phone.unlink(&a, &b).unwrap().conflicts, []);
    assert_eq!((groups(&mut phone), open(&mut phone)), (2, vec![]));
    let linked = phone.link(&a, &b).unwrap();
    assert_eq!((linked.linked.len(), linked.conflicts.len()), (1, 1));
    assert_eq!(open(&mut phone), differs);
    phone.edit(&b, &sets(&["identity.name=其其格"])).unwrap();
    assert_eq!((groups(&mut phone), open(&mut phone)), (1, vec![]));
}

#[test]
fn a_tie_that_would_bring_a_parted_pair_together_is_to_be_settled() {
    let disk = Database::default();
    let mut phone = phone(&disk, &[UNIT]);
    let mut all = ["甲", "甲", "甲"].map(|name| woman(&mut phone, name, NUMBER));
    // Of one moment's ids any may be the smallest, and the smaller ones find together first.
    all.sort();
    let [a, b, c] = all;
    let parted = phone.unlink(&a, &c).unwrap();
    assert_eq!((parted.linked.len(), groups(&mut phone)), (1, 2));
    let both = vec![text("same"), text("not_same")];
    assert_eq!(parted.conflicts.len(), 1, "b shows the number of both");
    assert_eq!(open(&mut phone), [(format!("same#{c}.state"), both)]);
    let key = format!("same#{c}.state");
    assert!(phone.show(&b).unwrap().conflicts[0].key == key);
    phone.resolve(&b, &key, &Choice::Take(1)).unwrap();
    assert_eq!((groups(&mut phone), open(&mut phone)), (2, vec![]));
}

#[test]
fn only_two_persons_of_one_unit_can_be_linked() {
    let disk = Database::default();
    let mut phone = phone(&disk, &[UNIT, "152522100201"]);
    let mut add = |subject, unit: &str, set: &str| {
        let id = phone.add(subject, Some(unit), &sets(&[set])).unwrap();
        id.to_string()
    };
    let here = add(Subject::Person, UNIT, "identity.name=其其格");
    let there = add(Subject::Person, "152522100201", "identity.name=其其格");
    let household = add(Subject::Household, UNIT, "household.household_no=0001");
    let stranger = RecordId::draw(Subject::Person, 1, [1; 10]).to_string();
    for (other, refused) in [
        (&here, "same_record"),
        (&there, "other_unit"),
        (&household, "not_a_person"),
        (&stranger, "unknown_record"),
        (&"p1".to_owned(), "bad_id"),
    ] {
        assert_eq!(code(phone.link(&here, other).unwrap_err()).0, refused);
        assert_eq!(code(phone.unlink(&here, other).unwrap_err()).0, refused);
    }
    let greater = RecordId::draw(Subject::Person, 1 << 46, [9; 10]);
    // Nor can it be written by hand in a shape that would say nothing.
    for (record, set, refused) in [
        (
            &here,
            format!("same#{household}.state=same"),
            "bad_reference",
        ),
        (&here, format!("same#{here}.state=same"), "bad_reference"),
        (
            &here,
            format!("same#{greater}.state=perhaps"),
            "unknown_code",
        ),
        (&here, "same.state=same".to_owned(), "unknown_key"),
    ] {
        let error = phone.edit(record, &sets(&[&set])).unwrap_err();
        assert_eq!(code(error).0, refused, "{set}");
    }
}
