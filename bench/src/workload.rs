//! One village as `workload.py` of the peers' benchmarks shapes it, on the fields of our plan: 250
//! households and 350 women, each edited five times afterwards by three devices, 1 to 3 fields at a
//! time. Seeded; everything is invented.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Households of a village.
pub(crate) const HOUSEHOLDS: usize = 250;
/// Women of a village.
pub(crate) const WOMEN: usize = 350;
/// Later edits of each record.
pub(crate) const EDITS_PER_RECORD: usize = 5;

const NAMES: [&str; 30] = [
    "其其格",
    "乌云",
    "萨仁",
    "高娃",
    "娜仁",
    "托娅",
    "斯琴",
    "格日勒",
    "通拉嘎",
    "乌兰",
    "琪琪格",
    "阿拉坦",
    "巴特尔",
    "苏日娜",
    "塔娜",
    "敖登",
    "哈斯",
    "红格尔",
    "朝鲁",
    "孟克",
    "宝音",
    "那顺",
    "图雅",
    "呼和",
    "满都拉",
    "乌日娜",
    "额尔敦",
    "布仁",
    "青格勒",
    "道尔吉",
];
const SCRIPT: [&str; 8] = [
    "ᠴᠡᠴᠡᠭ",
    "ᠰᠠᠷᠠᠨ",
    "ᠨᠠᠷᠠᠨ",
    "ᠲᠤᠶᠠᠭᠠ",
    "ᠣᠶᠤᠨ",
    "ᠭᠡᠷᠡᠯ",
    "ᠡᠷᠳᠡᠨᠢ",
    "ᠪᠠᠶᠠᠷ",
];
const PLACES: [&str; 4] = ["苏木卫生院", "旗妇幼保健所", "流动筛查车", "盟医院"];
const NOTES: [&str; 8] = [
    "冬季不在家",
    "需上门随访",
    "电话打不通",
    "子女外出务工",
    "已搬至旗里",
    "改水项目未验收",
    "道路雨天不通",
    "等待复查结果",
];
const WATER: [&str; 6] = ["02", "03", "04", "05", "06", "08"];
const TOILET: [&str; 5] = ["01", "04", "06", "08", "09"];
const EDUCATION: [&str; 5] = ["20", "30", "60", "70", "80"];
const MARITAL: [&str; 4] = ["10", "21", "22", "30"];

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A household.
    Household,
    /// A woman.
    Woman,
}

/// A draw of the workload.
pub(crate) struct Workload(ChaCha8Rng);

/// `section.field=value` each, as somebody types them.
pub(crate) type Sets = Vec<String>;

impl Workload {
    /// The workload of a village.
    pub(crate) fn of_village(village: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(20_240_601_000 + village))
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.0.next_u64() % end.max(1) as u64) as usize
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }

    fn digits(&mut self, count: usize) -> String {
        (0..count)
            .map(|_| char::from(b'0' + self.below(10) as u8))
            .collect()
    }

    fn phone(&mut self) -> String {
        format!("100{}", self.digits(8))
    }

    fn date(&mut self, from: usize, to: usize) -> String {
        let year = from + self.below(to - from + 1);
        format!("{year}-{:02}-{:02}", 1 + self.below(12), 1 + self.below(28))
    }

    fn name(&mut self) -> String {
        if self.below(4) == 0 {
            return self.pick(&SCRIPT).to_owned();
        }
        format!("{}{}", self.pick(&NAMES), self.pick(&NAMES))
    }

    /// A new record's values.
    pub(crate) fn record(&mut self, kind: Kind) -> Sets {
        let set = |key: &str, value: &str| format!("{key}={value}");
        match kind {
            Kind::Household => {
                let members = 1 + self.below(7);
                vec![
                    set("household.household_no", &self.digits(4)),
                    set("household.head_name", &self.name()),
                    set("household.head_sex", self.pick(&["1", "2"])),
                    set("household.area_type", self.pick(&["1", "2"])),
                    set("household.residence_status", "1"),
                    set("household.resident_population", &members.to_string()),
                    set(
                        "household.resident_female",
                        &self.below(members + 1).to_string(),
                    ),
                    set("household.main_camp", "1"),
                    set("household.phone", &self.phone()),
                    set("water.observed_on", &self.date(2022, 2024)),
                    set("water.camp", "1"),
                    set("water.source", self.pick(&WATER)),
                    set("water.users", &members.to_string()),
                    set("water.treatment", "0"),
                    set("water.quality", "3"),
                    set("toilet.observed_on", &self.date(2022, 2024)),
                    set("toilet.camp", "1"),
                    set("toilet.type", self.pick(&TOILET)),
                    set("toilet.in_use", "true"),
                    set("toilet.remark", self.pick(&NOTES)),
                ]
            }
            Kind::Woman => {
                let birth = self.date(1955, 2006);
                let number =
                    sample::people::id_number(&birth.replace('-', ""), 2 * self.below(500) as u32);
                vec![
                    set("identity.name", &self.name()),
                    set("identity.sex", "2"),
                    set("identity.id_type", "01"),
                    set("identity.id_no", &number),
                    set("identity.birth_date", &birth),
                    set("identity.phone", &self.phone()),
                    set("background.education_level", self.pick(&EDUCATION)),
                    set("background.marital_status", self.pick(&MARITAL)),
                    set("background.literate", "true"),
                    set("residence.since", &self.date(2015, 2021)),
                    set("residence.status", "1"),
                    set("screening.cancer", "C"),
                    set("screening.round", "2022"),
                    set("screening.on_target_list", "true"),
                    set("screening.screened_on", &self.date(2022, 2022)),
                    set("screening.place", self.pick(&PLACES)),
                    set("screening.cervical_method", self.pick(&["TCT", "HPV"])),
                    set("spouse_away.since", &self.date(2020, 2023)),
                    set("spouse_away.reason", "1"),
                ]
            }
        }
    }

    /// An edit of one to three fields of sections that every record of the kind has in the class
    /// that the village and the clinic share. Values are new with near certainty.
    pub(crate) fn edit(&mut self, kind: Kind) -> Sets {
        self.edit_of(kind, 3)
    }

    /// The same of at most so many fields.
    pub(crate) fn edit_of(&mut self, kind: Kind, most: usize) -> Sets {
        let count = 1 + self.below(most);
        let mut fields: Vec<usize> = (0..6).collect();
        let mut sets = Vec::new();
        for _ in 0..count {
            let field = fields.remove(self.below(fields.len()));
            sets.push(self.field(kind, field));
        }
        sets
    }

    /// A new value of one field.
    pub(crate) fn field(&mut self, kind: Kind, field: usize) -> String {
        match (kind, field) {
            (Kind::Household, 0) => format!("household.head_name={}", self.name()),
            (Kind::Household, 1) => format!("household.phone={}", self.phone()),
            (Kind::Household, 2) => format!("household.household_no={}", self.digits(4)),
            (Kind::Household, 3) => format!("household.resident_population={}", 8 + self.below(20)),
            (Kind::Household, 4) => format!("household.registered_population={}", self.below(30)),
            (Kind::Household, _) => {
                format!("household.distance_to_gacha_km={}", self.below(300))
            }
            (Kind::Woman, 0) => format!("identity.name={}", self.name()),
            (Kind::Woman, 1) => format!("identity.phone={}", self.phone()),
            (Kind::Woman, 2) => format!("background.education_level={}", self.pick(&EDUCATION)),
            (Kind::Woman, 3) => format!("background.marital_status={}", self.pick(&MARITAL)),
            (Kind::Woman, 4) => format!("identity.aliases={}", self.name()),
            (Kind::Woman, _) => format!("background.literate={}", self.below(2) == 0),
        }
    }
}

/// The kind of the record at this place of a village.
pub(crate) fn kind_at(place: usize) -> Kind {
    if place < HOUSEHOLDS {
        Kind::Household
    } else {
        Kind::Woman
    }
}
