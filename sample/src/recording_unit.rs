//! Recording units: the units that keep registers, and the number of people in each.

use plan::Package;
use plan::unit::{Level, OrgUnit};

use crate::draw::{Draw, Matter};

/// People of the banner that the shares below are taken from.
const BANNER: usize = 45_000;
/// People of a 嘎查 in a banner of that size; who is left lives in the communities.
const GACHA: usize = 220;
/// The smallest unit has one household.
const PEOPLE_MIN: usize = 2;
/// Phones of a community: one for so many people, between these numbers. Each phone holds the whole
/// community, so one more costs as much as another community of that size.
const COMMUNITY_PEOPLE: usize = 2000;
const COMMUNITY_PHONES: (usize, usize) = (2, 3);

/// A unit that keeps registers.
#[derive(Clone, Debug)]
pub(crate) struct RecordingUnit<'a> {
    pub(crate) unit: &'a OrgUnit,
    /// Its place among all such units, in the order of their codes.
    pub(crate) number: u64,
    /// How many people are recorded there, over all years.
    pub(crate) people: usize,
    /// How many phones record them.
    pub(crate) phones: usize,
}

impl RecordingUnit<'_> {
    /// Whether it is a 嘎查.
    pub(crate) fn pastoral(&self) -> bool {
        self.unit.level == Level::Gacha
    }

    /// Code of CL-AREA. All communities of the plan belong to the banner's seat.
    pub(crate) fn area(&self) -> &'static str {
        if self.pastoral() { "1" } else { "3" }
    }

    /// Code of CL-CAMP: what counts as the main dwelling.
    pub(crate) fn camp(&self) -> &'static str {
        if self.pastoral() { "1" } else { "4" }
    }
}

/// The units with cadres, and how `people` are spread over them. Every unit has at least one
/// household, so few people become a few more.
pub(crate) fn places(package: &Package, people: usize, seed: u64) -> Vec<RecordingUnit<'_>> {
    let kept = package.units.iter().filter(|unit| unit.cadres);
    let units: Vec<&OrgUnit> = kept
        .filter(|unit| matches!(unit.level, Level::Gacha | Level::Community))
        .collect();
    let gachas = units
        .iter()
        .filter(|unit| unit.level == Level::Gacha)
        .count();
    let communities = units.len() - gachas;
    let in_gachas = match communities {
        0 => people,
        _ => (people * GACHA * gachas / BANNER).min(people),
    };
    let mut gacha_shares = shares(in_gachas, gachas, seed).into_iter();
    let mut community_shares = shares(people - in_gachas, communities, seed).into_iter();
    units
        .into_iter()
        .zip(0..)
        .map(|(unit, number)| {
            let pastoral = unit.level == Level::Gacha;
            let share = match pastoral {
                true => gacha_shares.next(),
                false => community_shares.next(),
            };
            let people = share.unwrap_or_default().max(PEOPLE_MIN);
            let (few, many) = COMMUNITY_PHONES;
            RecordingUnit {
                unit,
                number,
                people,
                phones: match pastoral {
                    true => 1 + usize::from(number.is_multiple_of(2)),
                    false => (people / COMMUNITY_PEOPLE).clamp(few, many),
                },
            }
        })
        .collect()
}

/// Splits a total into uneven parts whose sum it is.
fn shares(total: usize, parts: usize, seed: u64) -> Vec<usize> {
    let mut draw = Draw::of(seed, Matter::Family, u64::MAX, parts as u64);
    let weights: Vec<usize> = (0..parts)
        .map(|_| usize::try_from(draw.within(75, 125)).unwrap_or(100))
        .collect();
    let whole: usize = weights.iter().sum();
    let mut before = 0;
    let mut given = 0;
    let mut share = |weight: &usize| {
        before += weight;
        let until = total * before / whole.max(1);
        let part = until - given;
        given = until;
        part
    };
    weights.iter().map(&mut share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_banner_has_its_herders_in_71_gachas_and_the_rest_in_four_communities() {
        let package = Package::builtin();
        let places = places(&package, 45_000, 1);
        let (gachas, communities): (Vec<_>, Vec<_>) =
            places.iter().partition(|place| place.pastoral());
        assert_eq!((gachas.len(), communities.len()), (71, 4));
        let people: usize = places.iter().map(|place| place.people).sum();
        assert_eq!(people, 45_000);
        let herders: usize = gachas.iter().map(|place| place.people).sum();
        assert_eq!(herders, 71 * 220);
        assert!(
            gachas
                .iter()
                .all(|place| (150..300).contains(&place.people))
        );
    }

    #[test]
    fn however_few_people_are_asked_for_every_unit_has_a_household() {
        let package = Package::builtin();
        assert!(places(&package, 1, 1).iter().all(|place| place.people == 2));
    }
}
