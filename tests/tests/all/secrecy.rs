//! Secrecy of the files of a found phone.

use harness::{Phone, Server, contains, files};
use sample::people::id_number;

#[test]
fn the_phones_files_hold_no_name_field_name_unit_code_or_record_id() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::sample(&dir.path().join("server"));
    let phone = Phone::enrolled(dir.path().join("phone"), &server, "152522100200");
    let number = id_number("19790310", 482);
    let id = phone.add(
        "person",
        &[
            "identity.name=QiqigePlanted",
            "identity.sex=2",
            "identity.id_type=01",
            &format!("identity.id_no={number}"),
            "identity.birth_date=1979-03-10",
        ],
    );
    phone.sync();
    phone.edit(&id, &["identity.name=其其格"]);

    let needles = [
        "QiqigePlanted",
        "其其格",
        "identity",
        "birth_date",
        "152522100200",
        &number,
        &id,
        "general",
    ];
    let files = files(&phone.dir);
    assert!(!files.is_empty());
    for (path, bytes) in &files {
        for needle in needles {
            assert!(
                !contains(bytes, needle),
                "{needle} stands in {}",
                path.display()
            );
        }
    }
    // The needles are real: the server, which keeps its own records, does hold the name.
    phone.sync();
    assert!(server.run(&["show", &id]).out.contains("其其格"));
}
