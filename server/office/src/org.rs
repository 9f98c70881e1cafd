//! The org units of the plan as a tree: by their codes, every one led by its parent's.

use plan::Package;
use plan::unit::{Level, OrgUnit};
use words::Language;

use super::address::Address;
use super::layout::Link;
use super::page_error::PageError;

/// How long the codes of the levels are: 自治区, 盟, 旗, 苏木, 嘎查 and 社区.
const CODE_LENGTHS: [usize; 5] = [2, 4, 6, 9, 12];

/// The org unit that is asked for, or the banner; one that the plan does not have is a page that is
/// not there. None of a plan without units.
pub(super) fn chosen<'a>(
    package: &'a Package,
    code: Option<&str>,
) -> Result<Option<&'a OrgUnit>, PageError> {
    match code {
        Some(code) => package.unit(code).map(Some).ok_or(PageError::NotFound),
        None => Ok(banner(package)),
    }
}

/// The banner.
pub(super) fn banner(package: &Package) -> Option<&OrgUnit> {
    package
        .units
        .iter()
        .find(|unit| unit.level == Level::Banner)
}

/// Whether registers are kept in it: 嘎查 and communities.
pub(super) fn keeps_registers(unit: &OrgUnit) -> bool {
    matches!(unit.level, Level::Gacha | Level::Community)
}

/// The units right below one, by code; those that exist for statistics only are left out.
pub(super) fn children<'a>(package: &'a Package, code: &str) -> Vec<&'a OrgUnit> {
    let below = CODE_LENGTHS.into_iter().find(|length| *length > code.len());
    let is_child = |unit: &&OrgUnit| Some(unit.code.len()) == below && unit.code.starts_with(code);
    let kept = |unit: &&OrgUnit| !leaves(package, &unit.code).is_empty();
    package.units.iter().filter(is_child).filter(kept).collect()
}

/// The 嘎查 and communities below one, or itself.
pub(super) fn leaves<'a>(package: &'a Package, code: &str) -> Vec<&'a OrgUnit> {
    let units = package.units.iter();
    units
        .filter(|unit| keeps_registers(unit) && unit.cadres && unit.code.starts_with(code))
        .collect()
}

/// The units from the banner down to one, as links.
pub(super) fn way_to(
    package: &Package,
    code: &str,
    language: Language,
    address: impl Fn(&OrgUnit) -> Address,
) -> Vec<Link> {
    let root = banner(package).map_or(0, |banner| banner.code.len());
    let steps = CODE_LENGTHS
        .into_iter()
        .filter(|length| *length >= root && *length <= code.len());
    let units = steps.filter_map(|length| package.unit(code.get(..length)?));
    let link = |unit: &OrgUnit| Link {
        href: address(unit).in_language(language),
        title: unit.name.clone(),
        here: unit.code == code,
    };
    units.map(link).collect()
}
