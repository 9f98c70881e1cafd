//! Targets: a file of `catalogue/` is the list of one domain's, in the order of the plan.

use super::super::yaml::{Node, Value};
use super::indicator::{DIRECTIONS, PERIODS, TRENDS, UNITS, id_of};
use super::{DOMAINS, Entries, Reader, root};
use crate::catalogue::{Catalogue, Kind, Step, Target};
use crate::load::Diagnostics;

/// The file with the catalogue's version.
pub(in crate::load) const VERSION_FILE: &str = "catalogue/catalogue.yaml";

/// The file with the targets of a domain.
pub(in crate::load) fn file_of(domain: &str) -> String {
    format!("catalogue/{domain}.yaml")
}

/// Reads the files of the catalogue, each by its name.
pub(in crate::load) fn catalogue(
    files: &[(&str, &str)],
    diagnostics: &mut Diagnostics,
) -> Catalogue {
    let mut catalogue = Catalogue {
        version: 0,
        targets: Vec::new(),
    };
    for (file, text) in files {
        let Some(root) = root(file, text, diagnostics) else {
            continue;
        };
        let mut reader = Reader { diagnostics, file };
        if *file == VERSION_FILE {
            if let Some(mut entries) = reader.entries(&root, "") {
                catalogue.version = reader.version(&mut entries);
                reader.done(entries);
            }
            continue;
        }
        match DOMAINS.iter().find(|domain| file_of(domain) == *file) {
            Some(domain) => catalogue.targets.extend(reader.targets(&root, domain)),
            None => reader
                .diagnostics
                .report(file, "", "the catalogue has no such file"),
        }
    }
    for wanted in DOMAINS
        .map(file_of)
        .iter()
        .map(String::as_str)
        .chain([VERSION_FILE])
    {
        if !files.iter().any(|(file, _)| *file == wanted) {
            diagnostics.report(wanted, "", "the file is missing");
        }
    }
    let place = |domain: &str| DOMAINS.iter().position(|known| *known == domain);
    // However the files were ordered, the catalogue is the same.
    let targets = &mut catalogue.targets;
    targets.sort_by_key(|target| place(&target.domain));
    catalogue
}

impl Reader<'_> {
    fn targets(&mut self, root: &Node, domain: &str) -> Vec<Target> {
        let Value::List(nodes) = &root.value else {
            self.say_at(root, "", "must be a list");
            return Vec::new();
        };
        let nodes = nodes.iter().enumerate();
        nodes
            .filter_map(|(at, node)| self.target_of(node, at, domain))
            .collect()
    }

    fn target_of(&mut self, node: &Node, at: usize, domain: &str) -> Option<Target> {
        let named = id_of(node).map_or_else(|| at.to_string(), str::to_owned);
        let place = (self.file.to_owned(), named.clone());
        self.diagnostics.lines.insert(place, node.line);
        let mut entries = self.entries(node, &named)?;
        let key = self.some_text(&mut entries, "id");
        let item = self.need(&mut entries, "item");
        let item = item.and_then(|node| self.positive(node, &entries.key("item")));
        let title = self.words_in(&mut entries, "title");
        let quote = self.some_text(&mut entries, "source_quote");
        let clause = self.some_text(&mut entries, "source_clause");
        let kind = self.kind_of(&mut entries);
        let direction = self.word(&mut entries, "direction", &DIRECTIONS);
        let period = self.word(&mut entries, "period", &PERIODS);
        let target = self.need(&mut entries, "target");
        let target = target.and_then(|node| self.entries(node, &entries.key("target")));
        let responsible = self.responsible(&mut entries);
        let steps = entries.take("steps");
        let steps = steps.map(|node| self.steps(node, &entries.key("steps")));
        self.done(entries);
        let mut target = target?;
        let bound = self.bound(&mut target);
        let unit = self.word_if(&mut target, "unit", &UNITS);
        let year = self.year(&mut target, "year");
        let trend = self.word_if(&mut target, "trend", &TRENDS);
        let wording = self.text_if(&mut target, "wording");
        self.done(target);
        Some(Target {
            key,
            title,
            domain: domain.to_owned(),
            item: item?,
            quote,
            clause,
            kind: kind?,
            direction: direction?,
            unit,
            period: period?,
            bound,
            year,
            trend,
            wording,
            responsible: responsible?,
            steps: steps.unwrap_or_default(),
        })
    }

    /// `kind`, and what belongs to it: `indicator` of what is counted, `of` of what is composed.
    fn kind_of(&mut self, entries: &mut Entries<'_>) -> Option<Kind> {
        match self.text(entries, "kind")?.as_str() {
            "counted" => self.text(entries, "indicator").map(Kind::Counted),
            "reported" => Some(Kind::Reported),
            "qualitative" => Some(Kind::Qualitative),
            "composed" => Some(Kind::Composed(self.texts(entries, "of"))),
            other => {
                let known = "counted, reported, qualitative, composed";
                let why = format!("unknown word `{other}`: use one of {known}");
                self.report(&entries.key("kind"), why);
                None
            }
        }
    }

    fn steps(&mut self, node: &Node, key: &str) -> Vec<Step> {
        let Value::List(nodes) = &node.value else {
            self.say_at(node, key, "must be a list");
            return Vec::new();
        };
        let nodes = nodes.iter().enumerate();
        nodes
            .filter_map(|(at, node)| self.step(node, &format!("{key}.{at}")))
            .collect()
    }

    fn step(&mut self, node: &Node, key: &str) -> Option<Step> {
        let mut entries = self.entries(node, key)?;
        let year = self.year(&mut entries, "year");
        let amount = self.need(&mut entries, "amount");
        let amount = amount.and_then(|node| self.amount(node, &entries.key("amount")));
        self.done(entries);
        Some(Step {
            year,
            amount: amount?,
        })
    }
}
