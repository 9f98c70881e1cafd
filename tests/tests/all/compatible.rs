//! Bytes of version 1 are read for good, by this program and by another one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::{Phone, Server, run_server};
use ortoo_tests::golden::{self, KINDS, again, hex, says, store};
use serde_json::{Value, json};
use sync_core::wire::unpack;

use crate::village::text;

const GACHA: &str = "152522100200";

fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

#[test]
fn golden_bytes_say_what_stands_beside_them() {
    for kind in KINDS {
        let golden = golden::of(kind);
        assert!(!golden.is_empty(), "nothing golden of {kind}");
        for thing in golden {
            let said = says(kind, &thing.recorded.bytes);
            assert_eq!(said, Ok(thing.says), "{kind}/{}", thing.recorded.name);
        }
    }
}

#[test]
fn what_has_one_encoding_is_written_again_byte_for_byte() {
    let mut compared = BTreeMap::new();
    for kind in KINDS {
        for thing in golden::of(kind) {
            if let Some((bytes, written)) = again(kind, &thing.recorded.bytes) {
                assert_eq!(hex(&written), hex(&bytes), "{kind}/{}", thing.recorded.name);
                *compared.entry(*kind).or_insert(0) += 1;
            }
        }
    }
    for kind in [
        "request",
        "answer",
        "enrol_answer",
        "batch",
        "change",
        "network",
        "package",
        "record",
        "journal",
        "backup",
    ] {
        assert!(compared.contains_key(kind), "no {kind} was written again");
    }
}

#[test]
fn golden_bytes_are_added_and_never_changed() {
    // The same names with other bytes: nothing is written.
    let mut recorded: Vec<_> = (KINDS.iter())
        .flat_map(|kind| golden::of(kind))
        .map(|golden| golden.recorded)
        .collect();
    recorded.iter_mut().for_each(|thing| thing.bytes.push(0));
    let written = golden::write_new(&recorded).unwrap();
    assert_eq!((written.new, written.kept), (Vec::new(), recorded.len()));
}

#[test]
fn the_golden_rows_open_as_the_store_of_a_phone() {
    let rows = golden::rows();
    let path = golden::store_path();
    let expected: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(store(&rows), Ok(expected), "{}", path.display());
    // Its first rows are written as they were read.
    let (replica, _) = rows.open().unwrap();
    let kept: Vec<_> = rows.0.values().cloned().collect();
    for row in replica.first_rows() {
        assert!(
            kept.contains(&row.value.unwrap()),
            "{:?} is written otherwise",
            row.table
        );
    }
}

/// The store that version 0.1.0 wrote, also held by the apps' own tests.
#[test]
fn the_store_of_the_first_version_opens_on_the_command_line() {
    let fixture = root().join("mobile-ffi/fixtures/store-0.1.0");
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(fixture.join("ortoo.db"), dir.path().join("ortoo.db")).unwrap();
    let expected = std::fs::read(fixture.join("expected.json")).unwrap();
    let expected: Value = serde_json::from_slice(&expected).unwrap();
    let phone = Phone::at(dir.path());
    for record in expected["records"].as_array().unwrap() {
        let shown = phone.ok(&["show", record["id"].as_str().unwrap()]);
        for (key, value) in record["fields"].as_object().unwrap() {
            assert_eq!(&shown["fields"][key], value, "{key}");
        }
    }
    assert_eq!(phone.ok(&["status"])["unsent"], expected["unsent"]);
}

/// What version 0.1.0 left behind: a sample installation's backup, made after an erasure; the journal,
/// which goes on with what another phone wrote; and the store of a phone that had saved one thing more.
#[test]
fn an_installation_of_the_first_version_is_restored_and_its_phone_goes_on() {
    let fixture = golden::dir().join("installation-0.1.0");
    let expected = std::fs::read(fixture.join("expected.json")).unwrap();
    let expected: Value = serde_json::from_slice(&expected).unwrap();
    let id = |thing: &Value| thing["id"].as_str().unwrap().to_owned();
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("banner");
    let (backup, journal) = (fixture.join("backup"), fixture.join("journal"));
    let verb = ["restore", text(&backup), "--journal", text(&journal)];
    let said = run_server(&data, &verb).json();
    assert_eq!(said["recovery"], false, "{said}");
    for record in expected["records"].as_array().unwrap() {
        let shown = run_server(&data, &["show", &id(record)]).json();
        for part in ["fields", "items", "conflicts"] {
            assert_eq!(shown[part], record[part], "{part} of {}", id(record));
        }
    }

    let server = Server::sample(&data);
    let phone = Phone::at(dir.path().join("phone"));
    std::fs::create_dir(&phone.dir).unwrap();
    std::fs::copy(fixture.join("phone/ortoo.db"), phone.dir.join("ortoo.db")).unwrap();
    assert_eq!(phone.ok(&["status"])["unsent"], 1);
    phone.ok(&["server", &server.url]);
    phone.sync();
    assert_eq!(phone.ok(&["status"])["unsent"], 0);
    let unsent = &expected["unsent"];
    let shown = server.run(&["show", &id(unsent)]).json();
    assert_eq!(shown["fields"], unsent["fields"]);
    for record in expected["records"].as_array().unwrap() {
        let shown = phone.ok(&["show", &id(record)]);
        assert_eq!(shown["fields"], record["fields"], "{}", id(record));
    }
    let erased = expected["erased"].as_str().unwrap();
    assert_eq!(
        server.run(&["show", erased]).error(1)["code"],
        "unknown_record"
    );
    let orders = server.run(&["erasures"]).json();
    assert_eq!(orders[0]["records"][0]["record"], erased, "{orders}");
    assert_eq!(server.run(&["verify"]).json()["different"], 0);
    assert_eq!(server.run(&["verify-cells"]).json()["different"], 0);
}

/// The bytes of an example: what stands left of `;` on each line, in hexadecimal.
fn example(block: &str) -> String {
    let code = block
        .lines()
        .map(|line| line.split(';').next().unwrap_or_default());
    code.flat_map(|line| line.split_whitespace()).collect()
}

#[test]
fn the_examples_in_the_documentation_are_the_golden_bytes() {
    let page = std::fs::read_to_string(root().join("docs/protocol-examples.md")).unwrap();
    let mut compared = 0;
    for block in page.split("```golden ").skip(1) {
        let (title, rest) = block.split_once('\n').unwrap();
        let (block, _) = rest.split_once("```").unwrap();
        let (kind, name) = title.split_once('/').unwrap();
        let kind = KINDS.iter().find(|known| **known == kind).unwrap();
        let thing = golden::of(kind)
            .into_iter()
            .find(|thing| thing.recorded.name == name);
        let thing = thing.unwrap_or_else(|| panic!("nothing golden is {title}"));
        let bytes = match *kind {
            "request" | "answer" | "enrol_request" => unpack(&thing.recorded.bytes).unwrap(),
            _ => thing.recorded.bytes,
        };
        assert_eq!(example(block), hex(&bytes), "{title}");
        compared += 1;
    }
    assert!(compared >= 7, "{compared} examples");
}

/// Runs a module of the second implementation; `None` where there is no Python, which is said.
fn second(module: &str, argument: &str) -> Option<Value> {
    let mut python = Command::new("python3");
    python.args(["-m", &format!("ortoo_second.{module}"), argument]);
    python.env("PYTHONDONTWRITEBYTECODE", "1");
    let python = python.current_dir(root().join("tests/python"));
    let said = match python.output() {
        Ok(said) => said,
        Err(error) => {
            assert!(
                std::env::var("ORTOO_TEST_SKIP").is_ok_and(|skip| skip.contains("second")),
                "the second implementation needs python3 ({error}); ORTOO_TEST_SKIP=second goes on without"
            );
            eprintln!("skipped: the second implementation of the protocol ({error})");
            return None;
        }
    };
    let err = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{err}");
    Some(serde_json::from_slice(&said.stdout).unwrap())
}

#[test]
fn another_implementation_reads_the_golden_bytes() {
    let dir = golden::dir();
    if let Some(said) = second("golden", &dir.to_string_lossy()) {
        let kinds = [
            "network",
            "control",
            "decision",
            "enrol_answer",
            "request",
            "answer",
            "compact",
            "batch",
            "change",
            "bundle",
            "content",
            "claims",
            "receipt",
            "referring",
            "journal",
            "backup",
        ];
        let all: usize = kinds.iter().map(|kind| golden::of(kind).len()).sum();
        assert_eq!(said, json!({"checked": all}));
    }
}

#[test]
fn another_implementation_comes_in_as_a_phone_and_reads_what_is_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::sample(&dir.path().join("server"));
    let phone = Phone::enrolled(dir.path().join("phone"), &server, GACHA);
    let other = Phone::enrolled(dir.path().join("other"), &server, GACHA);
    let household = phone.add("household", &["household.head_name=苏和"]);
    let woman = [
        "identity.name=其其格",
        "identity.sex=2",
        "identity.birth_date=1985-06-07",
    ];
    let woman = phone.add("person", &woman);
    for number in 1..6 {
        phone.edit(
            &household,
            &[&format!("household.resident_population={number}")],
        );
        phone.sync();
    }
    other.sync();
    phone.edit(&household, &["household.phone=10012345670"]);
    other.edit(&household, &["household.phone=10012345671"]);
    other.sync();
    phone.sync();

    let Some(said) = second("phone", &server.link(GACHA)) else {
        return;
    };
    for record in [&household, &woman] {
        let shown = phone.ok(&["show", record]);
        let read = said["records"][record].as_object().unwrap();
        let fields = shown["fields"].as_object().unwrap();
        assert_eq!(read.len(), fields.len(), "{shown}");
        for (key, value) in fields {
            assert_eq!(&read[key][0], value, "{record} {key}");
        }
    }
    let numbers = said["records"][&household]["household.phone"]
        .as_array()
        .unwrap();
    assert_eq!(numbers.len(), 2, "both opinions are seen: {numbers:?}");
    assert_eq!(said["batches"], server.run(&["verify"]).json()["batches"]);
}
