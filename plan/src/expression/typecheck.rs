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
use crate::register::{Computed, Constant, ValueType};

/// What a value is. Every one of them may be null besides.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Type {
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
    List(Box<Type>),
    Map(BTreeMap<String, Type>),
}

/// The variables of one subject's expressions.
pub(crate) struct TypeEnv<'a> {
    package: &'a Package,
    variables: BTreeMap<String, Type>,
}

impl<'a> TypeEnv<'a> {
    /// The sections, settings and the household of a subject; statuses are added as they are known.
    pub(crate) fn new(package: &'a Package, subject: &Subject) -> Self {
        let sections = |subject: &Subject| -> BTreeMap<String, Type> {
            let section = |section: &Section| (section.key.clone(), section_shape(section));
            subject.sections.iter().map(section).collect()
        };
        let mut variables = sections(subject);
        let home = package
            .subject("household")
            .map_or(Type::Null, |home| Type::Map(sections(home)));
        variables.insert("home".into(), home);
        variables.insert("as_of".into(), Type::Date);
        let settings = package.settings.iter().map(|setting| {
            let values = setting
                .values
                .iter()
                .map(|dated| constant_shape(&dated.value));
            (
                setting.key.clone(),
                values.fold(Type::Null, |all, value| merged(package, all, value)),
            )
        });
        variables.insert("settings".into(), Type::Map(settings.collect()));
        Self { package, variables }
    }

    /// Makes a status known to the expressions that follow; `given` is what its expression gives.
    pub(crate) fn add(&mut self, computed: &Computed, given: Option<Type>) {
        let ty = match (computed.gives, given, &computed.codes) {
            (ValueType::Bool, ..) => Type::Bool,
            (ValueType::Date, ..) => Type::Date,
            (ValueType::Integer, ..) => Type::Int,
            (ValueType::Text, _, Some(codes)) => Type::Code(codes.clone()),
            (ValueType::Text | ValueType::Item, Some(given), _) => given,
            (ValueType::Text | ValueType::Item, None, _) | (ValueType::Other(_), ..) => Type::Any,
        };
        self.variables.insert(computed.key.clone(), ty);
    }

    /// Makes `period` known: from here on expressions of indicators are checked.
    pub(crate) fn know_period(&mut self) {
        let entries = [
            ("year", Type::Text),
            ("from", Type::Date),
            ("to", Type::Date),
        ];
        let entries = entries.map(|(key, ty)| (key.to_owned(), ty));
        self.variables
            .insert(PERIOD.into(), Type::Map(entries.into()));
    }

    /// What the expression gives, or everything that is wrong with it.
    pub(crate) fn check(&self, source: &str, item: Option<&Section>) -> Result<Type, Vec<String>> {
        let program = self.package.compile(source).map_err(|why| vec![why])?;
        let mut walk = Walk {
            env: self,
            inner: Vec::new(),
            wrong: Vec::new(),
        };
        if let Some(section) = item {
            walk.inner.push(("item".into(), item_shape(section)));
        }
        let ty = walk.shape(&program.expression);
        if walk.wrong.is_empty() {
            // Phones evaluate the tree and not the source.
            tree::write(&program.expression).map_err(|why| vec![why])?;
            Ok(ty)
        } else {
            Err(walk.wrong)
        }
    }

    /// Whether what an expression gives is what a status promises.
    pub(crate) fn gives(&self, computed: &Computed, ty: &Type) -> Result<(), String> {
        let wanted = match (computed.gives, &computed.codes) {
            (ValueType::Bool, _) => Type::Bool,
            (ValueType::Integer, _) => Type::Int,
            (ValueType::Date, _) => Type::Date,
            (ValueType::Text, Some(codes)) => Type::Code(codes.clone()),
            (ValueType::Text, None) => Type::Text,
            (ValueType::Item, _) if matches!(ty, Type::Map(_)) => return Ok(()),
            (ValueType::Item, _) => Type::Map(BTreeMap::new()),
            (ValueType::Other(_), _) => return Err("nobody knows what it is to give".to_owned()),
        };
        let fits = comparable(self.package, ty, &wanted);
        fits.map_err(|why| format!("it gives something else than it says ({why})"))
    }
}

struct Walk<'a> {
    env: &'a TypeEnv<'a>,
    /// The variables of loops, and `item`, innermost last.
    inner: Vec<(String, Type)>,
    wrong: Vec<String>,
}

impl Walk<'_> {
    fn report(&mut self, what: String) {
        if !self.wrong.contains(&what) {
            self.wrong.push(what);
        }
    }

    fn shape(&mut self, expression: &Expression) -> Type {
        match &expression.expr {
            Expr::Unspecified | Expr::Struct(_) => Type::Any,
            Expr::Literal(literal) => match literal {
                LiteralValue::Boolean(_) => Type::Bool,
                LiteralValue::Int(_) => Type::Int,
                LiteralValue::String(text) => {
                    Type::OneOf(BTreeSet::from([text.inner().to_owned()]))
                }
                LiteralValue::Null => Type::Null,
                LiteralValue::Bytes(_) | LiteralValue::Double(_) | LiteralValue::UInt(_) => {
                    self.report("only whole numbers, texts, true, false and null are known".into());
                    Type::Any
                }
            },
            Expr::Ident(name) => self.variable(name),
            Expr::Select(select) => {
                let operand = self.shape(&select.operand);
                let ty = self.entry(&operand, &select.field);
                if select.test { Type::Bool } else { ty }
            }
            Expr::List(list) => {
                let env: Vec<Type> = list.elements.iter().map(|each| self.shape(each)).collect();
                Type::List(Box::new(self.all(env)))
            }
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.shape(&entry.key);
                        self.shape(&entry.value);
                    }
                }
                Type::Any
            }
            Expr::Comprehension(each) => self.comprehension(each),
            Expr::Call(call) => self.call(call),
        }
    }

    fn variable(&mut self, name: &str) -> Type {
        let inner = self.inner.iter().rev().find(|(inner, _)| inner == name);
        let known = inner
            .map(|(_, ty)| ty)
            .or_else(|| self.env.variables.get(name));
        match known.cloned() {
            Some(ty) => ty,
            None if name == PERIOD => {
                self.report(format!("only an indicator may name `{PERIOD}`"));
                Type::Any
            }
            None => {
                self.report(format!("unknown name `{name}`"));
                Type::Any
            }
        }
    }

    fn entry(&mut self, operand: &Type, field: &str) -> Type {
        match operand {
            Type::Any | Type::Null => Type::Any,
            Type::Map(entries) => entries.get(field).cloned().unwrap_or_else(|| {
                self.report(format!("unknown field `{field}`"));
                Type::Any
            }),
            other => {
                self.report(format!("`.{field}` of {}", other.word()));
                Type::Any
            }
        }
    }

    fn comprehension(&mut self, each: &ComprehensionExpr) -> Type {
        let element = match self.shape(&each.iter_range) {
            Type::List(element) => *element,
            Type::Any | Type::Null => Type::Any,
            Type::Map(_) => Type::Text,
            other => {
                self.report(format!("a loop over {}", other.word()));
                Type::Any
            }
        };
        let begin = self.shape(&each.accu_init);
        let depth = self.inner.len();
        self.inner.push((each.accu_var.clone(), begin));
        self.inner.push((each.iter_var.clone(), element));
        if let Some(second) = &each.iter_var2 {
            self.inner.push((second.clone(), Type::Any));
        }
        // The condition is made by the macro and says nothing of its own.
        let step = self.shape(&each.loop_step);
        self.inner.truncate(depth);
        self.inner.push((each.accu_var.clone(), step));
        let result = self.shape(&each.result);
        self.inner.truncate(depth);
        result
    }

    fn call(&mut self, call: &CallExpr) -> Type {
        let target = call.target.as_ref().map(|target| self.shape(target));
        let given: Vec<Type> = call
            .args
            .iter()
            .map(|argument| self.shape(argument))
            .collect();
        let name = call.func_name.as_str();
        match (name, given.as_slice()) {
            (operators::CONDITIONAL, [condition, yes, no]) => {
                self.truths(name, std::slice::from_ref(condition));
                merged(self.env.package, yes.clone(), no.clone())
            }
            (operators::LOGICAL_AND | operators::LOGICAL_OR | operators::LOGICAL_NOT, _) => {
                self.truths(name, &given);
                Type::Bool
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
                Type::Bool
            }
            (operators::IN, [left, right]) => {
                match right {
                    Type::List(element) => self.compared(left, element),
                    Type::Map(_) | Type::Any | Type::Null => {}
                    other => self.report(format!("`in` {}", other.word())),
                }
                Type::Bool
            }
            (operators::INDEX, [from, at]) => self.indexed(from, at),
            (operators::ADD, [Type::List(left), Type::List(right)]) => Type::List(Box::new(
                merged(self.env.package, (**left).clone(), (**right).clone()),
            )),
            (operators::ADD, [left, right]) if left.is_text() && right.is_text() => Type::Text,
            (
                operators::ADD
                | operators::SUBSTRACT
                | operators::MULTIPLY
                | operators::DIVIDE
                | operators::MODULO
                | operators::NEGATE,
                _,
            ) => {
                self.wanted(name, &given, &vec![Type::Int; given.len()]);
                Type::Int
            }
            _ if name.starts_with('@') => Type::Any,
            _ => self.function(name, target, given),
        }
    }

    fn function(&mut self, name: &str, target: Option<Type>, given: Vec<Type>) -> Type {
        let any_list = || Type::List(Box::new(Type::Any));
        let (wanted, ty) = match name {
            "age" => (vec![Type::Date, Type::Date], Type::Int),
            "ago" | "ahead" => (vec![Type::Date, Type::Int], Type::Date),
            "held" => (vec![Type::Date, Type::Date, Type::Date], Type::Bool),
            "last" => {
                let item = match given.first() {
                    Some(Type::List(item)) => (**item).clone(),
                    _ => Type::Any,
                };
                (vec![any_list(), Type::Date], item)
            }
            "newest" => (vec![Type::List(Box::new(Type::Date))], Type::Date),
            "reached" => (vec![Type::Date, Type::Date], Type::Bool),
            "within" => (vec![Type::Date, Type::Int, Type::Date], Type::Bool),
            "size" if target.is_none() => (vec![Type::Any], Type::Int),
            "size" => (vec![], Type::Int),
            "contains" | "startsWith" | "endsWith" if target.is_some() => {
                (vec![Type::Text], Type::Bool)
            }
            "matches" => {
                self.report("no regular expressions here: give the field a `pattern`".into());
                return Type::Bool;
            }
            _ => {
                self.report(format!("unknown function `{name}`"));
                return Type::Any;
            }
        };
        match target {
            Some(_) if super::FUNCTIONS.contains(&name) => {
                self.report(format!("`{name}` is no method: write {name}(…)"));
            }
            Some(target) if name != "size" => self.wanted(name, &[target], &[Type::Text]),
            _ => {}
        }
        if given.len() == wanted.len() {
            self.wanted(name, &given, &wanted);
        } else {
            self.report(format!("`{name}` takes {} arguments", wanted.len()));
        }
        ty
    }

    fn indexed(&mut self, from: &Type, at: &Type) -> Type {
        match (from, at) {
            (Type::Map(entries), Type::OneOf(texts)) => {
                let env = texts
                    .iter()
                    .map(|text| self.entry(&Type::Map(entries.clone()), text));
                let env: Vec<Type> = env.collect();
                self.all(env)
            }
            (Type::Map(entries), Type::Code(list)) => {
                let codes = self
                    .env
                    .package
                    .code_list(list)
                    .map(|list| list.codes.as_slice());
                let codes = codes
                    .unwrap_or_default()
                    .iter()
                    .map(|code| code.code.clone());
                self.indexed(&Type::Map(entries.clone()), &Type::OneOf(codes.collect()))
            }
            (Type::List(element), Type::Int | Type::Any) => (**element).clone(),
            (Type::Any | Type::Null, _) | (Type::Map(_), Type::Any | Type::Text) => Type::Any,
            (from, at) => {
                self.report(format!("[{}] of {}", at.word(), from.word()));
                Type::Any
            }
        }
    }

    fn truths(&mut self, operator: &str, given: &[Type]) {
        let wanted = vec![Type::Bool; given.len()];
        self.wanted(operator, given, &wanted);
    }

    fn wanted(&mut self, function: &str, given: &[Type], wanted: &[Type]) {
        for (given, wanted) in given.iter().zip(wanted) {
            if let Err(why) = comparable(self.env.package, given, wanted) {
                self.report(format!("`{function}`: {why}"));
            }
        }
    }

    fn compared(&mut self, left: &Type, right: &Type) {
        if let Err(why) = comparable(self.env.package, left, right) {
            self.report(why);
        }
    }

    fn all(&self, env: Vec<Type>) -> Type {
        env.into_iter()
            .fold(Type::Null, |all, ty| merged(self.env.package, all, ty))
    }
}

impl Type {
    fn is_text(&self) -> bool {
        matches!(
            self,
            Type::Text | Type::Date | Type::Code(_) | Type::OneOf(_)
        )
    }

    fn word(&self) -> String {
        match self {
            Type::Any => "anything".into(),
            Type::Null => "null".into(),
            Type::Bool => "a Boolean".into(),
            Type::Int => "a number".into(),
            Type::Date => "a date".into(),
            Type::Text => "a text".into(),
            Type::Code(list) => format!("a code of {list}"),
            Type::OneOf(texts) => {
                let texts: Vec<String> = texts.iter().map(|text| format!("'{text}'")).collect();
                texts.join(" or ")
            }
            Type::List(_) => "a list".into(),
            Type::Map(_) => "a section, an item or another map".into(),
        }
    }
}

/// Whether the two can be equal; if not, why.
fn comparable(package: &Package, left: &Type, right: &Type) -> Result<(), String> {
    let fits = match (left, right) {
        (Type::Any | Type::Null, _) | (_, Type::Any | Type::Null) => true,
        (Type::Code(list), Type::OneOf(texts)) | (Type::OneOf(texts), Type::Code(list)) => {
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
        (Type::Date, Type::OneOf(texts)) | (Type::OneOf(texts), Type::Date) => {
            texts.iter().all(|text| Date::parse(text).is_some())
        }
        (Type::Code(left), Type::Code(right)) => left == right,
        (Type::Date, Type::Code(_)) | (Type::Code(_), Type::Date) => false,
        (Type::List(left), Type::List(right)) => return comparable(package, left, right),
        (Type::Map(_), Type::Map(_)) | (Type::Bool, Type::Bool) | (Type::Int, Type::Int) => true,
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
fn merged(package: &Package, left: Type, right: Type) -> Type {
    match (left, right) {
        (Type::Null, other) | (other, Type::Null) => other,
        (left, right) if left == right => left,
        (Type::OneOf(left), Type::OneOf(right)) => {
            Type::OneOf(left.into_iter().chain(right).collect())
        }
        (Type::Code(list), Type::OneOf(texts)) | (Type::OneOf(texts), Type::Code(list)) => {
            match package.code_list(&list) {
                Some(list) if !list.open => {
                    let codes = list.codes.iter().map(|code| code.code.clone());
                    Type::OneOf(codes.chain(texts).collect())
                }
                _ => Type::Text,
            }
        }
        (Type::List(left), Type::List(right)) => {
            Type::List(Box::new(merged(package, *left, *right)))
        }
        (left, right) if left.is_text() && right.is_text() => Type::Text,
        _ => Type::Any,
    }
}

fn section_shape(section: &Section) -> Type {
    match section.repeating {
        Repeating::No => Type::Map(fields(section)),
        _ => Type::List(Box::new(item_shape(section))),
    }
}

fn item_shape(section: &Section) -> Type {
    let mut entries = fields(section);
    entries.insert(ITEM_ID.into(), Type::Text);
    let date = section.repeating.date().map_or(Type::Null, |_| Type::Date);
    entries.insert(ITEM_DATE.into(), date);
    Type::Map(entries)
}

fn fields(section: &Section) -> BTreeMap<String, Type> {
    let ty = |kind: &Kind| match kind {
        Kind::Text { .. } | Kind::Reference { .. } | Kind::Point => Type::Text,
        Kind::Date { .. } => Type::Date,
        Kind::Integer { .. } => Type::Int,
        Kind::Bool => Type::Bool,
        Kind::Choice { codes } => Type::Code(codes.clone()),
        Kind::Choices { codes } => Type::List(Box::new(Type::Code(codes.clone()))),
        Kind::Other(_) => Type::Any,
    };
    section
        .fields
        .iter()
        .map(|field| (field.key.clone(), ty(&field.kind)))
        .collect()
}

fn constant_shape(constant: &Constant) -> Type {
    match constant {
        Constant::Integer(_) => Type::Int,
        Constant::Bool(_) => Type::Bool,
        Constant::Text(text) => Type::OneOf(BTreeSet::from([text.clone()])),
        Constant::List(values) => {
            let texts: Option<BTreeSet<String>> = values
                .iter()
                .map(|value| match value {
                    Constant::Text(text) => Some(text.clone()),
                    _ => None,
                })
                .collect();
            let first = values.first().map_or(Type::Null, constant_shape);
            Type::List(Box::new(
                texts
                    .filter(|texts| !texts.is_empty())
                    .map_or(first, Type::OneOf),
            ))
        }
        Constant::Map(values) => Type::Map(
            values
                .iter()
                .map(|(key, value)| (key.clone(), constant_shape(value)))
                .collect(),
        ),
        Constant::Other(_) => Type::Any,
    }
}
