//! A sample server with two phones of one 嘎查: where most stories begin.

use std::path::{Path, PathBuf};

use harness::{Phone, Server};
use serde_json::Value;

/// The 嘎查 of these stories.
pub(crate) const GACHA: &str = "152522100200";

pub(crate) struct Village {
    pub(crate) server: Server,
    pub(crate) a: Phone,
    pub(crate) b: Phone,
    pub(crate) dir: tempfile::TempDir,
}

impl Village {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::sample(&dir.path().join("server"));
        let a = Phone::enrolled(dir.path().join("a"), &server, GACHA);
        let b = Phone::enrolled(dir.path().join("b"), &server, GACHA);
        Self { server, a, b, dir }
    }

    /// A path in the village's directory.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Who a phone is.
pub(crate) fn device(phone: &Phone) -> String {
    let status = phone.ok(&["status"]);
    status["device"].as_str().unwrap().to_owned()
}

/// What the server shows of a record.
pub(crate) fn shown(village: &Village, id: &str) -> Value {
    village.server.run(&["show", id]).json()["fields"].clone()
}

/// Everything that the server holds is what its batches make.
pub(crate) fn clean(village: &Village) {
    let server = &village.server;
    assert_eq!(server.run(&["verify"]).json()["different"], 0);
    assert_eq!(server.run(&["verify-cells"]).json()["different"], 0);
}
