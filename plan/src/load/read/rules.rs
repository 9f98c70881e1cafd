//! Code lists, settings, computed statuses and registers: files that are one map by name.

use super::super::yaml::{Node, Value};
use super::{Reader, shown};
use crate::dictionary::{Code, CodeList};
use crate::register::{Computed, Constant, Dated, Register, Setting, Task, ValueType};

impl Reader<'_> {
    pub(super) fn code_list(&mut self, name: &str, node: &Node) -> Option<CodeList> {
        let mut entries = self.entries(node, name)?;
        let title = self.words_in(&mut entries, "title");
        let source = self.some_text(&mut entries, "source");
        let open = self.flag(&mut entries, "open");
        let mut codes = Vec::new();
        if let Some(node) = self.need(&mut entries, "codes") {
            let key = entries.key("codes");
            if let Value::Map(pairs) = &node.value {
                for (code, _) in pairs.iter().filter(|(code, _)| !code.quoted) {
                    self.say_at(
                        code,
                        &format!("{key}.{}", shown(code)),
                        "a code must be quoted",
                    );
                }
            }
            if let Some(listed) = self.entries(node, &key) {
                for (name, node) in &listed.left {
                    codes.extend(self.code(name, node, &listed.key(name)));
                }
            }
        }
        self.done(entries);
        Some(CodeList {
            key: name.to_owned(),
            title,
            source,
            open,
            codes,
        })
    }

    fn code(&mut self, code: &str, node: &Node, key: &str) -> Option<Code> {
        let mut entries = self.entries(node, key)?;
        let title = self.words(&mut entries);
        let retired = self.flag(&mut entries, "retired");
        let alone = self.flag(&mut entries, "alone");
        self.done(entries);
        Some(Code {
            code: code.to_owned(),
            title,
            retired,
            alone,
        })
    }

    pub(super) fn setting(&mut self, name: &str, node: &Node) -> Option<Setting> {
        let mut entries = self.entries(node, name)?;
        let title = self.words_in(&mut entries, "title");
        let mut values = Vec::new();
        if let Some(node) = self.need(&mut entries, "values") {
            let key = entries.key("values");
            match &node.value {
                Value::List(nodes) => {
                    for (at, node) in nodes.iter().enumerate() {
                        values.extend(self.dated(node, &format!("{key}.{at}")));
                    }
                }
                _ => self.say_at(node, &key, "must be a list"),
            }
        }
        self.done(entries);
        Some(Setting {
            key: name.to_owned(),
            title,
            values,
        })
    }

    fn dated(&mut self, node: &Node, key: &str) -> Option<Dated> {
        let mut entries = self.entries(node, key)?;
        let from = self.some_text(&mut entries, "from");
        let value = self.need(&mut entries, "value");
        let value = value.and_then(|node| self.constant(node, &entries.key("value")));
        let standard = self.some_text(&mut entries, "standard");
        self.done(entries);
        Some(Dated {
            from,
            value: value?,
            standard,
        })
    }

    fn constant(&mut self, node: &Node, key: &str) -> Option<Constant> {
        match &node.value {
            Value::Integer(value) => Some(Constant::Integer(*value)),
            Value::Bool(value) => Some(Constant::Bool(*value)),
            Value::Text(_) => self.text_of(node, key).map(Constant::Text),
            Value::List(values) => {
                let values = values.iter().filter_map(|value| self.constant(value, key));
                Some(Constant::List(values.collect()))
            }
            Value::Map(_) => {
                let entries = self.entries(node, key)?;
                let entry = |(name, value): &(&str, &Node)| {
                    Some((
                        (*name).to_owned(),
                        self.constant(value, &format!("{key}.{name}"))?,
                    ))
                };
                let mut values: Vec<(String, Constant)> =
                    entries.left.iter().filter_map(entry).collect();
                values.sort_by(|a, b| a.0.cmp(&b.0));
                Some(Constant::Map(values))
            }
            Value::Null | Value::Other => {
                self.say_at(
                    node,
                    key,
                    "must be a whole number, text, true, false, a list or a map",
                );
                None
            }
        }
    }

    pub(super) fn computed(&mut self, name: &str, node: &Node) -> Option<Computed> {
        let mut entries = self.entries(node, name)?;
        let of = self.some_text(&mut entries, "of");
        let title = self.words(&mut entries);
        let gives = match self.text_if(&mut entries, "gives").as_deref() {
            None | Some("bool") => ValueType::Bool,
            Some("date") => ValueType::Date,
            Some("integer") => ValueType::Integer,
            Some("text") => ValueType::Text,
            Some("item") => ValueType::Item,
            Some(other) => {
                self.report(&entries.key("gives"), format!("unknown type `{other}`"));
                ValueType::Text
            }
        };
        let codes = self.text_if(&mut entries, "codes");
        let is = self.some_text(&mut entries, "is");
        self.done(entries);
        Some(Computed {
            key: name.to_owned(),
            of,
            title,
            gives,
            is,
            codes,
        })
    }

    pub(super) fn register(&mut self, name: &str, node: &Node) -> Option<Register> {
        let mut entries = self.entries(node, name)?;
        let title = self.words_in(&mut entries, "title");
        let of = self.some_text(&mut entries, "of");
        let rows = self.some_text(&mut entries, "rows");
        let fill = self.texts(&mut entries, "fill");
        let columns = self.texts(&mut entries, "columns");
        let sort = self.some_text(&mut entries, "sort");
        let mut tasks = Vec::new();
        if let Some(node) = entries.take("tasks")
            && let Some(listed) = self.entries(node, &entries.key("tasks"))
        {
            for (name, node) in &listed.left {
                tasks.extend(self.task(name, node, &listed.key(name)));
            }
        }
        self.done(entries);
        Some(Register {
            key: name.to_owned(),
            title,
            of,
            rows,
            fill,
            columns,
            sort,
            tasks,
        })
    }

    fn task(&mut self, name: &str, node: &Node, key: &str) -> Option<Task> {
        let mut entries = self.entries(node, key)?;
        let title = self.words(&mut entries);
        let due = self.some_text(&mut entries, "due");
        let adds = self.some_text(&mut entries, "adds");
        self.done(entries);
        Some(Task {
            key: name.to_owned(),
            title,
            due,
            adds,
        })
    }
}
