//! `cargo xtask demo [--people N] [--seed S]`: a banner of made-up people, a server on loopback and
//! two phones, played through the main story on real programs, and left running for whoever wants to
//! go on by hand. Arguments are those of `ortoo-server sample`.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use harness::{PIN, Phone, Said, Server, program, server_command};
use sample::people::id_number;
use serde_json::Value;

/// 奔道尔嘎查 of 别力古台镇.
const GACHA: &str = "152522100202";

/// The woman whom both cadres register; nobody in the sample has her name.
const WOMAN: &str = "诺敏托雅";

fn main() {
    let dir = directory();
    part("A banner of made-up people, recorded over years by simulated phones");
    fill(&dir.join("banner"));
    let log = File::create(dir.join("server.log"));
    let log = log.map_or_else(|_| Stdio::null(), Stdio::from);
    let server = Server::start_saying(&dir.join("banner"), &["--sample"], "127.0.0.1:0", log);
    say(&format!(
        "The banner's server listens on {} (made-up data, plain self-signed TLS).",
        server.url
    ));

    part("Two cadres of one 嘎查 enrol their phones");
    let (a, b) = (
        Phone::at(dir.join("phone-a")),
        Phone::at(dir.join("phone-b")),
    );
    for phone in [&a, &b] {
        play(phone, &["enrol", &server.link(GACHA)]);
    }

    look_around(&a);

    part("A registers a household and exchanges; B fetches it");
    let household = made(&play(&a, &household_sets()));
    play(&a, &["sync"]);
    play(&b, &["sync"]);

    part("No signal: each edits another field of the same household");
    play(
        &a,
        &["edit", &household, "--set", "household.phone=10012345678"],
    );
    play(
        &b,
        &[
            "edit",
            &household,
            "--set",
            "household.resident_population=5",
        ],
    );
    part("A connection comes back: both edits stand on both phones");
    meet(&a, &b);
    show(
        &play(&a, &["show", &household]),
        &["household.phone", "household.resident_population"],
    );
    show(
        &play(&b, &["show", &household]),
        &["household.phone", "household.resident_population"],
    );

    part("No signal again: both edit the same field");
    play(
        &a,
        &["edit", &household, "--set", "household.head_name=巴特尔"],
    );
    play(
        &b,
        &["edit", &household, "--set", "household.head_name=巴图尔"],
    );
    meet(&a, &b);
    part("One value shows, both are listed, and the next deliberate write settles it everywhere");
    print(&conflicts_of(&a, &household));
    play(
        &b,
        &["resolve", &household, "household.head_name", "--take", "0"],
    );
    meet(&b, &a);
    print(&conflicts_of(&a, &household));

    part("Both register the same woman without knowing of each other");
    let number = id_number("19850607", 124);
    let first = made(&play(&a, &woman(WOMAN, &number)));
    let second = made(&play(&b, &woman(WOMAN, &number)));
    meet(&a, &b);
    let list = play(&a, &["list", "person", "--search", WOMAN]);
    let linked = |row: &Value| row["linked"].as_array().map_or(0, Vec::len);
    let rows = list.as_array().cloned().unwrap_or_default();
    say(&format!(
        "  {} person in the list, linked to {} other entry.",
        rows.len(),
        rows.first().map_or(0, linked)
    ));
    part("B sees that the number was mistyped: correcting it parts them, nothing is lost");
    let corrected = format!("identity.id_no={}", id_number("19850607", 126));
    play(&b, &["edit", &second, "--set", &corrected]);
    meet(&b, &a);
    let list = play(&a, &["list", "person", "--search", WOMAN]);
    say(&format!(
        "  {} persons in the list.",
        list.as_array().map_or(0, Vec::len)
    ));

    part("What breaks the dictionary is refused before it is saved");
    let bad = format!("identity.id_no={}", number.replace("19850607", "19850608"));
    let said = a.run(&["edit", &first, "--set", &bad]);
    typed(&a, &["edit", &first, "--set", &bad]);
    say(&format!(
        "  {}",
        said.error(1)["message"].as_str().unwrap_or_default()
    ));

    part("The server rebuilds every record from its signed batches and compares");
    typed_server(&server, &["verify"]);
    print(&server.run(&["verify"]).json());

    figures(&a, &server);
    leave(&dir, server, &household);
}

/// Fills the server's directory; how far it is goes to standard error.
fn fill(data: &Path) {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = std::iter::once("sample")
        .chain(asked.iter().map(String::as_str))
        .collect();
    let said = server_command(data, &args)
        .stderr(Stdio::inherit())
        .output();
    let Ok(said) = said else {
        say("ortoo-server does not start");
        std::process::exit(1);
    };
    if !said.status.success() {
        std::process::exit(said.status.code().unwrap_or(1));
    }
    say(&format!(
        "  {}",
        String::from_utf8_lossy(&said.stdout).trim_end()
    ));
}

/// What a cadre sees of the years before: the registers of the 嘎查, as of today.
fn look_around(phone: &Phone) {
    part("What the phones before them recorded is on theirs after one exchange");
    play(phone, &["sync"]);
    for (subject, register) in [
        ("household", "water_toilet"),
        ("person", "screening"),
        ("person", "left_behind"),
    ] {
        let rows = play(phone, &["list", subject, "--register", register]);
        say(&format!("  {} rows", rows.as_array().map_or(0, Vec::len)));
    }
}

/// From the records to what is due and to the plan's figures, on the phone and at the banner.
fn figures(phone: &Phone, server: &Server) {
    part("What is due in the 嘎查 today");
    let tasks = play(phone, &["tasks"]);
    let tasks = tasks.as_array().cloned().unwrap_or_default();
    let mut due: BTreeMap<String, usize> = BTreeMap::new();
    for task in &tasks {
        let title = task["title"].as_str().unwrap_or_default();
        *due.entry(title.to_owned()).or_default() += 1;
    }
    for (title, count) in due {
        say(&format!("  {count:4} {title}"));
    }

    part("The plan's figures of the 嘎查, counted on the phone, and the banner's");
    let own = play(phone, &["indicators"]);
    typed_server(server, &["indicators"]);
    let all = server.run(&["indicators"]).json();
    let rows = |rows: &Value| rows.as_array().cloned().unwrap_or_default();
    for (own, all) in rows(&own).iter().zip(rows(&all)) {
        let shown = |row: &Value| match row["value"].as_f64() {
            Some(value) => format!("{value:8.2}"),
            None => format!("{:>8}", "–"),
        };
        let key = own["indicator"].as_str().unwrap_or_default();
        let target = own["target"].as_f64();
        let target = target.map_or_else(String::new, |target| format!("   target {target}"));
        say(&format!(
            "  {key:48} {}  {}{target}",
            shown(own),
            shown(&all)
        ));
    }

    part("Other code counts every figure again and compares");
    typed_server(server, &["verify-cells"]);
    print(&server.run(&["verify-cells"]).json());
}

/// Shows a command of the server as somebody would type it.
fn typed_server(server: &Server, args: &[&str]) {
    let data = server.data.display();
    say(&format!("$ ortoo-server --data {data} {}", args.join(" ")));
}

/// The conflicts of one record: the sample has some of its own.
fn conflicts_of(phone: &Phone, record: &str) -> Value {
    let all = play(phone, &["conflicts"]);
    let rows = all.as_array().cloned().unwrap_or_default();
    rows.into_iter().filter(|row| row["id"] == record).collect()
}

fn leave(dir: &Path, server: Server, household: &str) {
    part("All of it is left running. To go on by hand:");
    let bin = program("ortoo-field")
        .parent()
        .map(Path::to_owned)
        .unwrap_or_default();
    let dir = dir.display();
    say(&format!(
        "export PATH={}:$PATH ORTOO_PIN={PIN}",
        bin.display()
    ));
    for (phone, what) in [
        ("phone-a", "list household --register water_toilet"),
        ("phone-a", "list person --register screening"),
        ("phone-a", &format!("history {household}")),
        (
            "phone-a",
            &format!(
                "item {household} toilet --set observed_on=2026-05-01 --set camp=1 --set type=01"
            ),
        ),
        ("phone-a", "sync"),
        ("phone-a", "tasks --days 30"),
        ("phone-a", "indicators --every-year"),
    ] {
        say(&format!("ortoo-field --dir {dir}/{phone} {what}"));
    }
    say(&format!(
        "ortoo-server --data {dir}/banner enrol-code --space {GACHA}   # a third phone"
    ));
    let console = server.console.clone();
    let pid = server.leave_running();
    say(&format!("kill {pid}; rm -r {dir}   # when you are done"));
    say(&format!(
        "\nThe banner office's pages, in a browser on this machine: {console}"
    ));
}

/// A new directory for everything, which stays.
fn directory() -> PathBuf {
    let dir = std::env::temp_dir().join(format!("ortoo-demo-{}", std::process::id()));
    if let Err(error) = std::fs::create_dir_all(&dir) {
        say(&format!("{}: {error}", dir.display()));
        std::process::exit(1);
    }
    dir
}

fn household_sets() -> Vec<&'static str> {
    let mut args = vec!["add", "household"];
    for set in [
        "household.household_no=0101",
        "household.head_name=巴特",
        "household.head_sex=1",
        "household.area_type=1",
        "household.residence_status=1",
        "household.resident_population=4",
        "household.resident_female=2",
        "household.main_camp=1",
    ] {
        args.extend(["--set", set]);
    }
    args
}

fn woman(name: &str, number: &str) -> Vec<String> {
    let sets = [
        format!("identity.name={name}"),
        "identity.sex=2".to_owned(),
        "identity.id_type=01".to_owned(),
        format!("identity.id_no={number}"),
        "identity.birth_date=1985-06-07".to_owned(),
    ];
    let mut args = vec!["add".to_owned(), "person".to_owned()];
    sets.into_iter()
        .for_each(|set| args.extend(["--set".to_owned(), set]));
    args
}

/// Both exchange, and the first once more to see what the second brought.
fn meet(first: &Phone, second: &Phone) {
    play(first, &["sync"]);
    play(second, &["sync"]);
    play(first, &["sync"]);
}

/// Types a command on a phone and shows what it answers where that is short.
fn play<S: AsRef<str>>(phone: &Phone, args: &[S]) -> Value {
    let args: Vec<&str> = args.iter().map(AsRef::as_ref).collect();
    typed(phone, &args);
    let said = phone.run(&args);
    let answer = answered(&said);
    if matches!(args.first(), Some(&"sync" | &"add" | &"enrol")) {
        print(&answer);
    }
    answer
}

fn answered(said: &Said) -> Value {
    if said.code != Some(0) {
        say(said.err.trim_end());
        std::process::exit(1);
    }
    said.json()
}

fn typed(phone: &Phone, args: &[&str]) {
    let name = phone
        .dir
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let quoted: Vec<String> = args
        .iter()
        .map(|arg| {
            match arg
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._=/".contains(&b))
            {
                true => (*arg).to_owned(),
                false => format!("'{arg}'"),
            }
        })
        .collect();
    say(&format!("{name}$ ortoo-field {}", quoted.join(" ")));
}

fn made(answer: &Value) -> String {
    answer["id"].as_str().unwrap_or_default().to_owned()
}

fn show(record: &Value, keys: &[&str]) {
    for key in keys {
        say(&format!("  {key} = {}", record["fields"][*key]));
    }
}

fn print(answer: &Value) {
    say(&format!("  {answer}"));
}

fn part(title: &str) {
    say(&format!("\n== {title}"));
}

#[expect(clippy::print_stdout, reason = "a command-line program")]
fn say(line: &str) {
    println!("{line}");
}
