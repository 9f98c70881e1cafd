//! Names, from word lists (`names/README.md`).

use crate::draw::Draw;

/// The words that names are made of.
pub(crate) struct Names {
    mongol_female: Vec<&'static str>,
    mongol_male: Vec<&'static str>,
    surnames: Vec<&'static str>,
    han_female: Vec<&'static str>,
    han_male: Vec<&'static str>,
    variants: Vec<(&'static str, &'static str)>,
}

/// How a family is named.
#[derive(Clone, Copy)]
pub(crate) enum Custom {
    /// A given name and no surname.
    Mongol,
    /// A surname before the given name.
    Han(&'static str),
}

impl Names {
    /// The lists of this crate.
    pub(crate) fn new() -> Self {
        let unisex = lines(include_str!("../names/mongol-given-unisex.txt"));
        let with_unisex = |text| [lines(text), unisex.clone()].concat();
        let pair = |line: &'static str| {
            let mut columns = line.split('\t');
            Some((columns.next()?, columns.next()?))
        };
        Self {
            mongol_female: with_unisex(include_str!("../names/mongol-given-female.txt")),
            mongol_male: with_unisex(include_str!("../names/mongol-given-male.txt")),
            surnames: lines(include_str!("../names/han-surnames.txt")),
            han_female: lines(include_str!("../names/han-given-chars-female.txt")),
            han_male: lines(include_str!("../names/han-given-chars-male.txt")),
            variants: include_str!("../names/mongol-name-variants.tsv")
                .lines()
                .skip(1)
                .filter_map(pair)
                .collect(),
        }
    }

    /// The custom of a family of which `percent` in 100 are Mongol.
    pub(crate) fn custom(&self, draw: &mut Draw, mongol_percent: i64) -> Custom {
        if draw.percent(mongol_percent) {
            return Custom::Mongol;
        }
        draw.pick_early(&self.surnames)
            .map_or(Custom::Mongol, Custom::Han)
    }

    /// A person's name.
    pub(crate) fn name(&self, draw: &mut Draw, custom: Custom, female: bool) -> String {
        match custom {
            Custom::Mongol => {
                let list = if female {
                    &self.mongol_female
                } else {
                    &self.mongol_male
                };
                draw.pick_early(list).unwrap_or_default().to_owned()
            }
            Custom::Han(surname) => {
                let list = if female {
                    &self.han_female
                } else {
                    &self.han_male
                };
                let characters = if draw.percent(65) { 2 } else { 1 };
                let given: String = (0..characters)
                    .filter_map(|_| draw.pick_early(list))
                    .collect();
                format!("{surname}{given}")
            }
        }
    }

    /// The custom of who marries in.
    pub(crate) fn spouse(&self, draw: &mut Draw, custom: Custom) -> Custom {
        match custom {
            Custom::Han(_) => draw
                .pick_early(&self.surnames)
                .map_or(Custom::Mongol, Custom::Han),
            Custom::Mongol => Custom::Mongol,
        }
    }

    /// The same name as somebody else writes it, where it has two spellings.
    pub(crate) fn variant(&self, name: &str) -> String {
        let other = self.variants.iter().find_map(|(a, b)| {
            let of = |from: &str, to: &str| name.contains(from).then(|| name.replacen(from, to, 1));
            of(a, b).or_else(|| of(b, a))
        });
        other.unwrap_or_else(|| name.to_owned())
    }
}

fn lines(text: &'static str) -> Vec<&'static str> {
    text.lines().filter(|line| !line.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_two_spellings_has_the_other_one_and_any_other_name_stays() {
        let names = Names::new();
        assert_eq!(names.variant("萨仁图雅"), "萨仁托娅");
        assert_eq!(names.variant("王芳"), "王芳");
    }
}
