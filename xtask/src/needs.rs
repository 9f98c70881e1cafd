//! Tools that a check needs, and the line that installs each.

use std::env;
use std::process::{Command, Stdio};

/// The target that browsers run.
pub(crate) const WASM: &str = "wasm32-unknown-unknown";

/// A tool that is there, or what can't be checked without it and the line that installs it.
pub(crate) type Need = Result<(), String>;

/// The wasm target, added; a Rust without rustup can't.
pub(crate) fn wasm() -> Need {
    let added = Command::new("rustup")
        .args(["target", "add", WASM])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match added {
        Ok(status) if status.success() => Ok(()),
        _ => Err(format!(
            "the wasm build of phone (rustup target add {WASM})"
        )),
    }
}

/// The browser that the console is tested in, and the program that drives it.
pub(crate) fn browser() -> Need {
    if there("chromium") && there("chromedriver") {
        return Ok(());
    }
    Err("the console in a browser (apt install chromium chromium-driver)".into())
}

/// The compiler and the runner of the Kotlin layer.
pub(crate) fn kotlin() -> Need {
    if there("javac") && there("mvn") {
        return Ok(());
    }
    Err("the Kotlin layer (apt install openjdk-17-jdk-headless maven)".into())
}

/// The runner of the Python layer's tests.
pub(crate) fn python() -> Need {
    let mut pytest = Command::new("python3");
    pytest.args(["-c", "import pytest"]);
    let found = pytest.stdout(Stdio::null()).stderr(Stdio::null()).status();
    match found {
        Ok(status) if status.success() => Ok(()),
        _ => Err("the Python layer (apt install python3-pytest)".into()),
    }
}

/// The interpreter of the second implementation of the protocol.
pub(crate) fn second() -> Need {
    if there("python3") {
        return Ok(());
    }
    Err("the second implementation of the protocol (apt install python3)".into())
}

/// The Swift compiler: `swift` alone is also the name of a client of OpenStack.
pub(crate) fn swift() -> Need {
    if there("swiftc") {
        return Ok(());
    }
    Err("the Swift layer, which needs a Swift toolchain (swift.org/install)".into())
}

/// Whether a program can be called.
fn there(program: &str) -> bool {
    let paths = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&paths).any(|path| path.join(program).is_file())
}
