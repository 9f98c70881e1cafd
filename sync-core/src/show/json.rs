//! The public JSON of a record, the same from the phone's command line and the server's. A contract:
//! names and shapes are kept for good. Made by hand from the shown types, so that renaming one of
//! those can't change it.

use serde_json::{Map, Value, json};

use super::{ShownConflict, ShownItem, ShownRecord, ShownValue};
use crate::check::Problem;

/// `{"id","subject","space","linked","fields","items","conflicts","problems"}`; without `items` for
/// a row of a list. `say` gives a problem's message.
pub fn record(record: &ShownRecord, with_items: bool, say: &dyn Fn(&Problem) -> String) -> Value {
    let mut shape = Map::new();
    shape.insert("id".into(), json!(record.id.to_string()));
    shape.insert("subject".into(), json!(record.id.subject.key()));
    shape.insert("space".into(), json!(record.unit));
    let linked = record.linked.iter().map(|other| json!(other.to_string()));
    shape.insert("linked".into(), linked.collect());
    let fields: Map<String, Value> = record
        .fields
        .iter()
        .map(|(key, shown)| (key.clone(), value(shown)))
        .collect();
    shape.insert("fields".into(), Value::Object(fields));
    if with_items {
        let items: Map<String, Value> = record
            .items
            .iter()
            .map(|(section, items)| (section.clone(), items.iter().map(item).collect()))
            .collect();
        shape.insert("items".into(), Value::Object(items));
    }
    let conflict = |of: &ShownConflict| json!({ "key": of.key, "values": values(of) });
    shape.insert(
        "conflicts".into(),
        record.conflicts.iter().map(conflict).collect(),
    );
    let problem =
        |of: &Problem| json!({ "key": of.key.as_str(), "code": of.code, "message": say(of) });
    shape.insert(
        "problems".into(),
        record.problems.iter().map(problem).collect(),
    );
    Value::Object(shape)
}

/// A row of the list of conflicts: `{"id","key","values"}`.
pub fn conflict(conflict: &ShownConflict) -> Value {
    json!({ "id": conflict.record.to_string(), "key": conflict.key, "values": values(conflict) })
}

/// A value.
pub fn value(shown: &ShownValue) -> Value {
    match shown {
        ShownValue::Empty => Value::Null,
        ShownValue::Flag(flag) => json!(flag),
        ShownValue::Number(number) => json!(number),
        ShownValue::Text(text) => json!(text),
        ShownValue::Codes(codes) => json!(codes),
    }
}

fn values(conflict: &ShownConflict) -> Vec<Value> {
    conflict.values.iter().map(value).collect()
}

fn item(item: &ShownItem) -> Value {
    let mut shape = Map::new();
    shape.insert("item".into(), json!(item.item));
    shape.extend(
        item.fields
            .iter()
            .map(|(field, shown)| (field.clone(), value(shown))),
    );
    Value::Object(shape)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::id::{RecordId, Subject};
    use crate::value::Key;

    fn shown() -> ShownRecord {
        let id = RecordId::draw(Subject::Person, 1, [1; 10]);
        let fields = BTreeMap::from([
            (
                "identity.name".to_owned(),
                ShownValue::Text("其其格".into()),
            ),
            ("background.literate".to_owned(), ShownValue::Flag(false)),
        ]);
        let needs = ShownItem {
            item: "a1".into(),
            fields: BTreeMap::from([("needs".to_owned(), ShownValue::Codes(vec!["01".into()]))]),
        };
        let problem = Problem {
            key: Key::parse("identity.sex").unwrap(),
            code: "required",
            args: Vec::new(),
        };
        ShownRecord {
            id,
            unit: "152522100200".into(),
            linked: vec![],
            fields,
            items: BTreeMap::from([("care_needs".to_owned(), vec![needs])]),
            conflicts: vec![ShownConflict {
                record: id,
                key: "identity.phone".into(),
                values: vec![ShownValue::Empty, ShownValue::Text("1".into())],
            }],
            problems: vec![problem],
        }
    }

    #[test]
    fn a_record_has_the_keys_of_the_contract_in_their_order() {
        let shape = record(&shown(), true, &|_| "say".into());
        let keys: Vec<&String> = shape.as_object().unwrap().keys().collect();
        let contract = [
            "id",
            "subject",
            "space",
            "linked",
            "fields",
            "items",
            "conflicts",
            "problems",
        ];
        assert_eq!(keys, contract);
        assert_eq!(
            shape["items"]["care_needs"],
            json!([{ "item": "a1", "needs": ["01"] }])
        );
        assert_eq!(
            shape["conflicts"],
            json!([{ "key": "identity.phone", "values": [null, "1"] }])
        );
        let problem = json!({ "key": "identity.sex", "code": "required", "message": "say" });
        assert_eq!(shape["problems"], json!([problem]));
        assert_eq!(
            record(&shown(), false, &|_| String::new()).get("items"),
            None
        );
    }
}
