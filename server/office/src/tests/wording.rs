//! Completeness of the texts that a page may show, in both languages.

use std::collections::BTreeSet;
use std::path::Path;

use words::{Language, Words};

/// The texts of all files below a directory of this crate, but for its tests.
fn texts(dir: &str) -> Vec<String> {
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(dir)];
    let mut texts = Vec::new();
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true if path.ends_with("tests") => {}
                true => open.push(path),
                false => texts.push(std::fs::read_to_string(path).unwrap()),
            }
        }
    }
    texts
}

/// What stands in quotes after any of these.
fn quoted<'a>(text: &'a str, before: &[&str]) -> BTreeSet<&'a str> {
    let parts = before.iter().flat_map(|before| text.split(*before).skip(1));
    parts.filter_map(|part| part.split('"').next()).collect()
}

#[test]
fn every_text_that_a_page_names_is_written_in_both_languages_and_no_other() {
    let mut named = BTreeSet::new();
    let pages = texts("templates");
    let code = texts("src");
    for text in pages.iter().chain(&code) {
        let said = quoted(
            text,
            &[
                "say(\"",
                "say_with(\"",
                "page(\"",
                "say_with(\n            \"",
            ],
        );
        named.extend(said.into_iter().map(|name| format!("console-{name}")));
        named.extend(
            quoted(text, &["\"console-"])
                .into_iter()
                .map(|name| format!("console-{name}")),
        );
    }
    // Some names are put together, and paths look like names.
    let whole = |name: &String| {
        name.chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    let named: BTreeSet<String> = named
        .into_iter()
        .filter(whole)
        .filter(|name| !name.ends_with('-'))
        .collect();
    assert!(named.len() > 80, "{}", named.len());
    for language in [Language::Chinese, Language::English] {
        let words = Words::new(language);
        for name in &named {
            assert!(words.knows(name), "{language:?}: {name}");
        }
        for indicator in &plan::Package::builtin().indicators {
            let name = format!("console-domain-{}", indicator.domain);
            assert!(words.knows(&name), "{language:?}: {name}");
        }
    }
    let chinese = include_str!("../../../../words/zh.ftl");
    let written = chinese
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name);
    for name in written.filter(|name| name.starts_with("console-")) {
        let made = ["console-domain-", "console-trouble-", "console-part-"];
        let put_together = made.iter().any(|start| name.starts_with(start));
        assert!(put_together || named.contains(name), "nobody says {name}");
    }
}

#[test]
fn no_template_has_a_script_a_style_or_a_filter_that_lets_markup_through() {
    for page in texts("templates") {
        let page = page.to_lowercase().replace(' ', "");
        for banned in [
            "<script",
            "style=",
            "<style",
            "|safe",
            "autoescape",
            "|escape(",
        ] {
            assert!(!page.contains(banned), "{banned}: {page}");
        }
    }
}
