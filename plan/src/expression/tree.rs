//! Parsed expressions as bytes: CEL's tree in CBOR, so that a phone needs no parser.
//!
//! A literal is the CBOR value itself: null, true, false, an integer or a text. Every other node is an
//! array that begins with its number:
//!
//! | node | |
//! |---|---|
//! | `[0, name]` | a name |
//! | `[1, of, field]` | a field of something |
//! | `[2, of, field]` | whether it has the field |
//! | `[3, function, argument, …]` | a call; the function is a number of [`OPERATORS`], or a text |
//! | `[4, function, target, argument, …]` | a call as a method |
//! | `[5, item, …]` | a list |
//! | `[6, key, value, key, value, …]` | a map |
//! | `[7, range, name, second name or null, result's name, its start, condition, step, result]` | a loop |
//!
//! An expression with any other node is one of a newer plan, which has no answer here. What was read
//! evaluates as what was parsed: nodes differ in the ids that the parser gives them, which only its
//! messages use.

#[cfg(feature = "load")]
use std::collections::{BTreeMap, BTreeSet};

use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedEntryExpr, ListExpr, LiteralValue,
    MapEntryExpr, MapExpr, SelectExpr, operators,
};
use cel::common::types::{CelBool, CelInt, CelString};
use cel::parser::Expression;
use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::data::Type;
use minicbor::decode::{Decoder, Error};
#[cfg(any(feature = "load", test))]
use minicbor::encode::{self, Encoder, Write};

use minicbor::{Decode, Encode};
use sha2::{Digest, Sha256};

use super::programs::DEPTH_MAX;
#[cfg(feature = "load")]
use super::programs::{is_name, parse};
use crate::package::Package;

/// Most bytes of a tree: the longest expression has 2,000 characters, and no character more than a
/// few nodes.
pub(super) const TREE_BYTES_MAX: usize = 1 << 14;

/// The functions that travel as their place here; new ones at the end.
const OPERATORS: [&str; 27] = [
    operators::CONDITIONAL,
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::SUBSTRACT,
    operators::ADD,
    operators::MULTIPLY,
    operators::DIVIDE,
    operators::MODULO,
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::GREATER_EQUALS,
    operators::LESS_EQUALS,
    operators::GREATER,
    operators::LESS,
    operators::NEGATE,
    operators::INDEX,
    operators::NOT_STRICTLY_FALSE,
    operators::IN,
    "age",
    "ago",
    "ahead",
    "held",
    "last",
    "newest",
    "reached",
    "within",
];

/// Bytes that an expression's source is known by.
const SOURCE_HASH_BYTES: usize = 8;

/// An expression of a package, parsed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Parsed {
    /// The beginning of the SHA-256 of its source: a tree belongs to one text, and is never taken for
    /// that of another.
    #[n(0)]
    source: ByteArray<SOURCE_HASH_BYTES>,
    /// Its tree. One of a newer plan is kept as it is.
    #[n(1)]
    tree: ByteVec,
}

impl Package {
    /// The tree of an expression, if the package has one.
    pub(super) fn tree_of(&self, source: &str) -> Option<&[u8]> {
        let source = hash_of(source);
        // The loader writes them in this order; what stands elsewhere is not found.
        let at = self
            .expressions
            .binary_search_by(|parsed| parsed.source.cmp(&source));
        let found = self.expressions.get(at.ok()?)?;
        Some(&found.tree)
    }

    /// Writes the trees of all its expressions into the package, or says which of them has none and
    /// why.
    #[cfg(feature = "load")]
    pub(crate) fn parse_expressions(&mut self) -> Result<(), (String, String)> {
        let sources: BTreeSet<String> = self.sources().map(str::to_owned).collect();
        let mut parsed = BTreeMap::new();
        for source in sources.into_iter().filter(|source| !is_name(source)) {
            let tree = parse(&source).and_then(|tree| write(&tree));
            let tree = tree.map_err(|why| (source.clone(), why))?;
            if parsed.insert(hash_of(&source), tree).is_some() {
                return Err((source, "another expression has the same hash".to_owned()));
            }
        }
        let parsed = parsed.into_iter();
        self.expressions = parsed
            .map(|(source, tree)| Parsed {
                source,
                tree: tree.into(),
            })
            .collect();
        Ok(())
    }
}

#[cfg(all(test, feature = "load"))]
impl Package {
    /// Puts other bytes in place of an expression's tree.
    pub(crate) fn set_tree(&mut self, source: &str, tree: &[u8]) {
        let source = hash_of(source);
        let mut parsed = self.expressions.iter_mut();
        let found = parsed.find(|parsed| parsed.source == source);
        found.expect("the expression").tree = tree.to_vec().into();
    }
}

fn hash_of(source: &str) -> ByteArray<SOURCE_HASH_BYTES> {
    let hash = Sha256::digest(source);
    let mut begin = [0; SOURCE_HASH_BYTES];
    begin.copy_from_slice(&hash[..SOURCE_HASH_BYTES]);
    begin.into()
}

const NAME: u32 = 0;
const FIELD: u32 = 1;
const HAS: u32 = 2;
const CALL: u32 = 3;
const METHOD: u32 = 4;
const LIST: u32 = 5;
const MAP: u32 = 6;
const LOOP: u32 = 7;

/// The tree as bytes; an expression that has a node without a number here is an error.
#[cfg(any(feature = "load", test))]
pub(super) fn write(expression: &Expression) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let written = node(&mut Encoder::new(&mut bytes), expression);
    written.map_err(|error| error.to_string())?;
    match bytes.len() {
        0..=TREE_BYTES_MAX => Ok(bytes),
        _ => Err(format!("its tree has more than {TREE_BYTES_MAX} bytes")),
    }
}

/// The tree that was written, or why it can't be read.
pub(super) fn read(bytes: &[u8]) -> Result<Expression, String> {
    if bytes.len() > TREE_BYTES_MAX {
        return Err(format!("its tree has more than {TREE_BYTES_MAX} bytes"));
    }
    let mut decoder = Decoder::new(bytes);
    let tree = Reader {
        decoder: &mut decoder,
    }
    .node(0);
    let tree = tree.map_err(|error| error.to_string())?;
    match decoder.position() == bytes.len() {
        true => Ok(tree),
        false => Err("its tree is followed by something".to_owned()),
    }
}

#[cfg(any(feature = "load", test))]
type Written<W> = Result<(), encode::Error<<W as Write>::Error>>;

#[cfg(any(feature = "load", test))]
fn node<W: Write>(encoder: &mut Encoder<W>, expression: &Expression) -> Written<W> {
    let unknown = |what: &str| Err(encode::Error::message(format!("it has {what}")));
    match &expression.expr {
        Expr::Literal(literal) => match literal {
            LiteralValue::Null => encoder.null()?.ok(),
            LiteralValue::Boolean(value) => encoder.bool(*value.inner())?.ok(),
            LiteralValue::Int(value) => encoder.i64(*value.inner())?.ok(),
            LiteralValue::String(text) => encoder.str(text.inner())?.ok(),
            LiteralValue::Bytes(_) | LiteralValue::Double(_) | LiteralValue::UInt(_) => {
                unknown("a literal that is no whole number, text, true, false or null")
            }
        },
        Expr::Ident(name) => encoder.array(2)?.u32(NAME)?.str(name)?.ok(),
        Expr::Select(select) => {
            let number = if select.test { HAS } else { FIELD };
            encoder.array(3)?.u32(number)?;
            node(encoder, &select.operand)?;
            encoder.str(&select.field)?.ok()
        }
        Expr::Call(call) => {
            let number = if call.target.is_some() { METHOD } else { CALL };
            let parts = call.target.iter().map(AsRef::as_ref).chain(&call.args);
            encoder.array(2 + length(parts.clone()))?.u32(number)?;
            match (0u32..)
                .zip(OPERATORS)
                .find(|(_, known)| *known == call.func_name)
            {
                Some((at, _)) => encoder.u32(at)?.ok()?,
                None => encoder.str(&call.func_name)?.ok()?,
            }
            nodes(encoder, parts)
        }
        Expr::List(list) if list.optional_indices.is_empty() => {
            encoder.array(1 + length(&list.elements))?.u32(LIST)?;
            nodes(encoder, &list.elements)
        }
        Expr::Map(map) => {
            encoder.array(1 + 2 * length(&map.entries))?.u32(MAP)?;
            map.entries.iter().try_for_each(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) if !entry.optional => {
                    nodes(encoder, [&entry.key, &entry.value])
                }
                _ => unknown("a map with something else than keys and values"),
            })
        }
        Expr::Comprehension(each) => {
            encoder.array(9)?.u32(LOOP)?;
            node(encoder, &each.iter_range)?;
            encoder.str(&each.iter_var)?;
            encoder.encode(&each.iter_var2)?.str(&each.accu_var)?;
            let step = [
                &each.accu_init,
                &each.loop_cond,
                &each.loop_step,
                &each.result,
            ];
            nodes(encoder, step)
        }
        Expr::List(_) | Expr::Struct(_) | Expr::Unspecified => {
            unknown("a struct, an optional item or nothing")
        }
    }
}

#[cfg(any(feature = "load", test))]
fn nodes<'e, W: Write>(
    encoder: &mut Encoder<W>,
    nodes: impl IntoIterator<Item = &'e Expression>,
) -> Written<W> {
    nodes.into_iter().try_for_each(|each| node(encoder, each))
}

#[cfg(any(feature = "load", test))]
fn length<T>(items: impl IntoIterator<Item = T>) -> u64 {
    items.into_iter().map(|_| 1).sum()
}

struct Reader<'d, 'b> {
    decoder: &'d mut Decoder<'b>,
}

impl Reader<'_, '_> {
    fn node(&mut self, depth: usize) -> Result<Expression, Error> {
        if depth > DEPTH_MAX {
            return Err(Error::message("it is nested too deeply"));
        }
        let literal = match self.decoder.datatype()? {
            Type::Array => {
                let expr = self.inner(depth + 1)?;
                return Ok(Expression { id: 0, expr });
            }
            Type::Null => {
                self.decoder.null()?;
                LiteralValue::Null
            }
            Type::Bool => LiteralValue::Boolean(CelBool::from(self.decoder.bool()?)),
            Type::String => LiteralValue::String(CelString::from(self.text()?)),
            _ => LiteralValue::Int(CelInt::from(self.decoder.i64()?)),
        };
        let expr = Expr::Literal(literal);
        Ok(Expression { id: 0, expr })
    }

    fn inner(&mut self, depth: usize) -> Result<Expr, Error> {
        let unknown = || Error::message("it has a node of a newer plan");
        let left = self.decoder.array()?.ok_or_else(unknown)?;
        let number = self.decoder.u32()?;
        Ok(match (number, left) {
            (NAME, 2) => Expr::Ident(self.text()?),
            (FIELD | HAS, 3) => Expr::Select(SelectExpr {
                operand: Box::new(self.node(depth)?),
                field: self.text()?,
                test: number == HAS,
            }),
            (CALL, 2..) => Expr::Call(CallExpr {
                func_name: self.function()?,
                target: None,
                args: self.nodes(left - 2, depth)?,
            }),
            (METHOD, 3..) => Expr::Call(CallExpr {
                func_name: self.function()?,
                target: Some(Box::new(self.node(depth)?)),
                args: self.nodes(left - 3, depth)?,
            }),
            (LIST, 1..) => Expr::List(ListExpr::new(self.nodes(left - 1, depth)?)),
            (MAP, 1..) if left % 2 == 1 => {
                let entries = (0..left / 2).map(|_| self.entry(depth));
                Expr::Map(MapExpr {
                    entries: entries.collect::<Result<_, _>>()?,
                })
            }
            (LOOP, 9) => Expr::Comprehension(Box::new(ComprehensionExpr {
                iter_range: self.node(depth)?,
                iter_var: self.text()?,
                iter_var2: self.decoder.decode()?,
                accu_var: self.text()?,
                accu_init: self.node(depth)?,
                loop_cond: self.node(depth)?,
                loop_step: self.node(depth)?,
                result: self.node(depth)?,
            })),
            _ => return Err(unknown()),
        })
    }

    fn entry(&mut self, depth: usize) -> Result<IdedEntryExpr, Error> {
        let entry = MapEntryExpr {
            key: self.node(depth)?,
            value: self.node(depth)?,
            optional: false,
        };
        let expr = EntryExpr::MapEntry(entry);
        Ok(IdedEntryExpr { id: 0, expr })
    }

    fn nodes(&mut self, count: u64, depth: usize) -> Result<Vec<Expression>, Error> {
        (0..count).map(|_| self.node(depth)).collect()
    }

    fn text(&mut self) -> Result<String, Error> {
        self.decoder.str().map(str::to_owned)
    }

    fn function(&mut self) -> Result<String, Error> {
        if self.decoder.datatype()? == Type::String {
            return self.text();
        }
        let at = usize::try_from(self.decoder.u32()?).unwrap_or(usize::MAX);
        let known = OPERATORS.get(at).map(|name| (*name).to_owned());
        known.ok_or_else(|| Error::message("it has an operator of a newer plan"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::programs::parse;
    use super::*;

    fn tree(source: &str) -> Vec<u8> {
        parse(source).and_then(|tree| write(&tree)).expect("a tree")
    }

    /// The expression with the ids that reading gives.
    fn without_ids(source: &str) -> Expression {
        fn forget(node: &mut Expression) {
            node.id = 0;
            match &mut node.expr {
                Expr::Call(call) => {
                    call.args.iter_mut().for_each(forget);
                    call.target.iter_mut().for_each(|target| forget(target));
                }
                Expr::List(list) => list.elements.iter_mut().for_each(forget),
                Expr::Select(select) => forget(&mut select.operand),
                Expr::Map(map) => {
                    for entry in &mut map.entries {
                        entry.id = 0;
                        if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                            forget(&mut entry.key);
                            forget(&mut entry.value);
                        }
                    }
                }
                Expr::Comprehension(each) => {
                    forget(&mut each.iter_range);
                    forget(&mut each.accu_init);
                    forget(&mut each.loop_cond);
                    forget(&mut each.loop_step);
                    forget(&mut each.result);
                }
                Expr::Ident(_) | Expr::Literal(_) | Expr::Struct(_) | Expr::Unspecified => {}
            }
        }
        let mut parsed = parse(source).expect("it parses");
        forget(&mut parsed);
        parsed
    }

    #[test]
    fn what_was_written_is_read_as_what_was_parsed() {
        for source in [
            "null",
            "true && !false || 1 <= -2",
            "identity.sex == '2' ? [1, 2][0] : {'a': 3}['a']",
            "has(identity.sex)",
            "visit.exists(v, v.needs.all(n, n in ['01']))",
            "visit.filter(v, within(v.day, 6, as_of)).map(v, v.day).size() > 9223372036854775807",
            "identity.name.startsWith('其') && size(identity.name) % 2 == 0",
            "settings[identity.sex] - 1 * 2 / 3 + 4 != 5",
            "visit.exists_one(v, v.day > as_of) || visit.map(v, v.day != null, v.day) == []",
        ] {
            assert_eq!(read(&tree(source)), Ok(without_ids(source)), "{source}");
        }
    }

    #[test]
    fn an_expression_without_a_number_for_each_node_is_not_written() {
        for source in ["1.5 > x", "1u", "b'a'", "Message{a: 1}"] {
            let written = parse(source).and_then(|tree| write(&tree));
            assert!(written.is_err(), "{source}: {written:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_tree_are_refused_and_never_a_panic() {
        let whole = tree("visit.exists(v, v.day > as_of && v.needs.size() > 2)");
        for end in 0..whole.len() {
            assert!(read(&whole[..end]).is_err(), "the first {end} bytes");
        }
        let mut more = whole.clone();
        more.push(0);
        assert!(read(&more).is_err());
        for at in 0..whole.len() {
            for byte in [0x00, 0x1b, 0x82, 0x9b, 0x9f, 0xbf, 0xff] {
                let mut broken = whole.clone();
                broken[at] = byte;
                if let Ok(tree) = read(&broken) {
                    assert!(write(&tree).is_ok(), "{byte:x} at {at}");
                }
            }
        }
        // An unknown node, an unknown operator, a name without its text, a loop that is cut short.
        for bytes in [
            &[0x82, 0x08, 0x00][..],
            &[0x82, 0x03, 0x18, 0xff],
            &[0x81, 0x00],
            &[0x82, 0x07, 0x00],
            &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x05],
        ] {
            assert!(read(bytes).is_err(), "{bytes:x?}");
        }
    }

    #[test]
    fn a_tree_is_bounded_in_depth_and_size() {
        // Lists inside each other: [5, [5, …]].
        let nested = |depth: usize| [[0x82, 0x05].repeat(depth), vec![0x00]].concat();
        assert!(read(&nested(DEPTH_MAX)).is_ok());
        assert!(read(&nested(DEPTH_MAX + 1)).is_err());
        assert!(read(&nested(TREE_BYTES_MAX)).is_err());
        let long = format!("[{}]", "1, ".repeat(600));
        assert!(read(&tree(&long)).is_ok());
    }

    #[cfg(feature = "load")]
    #[test]
    fn a_tree_is_never_taken_for_that_of_another_source() {
        let mut package = crate::Package::builtin();
        let source = package
            .status("person", "woman")
            .expect("the status")
            .is
            .clone();
        package.set_tree(&source, &tree("true"));
        let mut other = package.computed[0].clone();
        other.is = format!("{source} ");
        assert!(package.tree_of(&source).is_some());
        assert_eq!(package.tree_of(&other.is), None);
    }
}
