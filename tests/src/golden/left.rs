//! Files that this version leaves behind, of an installation and of an app: made by the built programs, and
//! kept until somebody deletes them to have them made anew.

use std::io;
use std::path::{Path, PathBuf};

use harness::{PIN, Phone, Server};
use serde_json::{Value, json};

use super::dir;

const GACHA: &str = "152522100200";
const OTHER_PHONE: &str = "household.phone=10012345670";

const HOUSEHOLD: &[&str] = &[
    "household.area_type=1",
    "household.head_name=苏和",
    "household.household_no=0001",
    "household.residence_status=1",
    "household.resident_female=2",
    "household.resident_population=3",
];
const WOMAN: &[&str] = &[
    "identity.name=其其格",
    "identity.sex=2",
    "identity.birth_date=1980-05-20",
];
const SCREENING: &[&str] = &[
    "cancer=C",
    "round=2026",
    "on_target_list=true",
    "screened_on=2026-03-10",
    "cervical_method=HPV",
    "proof=1",
    "info_source=01",
];

/// A sample installation's backup, made after an erasure; the journal, which goes on with what another
/// phone wrote; and the store of a phone that had saved one thing more.
pub fn installation() -> PathBuf {
    dir().join("installation-0.1.0")
}

/// The store of an app, held by the tests of every language.
pub fn app_store() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = manifest.parent().unwrap_or(manifest);
    root.join("mobile-ffi/fixtures/store-0.1.0")
}

/// Makes what is not there; the names of what was made.
pub(super) fn write_missing() -> io::Result<Vec<String>> {
    let mut made = Vec::new();
    for (path, make) in [
        (installation(), make_installation as fn(&Path, &Path) -> _),
        (app_store(), make_app_store),
    ] {
        if !path.exists() {
            // Beside where it belongs, so that what was not finished is not there.
            let unfinished = tempfile::tempdir_in(path.parent().unwrap_or(&path))?;
            let place = tempfile::tempdir()?;
            make(place.path(), unfinished.path())?;
            std::fs::rename(unfinished.path(), &path)?;
            made.push(path.file_name().unwrap_or_default().display().to_string());
        }
    }
    Ok(made)
}

fn make_installation(place: &Path, to: &Path) -> io::Result<()> {
    let (journal, backup) = (place.join("journal"), to.join("backup"));
    let kept = shown(&journal);
    let options = ["--sample", "--journal", &kept];
    let server = Server::start(&place.join("banner"), &options, "127.0.0.1:0");
    let a = Phone::enrolled(place.join("a"), &server, GACHA);
    let b = Phone::enrolled(place.join("b"), &server, GACHA);
    let household = conflicting_household(&a, &b);
    let woman = woman(&a, &household);
    let erased = a.add("person", &["identity.name=乌云", "identity.sex=2"]);
    for phone in [&a, &b] {
        phone.sync();
    }
    let key = server.data.join("order.key");
    let order = ["erase", &erased, "--key", &shown(&key)];
    server.run(&order).json();
    for phone in [&a, &b] {
        phone.sync();
    }
    server.run(&["backup", &shown(&backup)]).json();

    let late = b.add("person", &["identity.name=娜仁", "identity.sex=2"]);
    b.sync();
    let unsent = a.add("person", &["identity.name=托娅", "identity.sex=2"]);
    let parts = ["fields", "items", "conflicts"];
    let records = [&household, &woman, &late].map(|id| {
        let shown = server.run(&["show", id]).json();
        let mut record = json!({"id": id});
        for part in parts {
            record[part] = shown[part].clone();
        }
        record
    });
    let fields = a.ok(&["show", &unsent])["fields"].clone();
    let expected = json!({
        "records": records,
        "erased": erased,
        "unsent": {"id": unsent, "fields": fields},
    });
    write(to, &expected)?;
    drop(server);
    std::fs::create_dir_all(to.join("journal"))?;
    for file in std::fs::read_dir(&journal)? {
        let file = file?;
        if file.file_name().to_string_lossy().ends_with(".ortoo") {
            std::fs::copy(file.path(), to.join("journal").join(file.file_name()))?;
        }
    }
    store(&a, &to.join("phone"))
}

fn make_app_store(place: &Path, to: &Path) -> io::Result<()> {
    let server = Server::sample(&place.join("banner"));
    let a = Phone::enrolled(place.join("a"), &server, GACHA);
    let b = Phone::enrolled(place.join("b"), &server, GACHA);
    let household = conflicting_household(&a, &b);
    let woman = woman(&a, &household);
    a.sync();
    let unsent = a.add("person", &["identity.name=乌兰", "identity.sex=2"]);
    let record = |id: &String| json!({"id": id, "fields": a.ok(&["show", id])["fields"]});
    let records = [&household, &woman, &unsent].map(record);
    let conflicts = a.ok(&["show", &household])["conflicts"].clone();
    let conflicts = conflicts.as_array().into_iter().flatten();
    let conflict = |conflict: &Value| json!({"id": household, "key": conflict["key"], "values": conflict["values"]});
    let expected = json!({
        "pin": PIN,
        "records": records,
        "conflicts": conflicts.map(conflict).collect::<Vec<_>>(),
        "unsent": a.ok(&["status"])["unsent"],
        "unit": GACHA,
    });
    write(to, &expected)?;
    store(&a, to)
}

/// A household of which two phones have said two numbers, as the first phone holds it.
fn conflicting_household(a: &Phone, b: &Phone) -> String {
    let household = a.add("household", HOUSEHOLD);
    a.sync();
    b.sync();
    a.edit(&household, &["household.phone=10012345671"]);
    b.edit(&household, &[OTHER_PHONE]);
    b.sync();
    a.sync();
    household
}

fn woman(phone: &Phone, household: &str) -> String {
    let home = format!("residence.household={household}");
    let lives = [
        "residence.since=2015-03-01",
        "residence.status=1",
        "residence.info_source=01",
        &home,
    ];
    let woman = phone.add("person", &[WOMAN, &lives].concat());
    let mut screening = vec!["item", &woman, "screening"];
    SCREENING
        .iter()
        .for_each(|set| screening.extend(["--set", set]));
    phone.ok(&screening);
    woman
}

fn write(to: &Path, expected: &Value) -> io::Result<()> {
    let text = serde_json::to_string_pretty(expected)?;
    std::fs::write(to.join("expected.json"), text + "\n")
}

/// A phone's store as one file.
fn store(phone: &Phone, to: &Path) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    std::fs::copy(phone.dir.join("ortoo.db"), to.join("ortoo.db"))?;
    Ok(())
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
