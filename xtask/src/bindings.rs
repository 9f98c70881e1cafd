//! `cargo xtask bindings`: the code of other languages, generated from the compiled library, and the
//! library itself, each where its language's package looks for them. Nothing of it is committed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::steps::{cargo, run};
use crate::{Outcome, root, target_dir};

/// A language that there are bindings for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Kotlin,
    Swift,
    Python,
}

impl Language {
    pub(crate) const ALL: [Self; 3] = [Self::Kotlin, Self::Swift, Self::Python];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kotlin => "kotlin",
            Self::Swift => "swift",
            Self::Python => "python",
        }
    }

    /// The language's package.
    pub(crate) fn package(self) -> PathBuf {
        root().join("mobile-ffi").join(self.name())
    }

    /// Where the generated code goes.
    fn generated(self) -> PathBuf {
        self.package().join(match self {
            Self::Kotlin => "target/generated-sources/uniffi",
            Self::Swift => "Sources/Generated",
            Self::Python => "ortoo/generated",
        })
    }

    /// Where the library goes, if its package brings it along.
    fn library(self) -> Option<PathBuf> {
        match self {
            // As JNA looks for it among an app's resources.
            Self::Kotlin => Some(self.package().join("target/native")),
            Self::Python => Some(self.generated()),
            // Linked by Xcode, from the XCFramework.
            Self::Swift => None,
        }
    }
}

const USAGE: &str = "usage: cargo xtask bindings kotlin|swift|python [--release]";

pub(crate) fn command(args: &[String]) -> Outcome {
    let release = args.iter().any(|arg| arg == "--release");
    let named = args.iter().find(|arg| !arg.starts_with("--"));
    let language = named.and_then(|name| Language::ALL.into_iter().find(|l| l.name() == name));
    let language = language.ok_or(USAGE)?;
    run(&mut cargo(&["build", "--locked", "--workspace"]))?;
    if release {
        let library = ["build", "--locked", "--profile", "mobile", "-p"];
        run(cargo(&library).arg("mobile-ffi"))?;
    }
    generate(language, if release { "mobile" } else { "debug" })
}

/// Generates a language's code, and brings the library of a profile that is built already.
///
/// The code is always read from the debug library: a stripped one has lost what describes it.
pub(crate) fn generate(language: Language, profile: &str) -> Outcome {
    let debug = target_dir().join("debug");
    let out = language.generated();
    fs::create_dir_all(&out).map_err(|error| format!("{}: {error}", out.display()))?;
    let mut bindgen = Command::new(debug.join("ortoo-bindgen"));
    bindgen
        .current_dir(root())
        .args([
            "generate",
            "--no-format",
            "--language",
            language.name(),
            "--out-dir",
        ])
        .arg(&out)
        .arg(debug.join(LIBRARY))
        // It names what it writes, which would stand among what a bench prints.
        .stdout(Stdio::null());
    run(&mut bindgen)?;
    if language == Language::Swift {
        sort_swift(&out).map_err(|error| format!("{}: {error}", out.display()))?;
    }
    if let Some(place) = language.library() {
        let library = target_dir().join(profile).join(LIBRARY);
        fs::create_dir_all(&place)
            .and_then(|()| fs::copy(&library, place.join(LIBRARY)))
            .map_err(|error| format!("{}: {error}", library.display()))?;
    }
    Ok(())
}

/// Swift's packages want the C module in a folder of its own, under the name that clang looks for.
fn sort_swift(out: &Path) -> std::io::Result<()> {
    let (c, swift) = (out.join("ortoo_ffiFFI"), out.join("OrtooFFI"));
    fs::create_dir_all(&c)?;
    fs::create_dir_all(&swift)?;
    fs::rename(out.join("ortoo_ffiFFI.h"), c.join("ortoo_ffiFFI.h"))?;
    fs::rename(
        out.join("ortoo_ffiFFI.modulemap"),
        c.join("module.modulemap"),
    )?;
    fs::rename(out.join("OrtooFFI.swift"), swift.join("OrtooFFI.swift"))
}

/// The library as this system names it.
const LIBRARY: &str = if cfg!(target_os = "macos") {
    "libortoo_ffi.dylib"
} else if cfg!(windows) {
    "ortoo_ffi.dll"
} else {
    "libortoo_ffi.so"
};
