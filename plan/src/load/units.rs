//! The tree of org units, from `units.csv`.

use super::Diagnostics;
use crate::unit::{Level, OrgUnit};

/// The units of a file with one line for each, every unit below the one it belongs to.
pub(super) fn read(text: &str, diagnostics: &mut Diagnostics, file: &str) -> Vec<OrgUnit> {
    const HEADER: &str = "code,parent_code,level,name_zh,class,cadres";
    let mut lines = text.lines();
    if lines.next() != Some(HEADER) {
        diagnostics.report(file, "", format!("the first line must be {HEADER}"));
        return Vec::new();
    }
    let mut units: Vec<OrgUnit> = Vec::new();
    for (at, line) in lines.enumerate() {
        let columns: Vec<&str> = line.split(',').collect();
        let [code, parent, level, name, _, cadres] = columns[..] else {
            let key = format!("line {}", at + 2);
            diagnostics.report(file, key, "must have six columns");
            continue;
        };
        diagnostics.lines.insert(
            (file.to_owned(), code.to_owned()),
            u32::try_from(at + 2).unwrap_or(0),
        );
        let (level, digits) = match level {
            "region" => (Level::Region, 2),
            "league" => (Level::League, 4),
            "banner" => (Level::Banner, 6),
            "sumu" => (Level::Sumu, 9),
            "gacha" => (Level::Gacha, 12),
            "community" => (Level::Community, 12),
            other => {
                diagnostics.report(file, code, format!("unknown level `{other}`"));
                continue;
            }
        };
        if code.len() != digits || !code.bytes().all(|byte| byte.is_ascii_digit()) {
            diagnostics.report(file, code, format!("the code must have {digits} digits"));
        }
        if !(parent.is_empty() && level == Level::Region) {
            let above = units.iter().find(|unit| unit.code == parent);
            if !code.starts_with(parent) || above.is_none_or(|above| above.level >= level) {
                diagnostics.report(
                    file,
                    code,
                    format!("no unit above it has the code `{parent}`"),
                );
            }
        }
        if name.is_empty() {
            diagnostics.report(file, code, "the name is empty");
        }
        if !matches!(cadres, "true" | "false") {
            diagnostics.report(file, code, "`cadres` must be true or false");
        }
        if units.iter().any(|unit| unit.code == code) {
            diagnostics.report(file, code, "the code is there twice");
        }
        let (code, name) = (code.to_owned(), name.to_owned());
        units.push(OrgUnit {
            code,
            level,
            name,
            cadres: cadres == "true",
        });
    }
    units
}
