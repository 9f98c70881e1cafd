//! Type checking of expressions: references and result types, without running them.
//!
//! Running finds only what is reached: `false && identity.nmae == 'x'` is false, a typo inside a
//! loop over nothing is never seen, and `sex == 2` or `area_type == 'l'` are quietly false. So the
//! loader also walks the expression with what the dictionary says of every name, field and code.

use std::collections::{BTreeMap, BTreeSet};

use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, operators};
use cel::parser::Expression;

use super::date::Date;
use super::{ITEM_DATE, ITEM_ID, PERIOD, tree};
use crate::dictionary::{Kind, Repeating, Section, Subject};
use crate::package::Package;
use crate::register::{Computed, Constant, Gives};

/// What a value is. Every one of them may be null besides.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shape {
    /// Not known; nothing is said against it.
    Any,
    Null,
    Bool,
    Int,
    Date,
    Text,
    /// A code of this list.
    Code(String),
    /// One of these texts.
    OneOf(BTreeSet<String>),
    List(Box<Shape>),
    Map(BTreeMap<String, Shape>),
}

/// The variables of one subject's expressions.
pub(crate) struct Shapes<'a> {
    package: &'a Package,
    variables: BTreeMap<String, Shape>,
}

impl<'a> Shapes<'a> {
    /// The sections, settings and the household of a subject; statuses are added as they are known.
    pub(crate) fn new(package: &'a Package, subject: &Subject) -> Self {
        let sections = |subject: &Subject| -> BTreeMap<String, Shape> {
            let section = |section: &Section| (section.key.clone(), section_shape(section));
            subject.sections.iter().map(section).collect()
        };
        let mut variables = sections(subject);
        let home = package
            .subject("household")
            .map_or(Shape::Null, |home| Shape::Map(sections(home)));
        variables.insert("home".into(), home);
        variables.insert("as_of".into(), Shape::Date);
        let settings = package.settings.iter().map(|setting| {
            let values = setting
                .values
                .iter()
                .map(|dated| constant_shape(&dated.value));
            (
                setting.key.clone(),
                values.fold(Shape::Null, |all, value| merged(package, all, value)),
            )
        });
        variables.insert("settings".into(), Shape::Map(settings.collect()));
        Self { package, variables }
    }

    /// Makes a status known to the expressions that follow; `given` is what its expression gives.
    pub(crate) fn add(&mut self, computed: &Computed, given: Option<Shape>) {
        let shape = match (computed.gives, given, &computed.codes) {
            (Gives::Bool, ..) => Shape::Bool,
            (Gives::Date, ..) => Shape::Date,
            (Gives::Integer, ..) => Shape::Int,
            (Gives::Text, _, Some(codes)) => Shape::Code(codes.clone()),
            (Gives::Text | Gives::Item, Some(given), _) => given,
            (Gives::Text | Gives::Item, None, _) | (Gives::Other(_), ..) => Shape::Any,
        };
        self.variables.insert(computed.key.clone(), shape);
    }

    /// Makes `period` known: from here on expressions of indicators are checked.
    pub(crate) fn know_period(&mut self) {
        let entries = [
            ("year", Shape::Text),
            ("from", Shape::Date),
            ("to", Shape::Date),
        ];
        let entries = entries.map(|(key, shape)| (key.to_owned(), shape));
        self.variables
            .insert(PERIOD.into(), Shape::Map(entries.into()));
    }

    /// What the expression gives, or everything that is wrong with it.
    pub(crate) fn check(&self, source: &str, item: Option<&Section>) -> Result<Shape, Vec<String>> {
        let program = self.package.compile(source).map_err(|why| vec![why])?;
        let mut walk = Walk {
            shapes: self,
            inner: Vec::new(),
            wrong: Vec::new(),
        };
        if let Some(section) = item {
            walk.inner.push(("item".into(), item_shape(section)));
        }
        let shape = walk.shape(&program.expression);
        if walk.wrong.is_empty() {
            // Phones evaluate the tree and not the source.
            tree::write(&program.expression).map_err(|why| vec![why])?;
            Ok(shape)
        } else {
            Err(walk.wrong)
        }
    }

    /// Whether what an expression gives is what a status promises.
    pub(crate) fn gives(&self, computed: &Computed, shape: &Shape) -> Result<(), String> {
        let wanted = match (computed.gives, &computed.codes) {
            (Gives::Bool, _) => Shape::Bool,
            (Gives::Integer, _) => Shape::Int,
            (Gives::Date, _) => Shape::Date,
            (Gives::Text, Some(codes)) => Shape::Code(codes.clone()),
            (Gives::Text, None) => Shape::Text,
            (Gives::Item, _) if matches!(shape, Shape::Map(_)) => return Ok(()),
            (Gives::Item, _) => Shape::Map(BTreeMap::new()),
            (Gives::Other(_), _) => return Err("nobody knows what it is to give".to_owned()),
        };
        let fits = comparable(self.package, shape, &wanted);
        fits.map_err(|why| format!("it gives something else than it says ({why})"))
    }
}

struct Walk<'a> {
    shapes: &'a Shapes<'a>,
    /// The variables of loops, and `item`, innermost last.
    inner: Vec<(String, Shape)>,
    wrong: Vec<String>,
}

impl Walk<'_> {
    fn say(&mut self, what: String) {
        if !self.wrong.contains(&what) {
            self.wrong.push(what);
        }
    }

    fn shape(&mut self, expression: &Expression) -> Shape {
        match &expression.expr {
            Expr::Unspecified | Expr::Struct(_) => Shape::Any,
            Expr::Literal(literal) => match literal {
                LiteralValue::Boolean(_) => Shape::Bool,
                LiteralValue::Int(_) => Shape::Int,
                LiteralValue::String(text) => {
                    Shape::OneOf(BTreeSet::from([text.inner().to_owned()]))
                }
                LiteralValue::Null => Shape::Null,
                LiteralValue::Bytes(_) | LiteralValue::Double(_) | LiteralValue::UInt(_) => {
                    self.say("only whole numbers, texts, true, false and null are known".into());
                    Shape::Any
                }
            },
            Expr::Ident(name) => self.variable(name),
            Expr::Select(select) => {
                let operand = self.shape(&select.operand);
                let shape = self.entry(&operand, &select.field);
                if select.test { Shape::Bool } else { shape }
            }
            Expr::List(list) => {
                let shapes: Vec<Shape> =
                    list.elements.iter().map(|each| self.shape(each)).collect();
                Shape::List(Box::new(self.all(shapes)))
            }
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.shape(&entry.key);
                        self.shape(&entry.value);
                    }
                }
                Shape::Any
            }
            Expr::Comprehension(each) => self.comprehension(each),
            Expr::Call(call) => self.call(call),
        }
    }

    fn variable(&mut self, name: &str) -> Shape {
        let inner = self.inner.iter().rev().find(|(inner, _)| inner == name);
        let known = inner
            .map(|(_, shape)| shape)
            .or_else(|| self.shapes.variables.get(name));
        match known.cloned() {
            Some(shape) => shape,
            None if name == PERIOD => {
                self.say(format!("only an indicator may name `{PERIOD}`"));
                Shape::Any
            }
            None => {
                self.say(format!("unknown name `{name}`"));
                Shape::Any
            }
        }
    }

    fn entry(&mut self, operand: &Shape, field: &str) -> Shape {
        match operand {
            Shape::Any | Shape::Null => Shape::Any,
            Shape::Map(entries) => entries.get(field).cloned().unwrap_or_else(|| {
                self.say(format!("unknown field `{field}`"));
                Shape::Any
            }),
            other => {
                self.say(format!("`.{field}` of {}", other.word()));
                Shape::Any
            }
        }
    }

    fn comprehension(&mut self, each: &ComprehensionExpr) -> Shape {
        let element = match self.shape(&each.iter_range) {
            Shape::List(element) => *element,
            Shape::Any | Shape::Null => Shape::Any,
            Shape::Map(_) => Shape::Text,
            other => {
                self.say(format!("a loop over {}", other.word()));
                Shape::Any
            }
        };
        let begin = self.shape(&each.accu_init);
        let depth = self.inner.len();
        self.inner.push((each.accu_var.clone(), begin));
        self.inner.push((each.iter_var.clone(), element));
        if let Some(second) = &each.iter_var2 {
            self.inner.push((second.clone(), Shape::Any));
        }
        // The condition is made by the macro and says nothing of its own.
        let step = self.shape(&each.loop_step);
        self.inner.truncate(depth);
        self.inner.push((each.accu_var.clone(), step));
        let result = self.shape(&each.result);
        self.inner.truncate(depth);
        result
    }

    fn call(&mut self, call: &CallExpr) -> Shape {
        let target = call.target.as_ref().map(|target| self.shape(target));
        let given: Vec<Shape> = call
            .args
            .iter()
            .map(|argument| self.shape(argument))
            .collect();
        let name = call.func_name.as_str();
        match (name, given.as_slice()) {
            (operators::CONDITIONAL, [condition, yes, no]) => {
                self.truths(name, std::slice::from_ref(condition));
                merged(self.shapes.package, yes.clone(), no.clone())
            }
            (operators::LOGICAL_AND | operators::LOGICAL_OR | operators::LOGICAL_NOT, _) => {
                self.truths(name, &given);
                Shape::Bool
            }
            (
                operators::EQUALS
                | operators::NOT_EQUALS
                | operators::LESS
                | operators::LESS_EQUALS
                | operators::GREATER
                | operators::GREATER_EQUALS,
                [left, right],
            ) => {
                self.compared(left, right);
                Shape::Bool
            }
            (operators::IN, [left, right]) => {
                match right {
                    Shape::List(element) => self.compared(left, element),
                    Shape::Map(_) | Shape::Any | Shape::Null => {}
                    other => self.say(format!("`in` {}", other.word())),
                }
                Shape::Bool
            }
            (operators::INDEX, [from, at]) => self.indexed(from, at),
            (operators::ADD, [Shape::List(left), Shape::List(right)]) => Shape::List(Box::new(
                merged(self.shapes.package, (**left).clone(), (**right).clone()),
            )),
            (operators::ADD, [left, right]) if left.is_text() && right.is_text() => Shape::Text,
            (
                operators::ADD
                | operators::SUBSTRACT
                | operators::MULTIPLY
                | operators::DIVIDE
                | operators::MODULO
                | operators::NEGATE,
                _,
            ) => {
                self.wanted(name, &given, &vec![Shape::Int; given.len()]);
                Shape::Int
            }
            _ if name.starts_with('@') => Shape::Any,
            _ => self.function(name, target, given),
        }
    }

    fn function(&mut self, name: &str, target: Option<Shape>, given: Vec<Shape>) -> Shape {
        let any_list = || Shape::List(Box::new(Shape::Any));
        let (wanted, shape) = match name {
            "age" => (vec![Shape::Date, Shape::Date], Shape::Int),
            "ago" | "ahead" => (vec![Shape::Date, Shape::Int], Shape::Date),
            "held" => (vec![Shape::Date, Shape::Date, Shape::Date], Shape::Bool),
            "last" => {
                let item = match given.first() {
                    Some(Shape::List(item)) => (**item).clone(),
                    _ => Shape::Any,
                };
                (vec![any_list(), Shape::Date], item)
            }
            "newest" => (vec![Shape::List(Box::new(Shape::Date))], Shape::Date),
            "reached" => (vec![Shape::Date, Shape::Date], Shape::Bool),
            "within" => (vec![Shape::Date, Shape::Int, Shape::Date], Shape::Bool),
            "size" if target.is_none() => (vec![Shape::Any], Shape::Int),
            "size" => (vec![], Shape::Int),
            "contains" | "startsWith" | "endsWith" if target.is_some() => {
                (vec![Shape::Text], Shape::Bool)
            }
            "matches" => {
                self.say("no regular expressions here: give the field a `pattern`".into());
                return Shape::Bool;
            }
            _ => {
                self.say(format!("unknown function `{name}`"));
                return Shape::Any;
            }
        };
        match target {
            Some(_) if super::FUNCTIONS.contains(&name) => {
                self.say(format!("`{name}` is no method: write {name}(…)"));
            }
            Some(target) if name != "size" => self.wanted(name, &[target], &[Shape::Text]),
            _ => {}
        }
        if given.len() == wanted.len() {
            self.wanted(name, &given, &wanted);
        } else {
            self.say(format!("`{name}` takes {} arguments", wanted.len()));
        }
        shape
    }

    fn indexed(&mut self, from: &Shape, at: &Shape) -> Shape {
        match (from, at) {
            (Shape::Map(entries), Shape::OneOf(texts)) => {
                let shapes = texts
                    .iter()
                    .map(|text| self.entry(&Shape::Map(entries.clone()), text));
                let shapes: Vec<Shape> = shapes.collect();
                self.all(shapes)
            }
            (Shape::Map(entries), Shape::Code(list)) => {
                let codes = self
                    .shapes
                    .package
                    .code_list(list)
                    .map(|list| list.codes.as_slice());
                let codes = codes
                    .unwrap_or_default()
                    .iter()
                    .map(|code| code.code.clone());
                self.indexed(&Shape::Map(entries.clone()), &Shape::OneOf(codes.collect()))
            }
            (Shape::List(element), Shape::Int | Shape::Any) => (**element).clone(),
            (Shape::Any | Shape::Null, _) | (Shape::Map(_), Shape::Any | Shape::Text) => Shape::Any,
            (from, at) => {
                self.say(format!("[{}] of {}", at.word(), from.word()));
                Shape::Any
            }
        }
    }

    fn truths(&mut self, operator: &str, given: &[Shape]) {
        let wanted = vec![Shape::Bool; given.len()];
        self.wanted(operator, given, &wanted);
    }

    fn wanted(&mut self, function: &str, given: &[Shape], wanted: &[Shape]) {
        for (given, wanted) in given.iter().zip(wanted) {
            if let Err(why) = comparable(self.shapes.package, given, wanted) {
                self.say(format!("`{function}`: {why}"));
            }
        }
    }

    fn compared(&mut self, left: &Shape, right: &Shape) {
        if let Err(why) = comparable(self.shapes.package, left, right) {
            self.say(why);
        }
    }

    fn all(&self, shapes: Vec<Shape>) -> Shape {
        shapes.into_iter().fold(Shape::Null, |all, shape| {
            merged(self.shapes.package, all, shape)
        })
    }
}

impl Shape {
    fn is_text(&self) -> bool {
        matches!(
            self,
            Shape::Text | Shape::Date | Shape::Code(_) | Shape::OneOf(_)
        )
    }

    fn word(&self) -> String {
        match self {
            Shape::Any => "anything".into(),
            Shape::Null => "null".into(),
            Shape::Bool => "a Boolean".into(),
            Shape::Int => "a number".into(),
            Shape::Date => "a date".into(),
            Shape::Text => "a text".into(),
            Shape::Code(list) => format!("a code of {list}"),
            Shape::OneOf(texts) => {
                let texts: Vec<String> = texts.iter().map(|text| format!("'{text}'")).collect();
                texts.join(" or ")
            }
            Shape::List(_) => "a list".into(),
            Shape::Map(_) => "a section, an item or another map".into(),
        }
    }
}

/// Whether the two can be equal; if not, why.
fn comparable(package: &Package, left: &Shape, right: &Shape) -> Result<(), String> {
    let fits = match (left, right) {
        (Shape::Any | Shape::Null, _) | (_, Shape::Any | Shape::Null) => true,
        (Shape::Code(list), Shape::OneOf(texts)) | (Shape::OneOf(texts), Shape::Code(list)) => {
            let list = package.code_list(list);
            let unknown = texts
                .iter()
                .find(|text| list.is_some_and(|list| !list.takes(text)));
            match (unknown, list) {
                (Some(text), Some(list)) => {
                    return Err(format!("{} has no code '{text}'", list.key));
                }
                _ => true,
            }
        }
        (Shape::Date, Shape::OneOf(texts)) | (Shape::OneOf(texts), Shape::Date) => {
            texts.iter().all(|text| Date::parse(text).is_some())
        }
        (Shape::Code(left), Shape::Code(right)) => left == right,
        (Shape::Date, Shape::Code(_)) | (Shape::Code(_), Shape::Date) => false,
        (Shape::List(left), Shape::List(right)) => return comparable(package, left, right),
        (Shape::Map(_), Shape::Map(_)) | (Shape::Bool, Shape::Bool) | (Shape::Int, Shape::Int) => {
            true
        }
        (left, right) => left.is_text() && right.is_text(),
    };
    let (left, right) = (left.word(), right.word());
    if fits {
        Ok(())
    } else {
        Err(format!("{left} can't be {right}"))
    }
}

/// What is either the one or the other.
fn merged(package: &Package, left: Shape, right: Shape) -> Shape {
    match (left, right) {
        (Shape::Null, other) | (other, Shape::Null) => other,
        (left, right) if left == right => left,
        (Shape::OneOf(left), Shape::OneOf(right)) => {
            Shape::OneOf(left.into_iter().chain(right).collect())
        }
        (Shape::Code(list), Shape::OneOf(texts)) | (Shape::OneOf(texts), Shape::Code(list)) => {
            match package.code_list(&list) {
                Some(list) if !list.open => {
                    let codes = list.codes.iter().map(|code| code.code.clone());
                    Shape::OneOf(codes.chain(texts).collect())
                }
                _ => Shape::Text,
            }
        }
        (Shape::List(left), Shape::List(right)) => {
            Shape::List(Box::new(merged(package, *left, *right)))
        }
        (left, right) if left.is_text() && right.is_text() => Shape::Text,
        _ => Shape::Any,
    }
}

fn section_shape(section: &Section) -> Shape {
    match section.repeating {
        Repeating::No => Shape::Map(fields(section)),
        _ => Shape::List(Box::new(item_shape(section))),
    }
}

fn item_shape(section: &Section) -> Shape {
    let mut entries = fields(section);
    entries.insert(ITEM_ID.into(), Shape::Text);
    let date = section
        .repeating
        .date()
        .map_or(Shape::Null, |_| Shape::Date);
    entries.insert(ITEM_DATE.into(), date);
    Shape::Map(entries)
}

fn fields(section: &Section) -> BTreeMap<String, Shape> {
    let shape = |kind: &Kind| match kind {
        Kind::Text { .. } | Kind::Reference { .. } | Kind::Point => Shape::Text,
        Kind::Date { .. } => Shape::Date,
        Kind::Integer { .. } => Shape::Int,
        Kind::Bool => Shape::Bool,
        Kind::Choice { codes } => Shape::Code(codes.clone()),
        Kind::Choices { codes } => Shape::List(Box::new(Shape::Code(codes.clone()))),
        Kind::Other(_) => Shape::Any,
    };
    section
        .fields
        .iter()
        .map(|field| (field.key.clone(), shape(&field.kind)))
        .collect()
}

fn constant_shape(constant: &Constant) -> Shape {
    match constant {
        Constant::Integer(_) => Shape::Int,
        Constant::Bool(_) => Shape::Bool,
        Constant::Text(text) => Shape::OneOf(BTreeSet::from([text.clone()])),
        Constant::List(values) => {
            let texts: Option<BTreeSet<String>> = values
                .iter()
                .map(|value| match value {
                    Constant::Text(text) => Some(text.clone()),
                    _ => None,
                })
                .collect();
            let first = values.first().map_or(Shape::Null, constant_shape);
            Shape::List(Box::new(
                texts
                    .filter(|texts| !texts.is_empty())
                    .map_or(first, Shape::OneOf),
            ))
        }
        Constant::Map(values) => Shape::Map(
            values
                .iter()
                .map(|(key, value)| (key.clone(), constant_shape(value)))
                .collect(),
        ),
        Constant::Other(_) => Shape::Any,
    }
}
