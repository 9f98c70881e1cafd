//! Compiled expressions and patterns, kept by their source text.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use cel::common::ast::{EntryExpr, Expr};
use cel::parser::Expression;
use regex_lite::{Regex, RegexBuilder};

use super::dependencies::Named;
use super::tree;
use crate::package::Package;

/// Most programs and most patterns that are kept. The plan has a few hundred expressions; when the
/// number is reached, all are dropped and compiled again as they are needed.
const PROGRAMS_MAX: usize = 2_048;

/// Most bytes of a compiled pattern.
const PATTERN_BYTES_MAX: usize = 1 << 18;

/// Most levels of an expression. Evaluation recurses, and phones have small stacks.
pub(super) const DEPTH_MAX: usize = 64;

/// Most loops inside each other. Together with the items of a section this bounds what an
/// expression can cost, since CEL has no budget.
const LOOPS_MAX: usize = 2;

/// Words that CEL keeps for itself.
pub(crate) const CEL_WORDS: [&str; 21] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

/// A compiled expression.
pub(crate) struct Program {
    pub(super) expression: Expression,
    /// The identifiers in it, ascending; also those that a loop declares.
    #[cfg(feature = "load")]
    names: Vec<String>,
    /// What it names, for [`Package::reads_parts`](crate::Package::reads_parts).
    pub(super) named: Named,
}

/// Compiled expressions and patterns by source text, shared by the clones of a package.
#[derive(Clone, Default)]
pub(crate) struct Programs(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    programs: HashMap<String, Arc<Program>>,
    /// None for a pattern that is no regular expression.
    patterns: HashMap<String, Option<Regex>>,
}

impl Package {
    /// The program for this source, or why there is none: of the tree in the package, or of a name
    /// alone; what is neither needs the loader's parser.
    pub(crate) fn compile(&self, source: &str) -> Result<Arc<Program>, String> {
        let programs = &self.programs;
        if let Some(program) = programs.lock().programs.get(source) {
            return Ok(Arc::clone(program));
        }
        // Not under the lock: compiling takes far longer than evaluating.
        let expression = match self.tree_of(source) {
            Some(tree) => tree::read(tree)?,
            None => match is_name(source) {
                true => name(source),
                false => parse(source)?,
            },
        };
        let program = Arc::new(Program::new(expression)?);
        let programs = &mut programs.lock().programs;
        if programs.len() >= PROGRAMS_MAX {
            programs.clear();
        }
        programs.insert(source.to_owned(), Arc::clone(&program));
        Ok(program)
    }

    /// The identifiers in an expression, as far as it compiles.
    #[cfg(feature = "load")]
    pub(crate) fn names(&self, source: &str) -> Option<Vec<String>> {
        let program = self.compile(source).ok()?;
        Some(program.names.clone())
    }
}

impl Programs {
    /// Whether the pattern matches the whole text; one that is no regular expression matches
    /// everything.
    pub(crate) fn pattern_matches(&self, pattern: &str, text: &str) -> bool {
        let patterns = &mut self.lock().patterns;
        if patterns.len() >= PROGRAMS_MAX {
            patterns.clear();
        }
        if !patterns.contains_key(pattern) {
            patterns.insert(pattern.to_owned(), whole(pattern).ok());
        }
        let regex = patterns.get(pattern).and_then(Option::as_ref);
        regex.is_none_or(|regex| regex.is_match(text))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        // Maps of finished programs are whole at any time, whoever panicked while holding them.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Programs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Programs")
    }
}

/// What was compiled so far makes no difference to a package.
impl PartialEq for Programs {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// The pattern as a regular expression over a whole text. Of Unicode's classes (`\p{Han}`) there are
/// none: their tables would be a tenth of the app in a browser.
pub(crate) fn whole(pattern: &str) -> Result<Regex, regex_lite::Error> {
    // The pattern is parsed alone first: `a)(?:b` must not close our group.
    RegexBuilder::new(pattern)
        .size_limit(PATTERN_BYTES_MAX)
        .build()?;
    RegexBuilder::new(&format!(r"\A(?:{pattern})\z"))
        .size_limit(PATTERN_BYTES_MAX)
        .build()
}

impl Program {
    fn new(expression: Expression) -> Result<Self, String> {
        bounded(&expression, 0, 0)?;
        Ok(Self {
            #[cfg(feature = "load")]
            names: names_of(&expression),
            named: Named::of(&expression),
            expression,
        })
    }
}

/// Whether the source is the name of a status or section alone, which needs no parser.
pub(super) fn is_name(source: &str) -> bool {
    let good = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
    let first = source.bytes().next();
    first.is_some_and(|first| first.is_ascii_lowercase())
        && source.bytes().all(good)
        && !CEL_WORDS.contains(&source)
}

fn name(source: &str) -> Expression {
    let expr = Expr::Ident(source.to_owned());
    Expression { id: 0, expr }
}

/// The tree of a source. A phone is built without the parser.
#[cfg(any(feature = "load", test))]
pub(super) fn parse(source: &str) -> Result<Expression, String> {
    if source.chars().nth(super::SOURCE_CHARS_MAX).is_some() {
        let most = super::SOURCE_CHARS_MAX;
        return Err(format!("it is longer than {most} characters"));
    }
    let program = super::functions::env().compile(source);
    let program = program.map_err(|errors| errors.to_string())?;
    Ok(program.expression().clone())
}

#[cfg(not(any(feature = "load", test)))]
fn parse(_: &str) -> Result<Expression, String> {
    Err("the package has no tree of it".to_owned())
}

#[cfg(feature = "load")]
fn names_of(expression: &Expression) -> Vec<String> {
    let references = expression.references();
    let names = references.variables().into_iter().map(str::to_owned);
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// Refuses expressions that are nested too deeply. It recurses no deeper than it allows.
fn bounded(expression: &Expression, depth: usize, loops: usize) -> Result<(), String> {
    if depth > DEPTH_MAX {
        return Err(format!("it has more than {DEPTH_MAX} levels"));
    }
    if loops > LOOPS_MAX {
        return Err(format!(
            "it has more than {LOOPS_MAX} loops inside each other"
        ));
    }
    let inside = |expression: &Expression| bounded(expression, depth + 1, loops);
    match &expression.expr {
        Expr::Unspecified => Err("it is empty".to_owned()),
        Expr::Ident(_) | Expr::Literal(_) => Ok(()),
        Expr::Call(call) => call
            .target
            .iter()
            .map(AsRef::as_ref)
            .chain(&call.args)
            .try_for_each(inside),
        Expr::List(list) => list.elements.iter().try_for_each(inside),
        Expr::Select(select) => inside(&select.operand),
        Expr::Comprehension(each) => {
            inside(&each.iter_range)?;
            let step = [
                &each.accu_init,
                &each.loop_cond,
                &each.loop_step,
                &each.result,
            ];
            step.into_iter()
                .try_for_each(|part| bounded(part, depth + 1, loops + 1))
        }
        Expr::Map(map) => map.entries.iter().try_for_each(|entry| match &entry.expr {
            EntryExpr::StructField(field) => inside(&field.value),
            EntryExpr::MapEntry(entry) => inside(&entry.key).and_then(|()| inside(&entry.value)),
        }),
        Expr::Struct(_) => Err("it makes a struct".to_owned()),
    }
}
