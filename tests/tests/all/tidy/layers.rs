//! Layers within a crate: the modules of its root import each other one way. A module and everything
//! below it are one family, in which imports may go round.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{read, root};

/// The sources of crates whose modules stand in layers.
const LAYERED: &[&str] = &[
    "sync-core/src",
    "words/src",
    "bench/src",
    "server/store/src",
    "server/recount/src",
    "server/node/src",
    "server/office/src",
    "server/src",
];

/// What each family imports of the others.
type Imports = BTreeMap<String, BTreeSet<String>>;

#[test]
fn no_import_loop_is_wider_than_a_module_and_its_children() {
    for dir in LAYERED {
        let files = super::files(dir, ".rs").into_iter();
        let files = files.filter_map(|path| {
            let below = path.strip_prefix(root().join(dir)).ok()?;
            Some((module(below)?, code(&read(&path))))
        });
        let loops = loops(imports(files.collect()));
        assert!(loops.is_empty(), "{dir}: {loops:#?}");
    }
}

#[test]
fn a_loop_of_modules_is_found_whichever_way_it_is_written() {
    let file = |path: &str, text: &str| (module(Path::new(path)).unwrap(), code(text));
    let files = vec![
        file("a.rs", "use crate::{c::Thing, b::{self, Other}};"),
        file(
            "b/below.rs",
            "use super::super::{c, d};\nmod tests {}\n// crate::a",
        ),
        file("c.rs", "fn of() -> crate::a::Thing { super::d::thing() }"),
        file("d.rs", "use self::below::Thing;"),
        file("e.rs", "use crate::a;"),
    ];
    let mut found = imports(files);
    assert_eq!(found["b"], BTreeSet::from(["c", "d"].map(str::to_owned)));
    let names = |loops: Imports| loops.into_keys().collect::<Vec<_>>();
    assert_eq!(names(loops(found.clone())), ["a", "b", "c"]);
    found.insert("c".to_owned(), BTreeSet::new());
    assert_eq!(names(loops(found)), [""; 0]);
}

/// The path of the module that a file is; `None` for the root, for tests and for programs.
fn module(below: &Path) -> Option<Vec<String>> {
    let path = below.with_extension("");
    let mut parts: Vec<String> = path
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    parts.pop_if(|last| last == "mod");
    let first = parts.first()?;
    let apart = ["lib", "main", "bin"].contains(&first.as_str());
    (!apart && parts.iter().all(|part| part != "tests")).then_some(parts)
}

/// A file's text without comments and without its tests.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests").next();
    let lines = text.unwrap_or_default().lines();
    lines
        .filter_map(|line| line.split("//").next())
        .collect::<Vec<_>>()
        .join("\n")
}

fn imports(files: Vec<(Vec<String>, String)>) -> Imports {
    let family = |(module, _): &(Vec<String>, String)| module.first().cloned();
    let families: BTreeSet<String> = files.iter().filter_map(family).collect();
    let mut imports = Imports::new();
    for (module, code) in files {
        let Some(own) = module.first() else { continue };
        let named = imports.entry(own.clone()).or_default();
        let up = "super::".repeat(module.len());
        for start in ["crate::", up.as_str()] {
            // The root's modules, by name or in braces.
            for rest in code.split(start).skip(1) {
                named.extend(first_names(rest).filter(|name| families.contains(name)));
            }
        }
        named.remove(own);
    }
    imports
}

/// The name that a path goes on with, or of a list in braces those that its paths begin with.
fn first_names(rest: &str) -> impl Iterator<Item = String> {
    let mut depth = 0;
    let list = rest.starts_with('{');
    let end = rest.find(|c: char| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        depth == 0 && (list || !(c.is_alphanumeric() || c == '_'))
    });
    let mut depth = 0;
    let begins = move |c: char| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        depth <= 1 && matches!(c, ',' | '{' | '}')
    };
    let parts = rest[..end.unwrap_or(rest.len())].split(begins);
    let name = |part: &str| {
        part.trim()
            .split("::")
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    parts.map(name).collect::<Vec<_>>().into_iter()
}

/// What is left of the imports without the modules that stand below or above all loops.
fn loops(mut imports: Imports) -> Imports {
    loop {
        let left: BTreeSet<String> = imports.keys().cloned().collect();
        imports
            .values_mut()
            .for_each(|named| named.retain(|name| left.contains(name)));
        let imported: BTreeSet<String> = imports.values().flatten().cloned().collect();
        imports.retain(|name, named| !named.is_empty() && imported.contains(name));
        if imports.len() == left.len() {
            return imports;
        }
    }
}
