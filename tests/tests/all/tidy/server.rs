//! Crates of the server: what each of them never touches.

use super::{dependencies, files, read, root, sources_without, table};

/// What each crate of the server must not depend on.
const NEVER: [(&str, &[&str]); 5] = [
    ("server/store", &["axum", "axum-server", "askama", "rustls"]),
    (
        "server/recount",
        &["axum", "axum-server", "askama", "sqlx", "tokio"],
    ),
    (
        "server/node",
        &["axum", "axum-server", "askama", "clap", "rustls", "sqlx"],
    ),
    ("server/office", &["axum-server", "clap", "rustls", "sqlx"]),
    ("server", &["askama", "sqlx"]),
];

#[test]
fn each_crate_of_the_server_touches_only_what_it_may() {
    for (name, never) in NEVER {
        let used = dependencies(name);
        for banned in never {
            assert!(!used.contains(*banned), "{name} depends on {banned}");
        }
        for banned in never {
            let named = format!("{}::", banned.replace('-', "_"));
            for (path, text) in sources_without(&format!("{name}/src"), &[]) {
                assert!(!text.contains(&named), "{}: {banned}", path.display());
            }
        }
    }
}

#[test]
fn one_crate_names_the_server_s_database_and_says_sql() {
    for path in files(".", "Cargo.toml") {
        if path.ends_with("server/store/Cargo.toml") || path == root().join("Cargo.toml") {
            continue;
        }
        let manifest = read(&path);
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let names = table(&manifest, kind);
            assert!(!names.contains("sqlx"), "{}: sqlx", path.display());
        }
    }
    for (path, text) in sources_without("server", &[]) {
        if path.to_string_lossy().contains("server/store/src") {
            continue;
        }
        for banned in ["SELECT ", "INSERT INTO", "DELETE FROM", "PRAGMA "] {
            assert!(!text.contains(banned), "{}: {banned}", path.display());
        }
    }
    // A connection is the node's to give, for reading alone.
    for name in ["server/office/src", "server/src"] {
        for (path, text) in sources_without(name, &[]) {
            for banned in ["Store::open", ".connect(", "WriteTx"] {
                assert!(!text.contains(banned), "{}: {banned}", path.display());
            }
            for rest in text.split("store::").skip(1) {
                let named = rest.split(';').next().unwrap_or_default();
                let mut words = named.split(|c: char| !c.is_alphanumeric() && c != '_');
                let opens = words.any(|word| ["Store", "Tx", "tamper"].contains(&word));
                assert!(!opens, "{}: store::{named}", path.display());
            }
        }
    }
}

#[test]
fn the_second_count_uses_nothing_of_the_first_but_the_types_of_its_result() {
    let core = [
        "control::Control;",
        "figure::Tally;",
        "id::",
        "record::View;",
        "value::",
    ];
    let rows = [
        "figure::Cell;",
        "{Conn, StoreError};",
        "{Conn, StoreError, record};",
    ];
    for (path, text) in sources_without("server/recount/src", &[]) {
        for (name, allowed) in [("sync_core", &core[..]), ("store", &rows[..])] {
            for rest in text.split(&format!("{name}::")).skip(1) {
                let known = allowed.iter().any(|allowed| rest.starts_with(allowed));
                let named = rest.lines().next().unwrap_or_default();
                assert!(known, "{}: {name}::{named}", path.display());
            }
            // Under another name nothing would be seen here.
            let renamed = format!("use {name} as");
            assert!(!text.contains(&renamed), "{}: {renamed}", path.display());
        }
    }
    let used = table(
        &read(&root().join("server/recount/Cargo.toml")),
        "dependencies",
    );
    let used: Vec<&str> = used.iter().map(String::as_str).collect();
    assert_eq!(used, ["plan", "store", "sync-core"]);
}
