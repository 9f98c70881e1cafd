//! A sample server with two phones of one 嘎查: where most stories begin.

use std::path::PathBuf;

use ortoo_tests::harness::{Phone, Server};

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
