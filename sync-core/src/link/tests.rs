use super::*;
use crate::id::DeviceId;
use crate::record::RecordState;

fn person(n: u8) -> RecordId {
    RecordId::draw(Subject::Person, 1, [n; 10])
}

/// What a record says of others once these values are written.
fn links_of(record: RecordId, puts: &[(&str, Value)]) -> Vec<Link> {
    let puts: Vec<(Key, Value)> = puts
        .iter()
        .map(|(key, value)| (Key::parse(key).unwrap(), value.clone()))
        .collect();
    let device = DeviceId([1; 8]);
    let written = RecordState::empty().write(device, &[], &puts, 0).unwrap();
    let (_, state) = written.unwrap();
    links(record, state.view().iter())
}

#[test]
fn the_keys_are_of_the_grammar_and_name_the_greater_record() {
    let (first, other) = pair(person(2), person(1));
    assert_eq!((first, other), (person(1), person(2)));
    let state = state_key(other).unwrap();
    assert_eq!(state.as_str(), format!("same#{other}.state"));
    let despite = despite_key(other, "birth_date").unwrap();
    assert_eq!(despite.as_str(), format!("same#{other}.despite/birth_date"));
    assert_eq!(
        (other_of(&state), other_of(&despite)),
        (Some(other), Some(other))
    );
    assert!(is_state(&state) && !is_state(&despite));
    assert_eq!(other_of(&Key::parse("same#abc.state").unwrap()), None);
    let shouted = format!("same#{}.state", other.to_string().to_uppercase());
    assert_eq!(other_of(&Key::parse(&shouted).unwrap()), None);
}

#[test]
fn a_record_says_what_its_keys_say_and_nothing_in_other_shapes() {
    let (a, b, c) = (person(1), person(2), person(3));
    let found = links_of(
        a,
        &[
            (&format!("same#{b}.state"), "same".into()),
            (&format!("same#{b}.despite/name"), true.into()),
            (&format!("same#{b}.despite/birth_date"), false.into()),
            (&format!("same#{b}.despite/shoe_size"), true.into()),
            (&format!("same#{c}.state"), "perhaps".into()),
            ("same#x.state", "same".into()),
            ("same.state", "same".into()),
        ],
    );
    let link = |other, statement, despite: &[&'static str]| Link {
        other,
        statement,
        despite: despite.iter().copied().collect(),
    };
    let expected = [
        link(b, Some(Statement::Same), &["name"]),
        link(c, None, &[]),
    ];
    assert_eq!(found, expected);
    // What stands in the greater record, or about what is no person, says nothing.
    assert_eq!(
        links_of(b, &[(&format!("same#{a}.state"), "same".into())]),
        []
    );
    let household = RecordId::draw(Subject::Household, 1, [9; 10]);
    assert_eq!(
        links_of(a, &[(&format!("same#{household}.state"), "same".into())]),
        []
    );
}

#[test]
fn what_would_say_nothing_is_not_written() {
    let (a, b) = (person(1), person(2));
    let wrong = |record, key: &str, value: Value| wrong(record, &Key::parse(key).unwrap(), &value);
    let state = format!("same#{b}.state");
    for value in [Value::from("same"), Value::from("not_same"), Value::Null] {
        assert_eq!(wrong(a, &state, value), None);
    }
    assert_eq!(wrong(a, &state, "perhaps".into()), Some("unknown_code"));
    assert_eq!(wrong(a, &state, true.into()), Some("not_text"));
    assert_eq!(
        wrong(b, &state, "same".into()),
        Some("bad_reference"),
        "itself"
    );
    let greater = format!("same#{a}.state");
    assert_eq!(wrong(b, &greater, "same".into()), Some("bad_reference"));
    let despite = format!("same#{b}.despite");
    assert_eq!(wrong(a, &format!("{despite}/name"), true.into()), None);
    assert_eq!(
        wrong(a, &format!("{despite}/name"), "x".into()),
        Some("not_a_bool")
    );
    assert_eq!(
        wrong(a, &format!("{despite}/sex"), true.into()),
        Some("unknown_code")
    );
    assert_eq!(wrong(a, &despite, true.into()), Some("unknown_key"));
    assert_eq!(
        wrong(a, &format!("same#{b}.void"), true.into()),
        Some("unknown_key")
    );
    assert_eq!(wrong(a, "same#x.state", "same".into()), Some("unknown_key"));
    assert_eq!(wrong(a, "same.state", "same".into()), Some("unknown_key"));
}
