//! A person moves between two 嘎查 with real processes: both phones hear of it, and what the old one
//! writes without having heard reaches the new one.

use harness::{Phone, Server};
use sample::people::id_number;
use serde_json::{Value, json};

const HERE: &str = "152522100200";
const THERE: &str = "152522100201";

struct Two {
    server: Server,
    here: Phone,
    there: Phone,
    woman: String,
    home: String,
    _dir: tempfile::TempDir,
}

impl Two {
    /// A woman of screening age in a household, known to the server.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::sample(&dir.path().join("server"));
        let here = Phone::enrolled(dir.path().join("here"), &server, HERE);
        let there = Phone::enrolled(dir.path().join("there"), &server, THERE);
        let home = here.add(
            "household",
            &["household.head_name=巴特尔", "household.area_type=1"],
        );
        let number = format!("identity.id_no={}", id_number("19800520", 124));
        let lives_in = format!("residence.household={home}");
        let woman = here.add(
            "person",
            &[
                "identity.name=其其格",
                "identity.sex=2",
                "identity.id_type=01",
                &number,
                "identity.birth_date=1980-05-20",
                "residence.since=2015-03-01",
                "residence.status=1",
                &lives_in,
            ],
        );
        here.sync();
        there.sync();
        Self {
            server,
            here,
            there,
            woman,
            home,
            _dir: dir,
        }
    }

    /// The record that she goes on as.
    fn moves(&self) -> String {
        let moved = ["move", &self.woman, "--to", THERE, "--on", "2026-01-15"];
        let moved = self.server.run(&moved).json();
        assert_eq!(
            (&moved["from"], &moved["to"]),
            (&json!(HERE), &json!(THERE))
        );
        moved["records"][&self.woman].as_str().unwrap().to_owned()
    }

    fn clean(&self) {
        assert_eq!(self.server.run(&["verify"]).json()["different"], 0);
        assert_eq!(self.server.run(&["verify-cells"]).json()["different"], 0);
    }
}

fn listed(phone: &Phone) -> Vec<Value> {
    let list = phone.ok(&["list", "person", "--register", "screening"]);
    list.as_array().unwrap().clone()
}

#[test]
fn she_is_in_the_registers_of_the_new_village_and_no_longer_in_those_of_the_old() {
    let two = Two::new();
    assert_eq!((listed(&two.here).len(), listed(&two.there).len()), (1, 0));
    let new = two.moves();
    two.here.sync();
    two.there.sync();
    assert_eq!((listed(&two.here).len(), listed(&two.there).len()), (0, 1));
    assert_eq!(listed(&two.there)[0]["id"], json!(new));
    let shown = two.there.ok(&["show", &new]);
    assert_eq!(shown["fields"]["identity.birth_date"], "1980-05-20");
    assert!(!shown.to_string().contains(&two.home), "{shown}");
    let old = two.here.ok(&["show", &two.woman]);
    let last = old["items"]["residence"]
        .as_array()
        .unwrap()
        .last()
        .cloned();
    assert_eq!(last.unwrap()["status"], "5");
    // Both phones and the office count her in one place.
    for (phone, unit) in [(&two.here, HERE), (&two.there, THERE)] {
        let asked = ["indicators", "--every-year"];
        let own = phone.ok(&asked);
        let office = ["indicators", "--every-year", "--org", unit];
        let office = two.server.run(&office).json();
        let counts = |of: &Value| -> Vec<Value> {
            let list = of.as_array().unwrap().iter();
            list.map(|one| {
                json!([
                    one["indicator"],
                    one["year"],
                    one["numerator"],
                    one["denominator"],
                    one["unknown"]
                ])
            })
            .collect()
        };
        assert_eq!(counts(&own), counts(&office), "{unit}");
    }
    two.clean();
}

#[test]
fn what_the_old_phone_wrote_before_it_heard_reaches_the_new_phone_or_is_flagged_there() {
    let two = Two::new();
    let new = two.moves();
    // Nobody has heard at the old place; the new one has, and writes too.
    two.here.edit(&two.woman, &["identity.phone=10012345678"]);
    two.here.edit(&two.woman, &["identity.name=其其格玛"]);
    two.there.sync();
    two.there.edit(&new, &["identity.name=琪琪格"]);
    two.there.sync();
    two.here.sync();
    two.there.sync();
    assert_eq!(two.there.field(&new, "identity.phone"), "10012345678");
    let conflicts = two.there.ok(&["conflicts"]);
    assert_eq!(conflicts[0]["key"], "identity.name", "{conflicts}");
    let mut values: Vec<&str> = conflicts[0]["values"]
        .as_array()
        .unwrap()
        .iter()
        .map(|value| value.as_str().unwrap())
        .collect();
    values.sort_unstable();
    assert_eq!(values, ["其其格玛", "琪琪格"]);
    two.there
        .ok(&["resolve", &new, "identity.name", "--take", "0"]);
    two.there.sync();
    assert_eq!(two.there.ok(&["conflicts"]), json!([]));
    two.clean();
}

#[test]
fn a_move_that_cannot_be_is_refused_with_its_reason() {
    let two = Two::new();
    for (record, to, code) in [
        (&two.home, THERE, "move_not_person"),
        (&two.woman, HERE, "move_stays"),
    ] {
        let refused = two.server.run(&["move", record, "--to", to]).error(1);
        assert_eq!(refused["code"], code);
    }
    two.clean();
}
