//! The "never" of each crate, held over the tree itself (ARCHITECTURE.md).

mod layers;
mod server;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file below a directory of the repository with this ending.
fn files(dir: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join(dir)];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                open.push(path);
            } else if name.ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no {ending} below {dir}");
    found
}

/// The names of one table of a manifest, such as `dependencies`.
fn table(manifest: &str, name: &str) -> BTreeSet<String> {
    let heading = format!("[{name}]");
    manifest
        .lines()
        .skip_while(|line| line.trim() != heading)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .filter_map(|line| line.split(['=', '.', ' ']).next().map(str::to_owned))
        .collect()
}

fn dependencies(of: &str) -> BTreeSet<String> {
    table(&read(&root().join(of).join("Cargo.toml")), "dependencies")
}

/// The crates of this workspace and which of each other they may use: one chain.
const CHAIN: [(&str, &[&str]); 17] = [
    ("plan", &[]),
    ("words", &[]),
    ("sync-core", &["plan"]),
    ("phone", &["plan", "sync-core"]),
    ("client", &["phone", "sync-core"]),
    ("cli", &["client", "sync-core", "words"]),
    ("mobile-ffi", &["client", "plan", "sync-core", "words"]),
    ("mobile-ffi/bindgen", &[]),
    ("sample", &["plan", "sync-core"]),
    ("server/store", &["sync-core"]),
    // The second count: it reaches nothing that counts.
    ("server/recount", &["plan", "store", "sync-core"]),
    (
        "server/node",
        &["plan", "recount", "store", "sync-core", "words"],
    ),
    (
        "server/office",
        &["node", "plan", "store", "sync-core", "words"],
    ),
    (
        "server",
        &["node", "office", "plan", "sample", "sync-core", "words"],
    ),
    // Meets the programs as processes, and takes made-up people's numbers.
    ("harness", &["sample"]),
    // Above all of them: the simulator runs the real server and the real stores.
    (
        "tests",
        &[
            "client",
            "harness",
            "ortoo-server",
            "phone",
            "plan",
            "sample",
            "sync-core",
        ],
    ),
    ("xtask", &[]),
];

#[test]
fn crates_depend_one_way_towards_the_core() {
    let ours: BTreeSet<String> = [
        "plan",
        "words",
        "sync-core",
        "phone",
        "client",
        "mobile-ffi",
        "sample",
        "harness",
        "store",
        "recount",
        "node",
        "office",
        "ortoo-server",
        "ortoo-field",
        "ortoo-tests",
    ]
    .map(str::to_owned)
    .into();
    for (name, allowed) in CHAIN {
        let used: BTreeSet<String> = dependencies(name).intersection(&ours).cloned().collect();
        let allowed: BTreeSet<String> = allowed.iter().map(|name| (*name).to_owned()).collect();
        assert!(
            used.is_subset(&allowed),
            "{name} uses {used:?}, may use {allowed:?}"
        );
    }
}

#[test]
fn no_type_of_the_merge_engine_or_of_the_plan_stands_in_what_apps_see() {
    let used = dependencies("mobile-ffi");
    for banned in ["automerge", "rusqlite", "reqwest", "tokio", "minicbor"] {
        assert!(!used.contains(banned), "mobile-ffi depends on {banned}");
    }
    // What is exported is this crate's own: its field types name nothing of the crates below.
    for path in files("mobile-ffi/src", ".rs") {
        let source = read(&path);
        let fields = source
            .lines()
            .map(str::trim)
            .filter(|line| line.starts_with("pub ") && line.ends_with(',') && line.contains(": "));
        for field in fields {
            for below in ["client::", "phone::", "sync_core::", "::plan::"] {
                assert!(!field.contains(below), "{}: {field}", path.display());
            }
        }
    }
}

#[test]
fn core_plan_and_phone_know_no_runtime_database_network_file_or_randomness() {
    let never = [
        "tokio",
        "sqlx",
        "rusqlite",
        "reqwest",
        "axum",
        "rustls",
        "getrandom",
        "rand",
        "time",
        "chrono",
        "tempfile",
    ];
    for name in ["plan", "sync-core", "phone"] {
        let used = dependencies(name);
        for banned in never {
            assert!(!used.contains(banned), "{name} depends on {banned}");
        }
    }
    for dir in ["sync-core/src", "phone/src"] {
        for (path, text) in sources_without(dir, &[]) {
            for banned in ["std::fs", "std::net", "std::thread", "std::env", "async fn"] {
                assert!(!text.contains(banned), "{}: {banned}", path.display());
            }
        }
    }
}

#[test]
fn every_dependency_has_its_version_once_and_a_word_on_what_it_is_for() {
    let manifest = read(&root().join("Cargo.toml"));
    let lines = manifest
        .lines()
        .skip_while(|line| *line != "[workspace.dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| line.contains('=') && !line.starts_with('#'));
    for line in lines.filter(|line| !line.contains("path =")) {
        assert!(line.contains(" # "), "say what it is for: {line}");
    }
    for path in files(".", "Cargo.toml") {
        let manifest = read(&path);
        if manifest.contains("[workspace]") {
            continue;
        }
        for kind in ["dependencies", "dev-dependencies"] {
            for name in table(&manifest, kind) {
                let inherited = manifest
                    .lines()
                    .any(|line| line.starts_with(name.as_str()) && line.contains("workspace"));
                assert!(
                    inherited,
                    "{}: {name} has a version of its own",
                    path.display()
                );
            }
        }
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{}: lints",
            path.display()
        );
    }
}

/// Every source file of a crate but those named, with its text up to its tests.
fn sources_without(dir: &str, allowed: &[&str]) -> Vec<(PathBuf, String)> {
    files(dir, ".rs")
        .into_iter()
        .filter(|path| !allowed.iter().any(|allowed| path.ends_with(allowed)))
        .filter(|path| !path.ends_with("tests.rs"))
        .filter(|path| !path.to_string_lossy().contains("/src/tests/"))
        .map(|path| {
            let text = read(&path);
            let code = text
                .split("#[cfg(test)]\nmod tests {")
                .next()
                .unwrap_or_default()
                .to_owned();
            (path, code)
        })
        .collect()
}

#[test]
fn the_apps_of_the_guide_stand_in_it_word_for_word() {
    let guide = read(&root().join("docs/native-apps.md"));
    for app in [
        "mobile-ffi/kotlin/src/test/kotlin/guide/GuideApp.kt",
        "mobile-ffi/swift/Example/GuideApp.swift",
    ] {
        let app = root().join(app);
        assert!(guide.contains(&read(&app)), "{} differs", app.display());
    }
}

/// The words that `::` follows.
fn paths(code: &str) -> impl Iterator<Item = &str> {
    let words = code.split("::");
    words.filter_map(|text| {
        text.rsplit(|c: char| !c.is_alphanumeric() && c != '_')
            .next()
    })
}

#[test]
fn automerge_is_touched_in_one_file_cel_in_one_module_and_sql_in_the_stores() {
    for (path, text) in sources_without("sync-core/src", &["document.rs"]) {
        assert!(
            !text.contains("automerge::"),
            "{} touches Automerge",
            path.display()
        );
    }
    for dir in [
        "plan/src",
        "sync-core/src",
        "phone/src",
        "client/src",
        "server",
    ] {
        for (path, text) in sources_without(dir, &[]) {
            let expression = path.to_string_lossy().contains("plan/src/expression");
            assert!(
                expression || !paths(&text).any(|path| path == "cel"),
                "{} touches CEL",
                path.display()
            );
        }
    }
    let engine = ["server/store/src/engine.rs", "server/store/src/schema.rs"];
    for path in files("server", ".rs") {
        let allowed = engine.iter().any(|allowed| path.ends_with(allowed));
        assert!(
            allowed || !read(&path).contains("sqlx::"),
            "{} names the server's database engine",
            path.display()
        );
    }
    let stores = ["store.rs", "store/error.rs"];
    for (path, text) in sources_without("client/src", &stores) {
        assert!(
            !text.contains("rusqlite"),
            "{} touches SQLite",
            path.display()
        );
    }
}

#[test]
fn what_the_server_writes_begins_and_ends_in_one_file_so_that_nobody_forgets_what_follows() {
    for (path, text) in sources_without("server", &["server/node/src/commit.rs"]) {
        if path.to_string_lossy().contains("server/store/src") {
            continue;
        }
        for banned in [".write_on(", ".begin_with(", ".commit(", "SqliteConnection"] {
            assert!(!text.contains(banned), "{}: {banned}", path.display());
        }
    }
}

#[test]
fn what_phones_are_built_of_has_neither_the_loader_with_its_parser_nor_the_catalogue() {
    for name in ["sync-core", "client", "cli", "mobile-ffi"] {
        let manifest = read(&root().join(name).join("Cargo.toml"));
        let used = manifest
            .split("[dev-dependencies]")
            .next()
            .unwrap_or_default();
        let loads = used
            .lines()
            .any(|line| line.starts_with("plan") && line.contains("load"));
        assert!(!loads, "{name} needs the plan's loader");
        for (path, text) in sources_without(&format!("{name}/src"), &[]) {
            let named = paths(&text).any(|path| path == "catalogue");
            assert!(!named, "{} names the catalogue", path.display());
        }
    }
}

#[test]
fn what_a_template_shows_is_escaped() {
    let templates = files("server", ".html");
    let sources = files("server", ".rs").into_iter();
    for path in sources
        .filter(|path| !path.to_string_lossy().contains("/src/tests/"))
        .chain(templates)
    {
        let text = read(&path).replace(' ', "");
        // The filter, and the ways to turn escaping off.
        for banned in [
            "|safe",
            "autoescape",
            "escape=\"none\"",
            "filters::Safe",
            "MarkupDisplay",
        ] {
            assert!(!text.contains(banned), "{}: {banned}", path.display());
        }
    }
}

#[test]
fn tests_are_sentences_and_none_is_ignored() {
    for dir in [
        "plan",
        "words",
        "sync-core",
        "phone",
        "client",
        "cli",
        "sample",
        "server",
        "tests",
    ] {
        for path in files(dir, ".rs") {
            let text = read(&path);
            let ignored = format!("#[{}", "ignore");
            assert!(!text.contains(&ignored), "{}", path.display());
            let mut lines = text.lines();
            while let Some(line) = lines.next() {
                let attribute = line.trim();
                if attribute != "#[test]" && attribute != "#[tokio::test]" {
                    continue;
                }
                let name = lines
                    .by_ref()
                    .find_map(|line| {
                        line.split("fn ")
                            .nth(1)?
                            .split('(')
                            .next()
                            .map(str::to_owned)
                    })
                    .unwrap_or_default();
                assert!(name.matches('_').count() >= 2, "{}: {name}", path.display());
            }
        }
    }
}
