//! The loader: the YAML of the plan's directory becomes a checked [`Package`], or a list of all its
//! mistakes.
//!
//! Reading (`read`) turns each file into the structs of the package and knows the shape of YAML;
//! checking (`check`) looks at the whole; `trial` compiles and runs every expression. All three
//! go on after a mistake, so that whoever edits the plan sees everything at once. A package that is
//! loaded is signed and sent, and nothing is checked again after that: what is not refused here is
//! found by a cadre on the road.

mod check;
mod dry_run;
mod read;
mod units;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::sync::OnceLock;

use crate::catalogue::Catalogue;
use crate::indicator::Count;
use crate::package::Package;

/// The files that are built in.
const BUILTIN: [(&str, &str); 12] = [
    ("package.yaml", include_str!("../package.yaml")),
    (
        "subjects/household.yaml",
        include_str!("../subjects/household.yaml"),
    ),
    (
        "subjects/organisation.yaml",
        include_str!("../subjects/organisation.yaml"),
    ),
    (
        "subjects/person.yaml",
        include_str!("../subjects/person.yaml"),
    ),
    ("codes.yaml", include_str!("../codes.yaml")),
    ("settings.yaml", include_str!("../settings.yaml")),
    ("computed.yaml", include_str!("../computed.yaml")),
    ("registers.yaml", include_str!("../registers.yaml")),
    (
        "indicators/environment.yaml",
        include_str!("../indicators/environment.yaml"),
    ),
    (
        "indicators/health.yaml",
        include_str!("../indicators/health.yaml"),
    ),
    (
        "indicators/social-security.yaml",
        include_str!("../indicators/social-security.yaml"),
    ),
    ("units.csv", include_str!("../units.csv")),
];

/// The files of the built-in catalogue.
const CATALOGUE: [(&str, &str); 9] = [
    (
        "catalogue/catalogue.yaml",
        include_str!("../catalogue/catalogue.yaml"),
    ),
    (
        "catalogue/health.yaml",
        include_str!("../catalogue/health.yaml"),
    ),
    (
        "catalogue/education.yaml",
        include_str!("../catalogue/education.yaml"),
    ),
    (
        "catalogue/economy.yaml",
        include_str!("../catalogue/economy.yaml"),
    ),
    (
        "catalogue/decision-making.yaml",
        include_str!("../catalogue/decision-making.yaml"),
    ),
    (
        "catalogue/social-security.yaml",
        include_str!("../catalogue/social-security.yaml"),
    ),
    (
        "catalogue/family.yaml",
        include_str!("../catalogue/family.yaml"),
    ),
    (
        "catalogue/environment.yaml",
        include_str!("../catalogue/environment.yaml"),
    ),
    ("catalogue/law.yaml", include_str!("../catalogue/law.yaml")),
];

/// Something in the plan's files that has to be put right.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    /// The file, as it was named to the loader.
    pub file: String,
    /// The line, from 1; 0 where only the key is known.
    pub line: u32,
    /// Where in the file, such as `sections.household.fields.area_type.codes`; empty for the whole of it.
    pub key: String,
    /// What is wrong.
    pub reason: String,
}

/// All the mistakes of a plan, by file and line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct PlanErrors(pub Vec<Diagnostic>);

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.reason)
    }
}

impl fmt::Display for PlanErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, mistake) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { "\n" };
            write!(f, "{separator}{mistake}")?;
        }
        Ok(())
    }
}

/// Reads and checks the plan from its files, each a name (`subjects/person.yaml`, `codes.yaml`, …)
/// and its text.
pub fn load(files: &[(&str, &str)]) -> Result<Package, PlanErrors> {
    let mut diagnostics = Diagnostics::default();
    let mut package = read::package(files, &mut diagnostics);
    package.work_out_classes();
    check::package(&package, &mut diagnostics);
    let mut package = dry_run::package(package, &mut diagnostics);
    if diagnostics.errors.is_empty()
        && let Err((source, why)) = package.parse_expressions()
    {
        diagnostics.report("package.yaml", "", format!("`{source}`: {why}"));
    }
    let errors = diagnostics.finish();
    if errors.is_empty() {
        Ok(package)
    } else {
        Err(PlanErrors(errors))
    }
}

/// Reads and checks the plan from a directory laid out as the one of this crate. A file that can't be read
/// is a mistake too.
pub fn load_dir(directory: &Path) -> Result<Package, PlanErrors> {
    let failed = |file: &str, error: std::io::Error| {
        let (file, reason) = (file.to_owned(), error.to_string());
        Diagnostic {
            file,
            line: 0,
            key: String::new(),
            reason,
        }
    };
    let mut names = ["package", "codes", "settings", "computed", "registers"]
        .map(|n| format!("{n}.yaml"))
        .to_vec();
    names.push("units.csv".into());
    for name in ["subjects", "indicators"] {
        match listed(directory, name) {
            Ok(files) => names.extend(files),
            Err(error) => return Err(PlanErrors(vec![failed(name, error)])),
        }
    }
    let (mut texts, mut errors) = (Vec::new(), Vec::new());
    for name in &names {
        match std::fs::read_to_string(directory.join(name)) {
            Ok(text) => texts.push((name.as_str(), text)),
            Err(error) => errors.push(failed(name, error)),
        }
    }
    if !errors.is_empty() {
        return Err(PlanErrors(errors));
    }
    let files: Vec<(&str, &str)> = texts
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect();
    load(&files)
}

/// The names of the YAML files of a subdirectory, ascending.
fn listed(directory: &Path, name: &str) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory.join(name))? {
        let file = entry?.file_name().to_string_lossy().into_owned();
        if file.ends_with(".yaml") {
            names.push(format!("{name}/{file}"));
        }
    }
    names.sort();
    Ok(names)
}

/// Reads and checks the catalogue from its files, each a name (`catalogue/law.yaml`, …) and its text,
/// beside the package whose indicators it names.
pub fn load_catalogue(files: &[(&str, &str)], package: &Package) -> Result<Catalogue, PlanErrors> {
    let mut diagnostics = Diagnostics::default();
    let catalogue = read::catalogue::catalogue(files, &mut diagnostics);
    check::catalogue::catalogue(&catalogue, package, &mut diagnostics);
    let errors = diagnostics.finish();
    if errors.is_empty() {
        Ok(catalogue)
    } else {
        Err(PlanErrors(errors))
    }
}

impl Catalogue {
    /// The catalogue that is built in, of the built-in plan. It is loaded once.
    ///
    /// # Panics
    ///
    /// If its files have mistakes, which a test of this crate rules out.
    pub fn builtin() -> &'static Self {
        static BUILTIN: OnceLock<Catalogue> = OnceLock::new();
        BUILTIN.get_or_init(|| match load_catalogue(&CATALOGUE, &Package::builtin()) {
            Ok(catalogue) => catalogue,
            Err(errors) => panic!("the built-in catalogue has mistakes:\n{errors}"),
        })
    }
}

impl Package {
    /// Writes into each indicator which classes of data it needs.
    fn work_out_classes(&mut self) {
        for at in 0..self.indicators.len() {
            let classes = self.classes(&self.indicators[at].count);
            self.indicators[at].count.classes = classes.into_iter().collect();
        }
    }

    fn classes(&self, count: &Count) -> BTreeSet<String> {
        let sections = count
            .expressions()
            .flat_map(|source| self.reads(&count.of, source));
        let class = |section: String| Some(self.section(&section)?.1.class.clone());
        sections.filter_map(class).collect()
    }

    /// The plan that is built in. It is loaded once; clones share what was compiled.
    ///
    /// # Panics
    ///
    /// If the files of this crate's directory have mistakes, which a test of this crate rules out.
    pub fn builtin() -> Self {
        static PACKAGE: OnceLock<Package> = OnceLock::new();
        let load = || match load(&BUILTIN) {
            Ok(package) => package,
            Err(errors) => panic!("the built-in plan has mistakes:\n{errors}"),
        };
        PACKAGE.get_or_init(load).clone()
    }
}

/// What was noticed so far: mistakes, and where the keys are.
#[derive(Default)]
struct Diagnostics {
    errors: Vec<Diagnostic>,
    /// Lines by file and key.
    lines: BTreeMap<(String, String), u32>,
    /// The file of each subject.
    subjects: BTreeMap<String, String>,
}

impl Diagnostics {
    fn report(&mut self, file: &str, key: impl Into<String>, reason: impl Into<String>) {
        let (key, reason) = (key.into(), reason.into());
        let line = self.line(file, &key);
        let mistake = Diagnostic {
            file: file.to_owned(),
            line,
            key,
            reason,
        };
        if !self.errors.contains(&mistake) {
            self.errors.push(mistake);
        }
    }

    /// The line of a key, or of the nearest one around it.
    fn line(&self, file: &str, key: &str) -> u32 {
        let mut key = key;
        loop {
            if let Some(line) = self.lines.get(&(file.to_owned(), key.to_owned())) {
                return *line;
            }
            match key.rfind('.') {
                Some(dot) => key = &key[..dot],
                None => return 0,
            }
        }
    }

    fn subject_file(&self, subject: &str) -> String {
        self.subjects
            .get(subject)
            .cloned()
            .unwrap_or_else(|| "subjects".into())
    }

    fn finish(mut self) -> Vec<Diagnostic> {
        self.errors.sort();
        self.errors
    }
}

#[cfg(test)]
mod examples;
#[cfg(test)]
mod tests;
