//! The org units of the banner: statistical division codes, every one led by its parent's.

use minicbor::{Decode, Encode};

use crate::open::numbered;

/// An org unit.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct OrgUnit {
    /// 2, 4, 6, 9 or 12 digits.
    #[n(0)]
    pub code: String,
    /// Its level.
    #[n(1)]
    pub level: Level,
    /// Its name.
    #[n(2)]
    pub name: String,
    /// Whether somebody keeps registers there. The mine and its virtual community exist for
    /// statistics only.
    #[n(3)]
    pub cadres: bool,
}

numbered! {
    /// The level of an org unit.
    pub enum Level {
        /// 自治区.
        0 => Region,
        /// 盟.
        1 => League,
        /// 旗.
        2 => Banner,
        /// 苏木、镇, or an enterprise unit of that rank.
        3 => Sumu,
        /// 嘎查.
        4 => Gacha,
        /// 社区.
        5 => Community,
    }
}
