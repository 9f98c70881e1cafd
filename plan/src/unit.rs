//! The org units of the banner: statistical division codes, every one led by its parent's.

use minicbor::{Decode, Encode};

/// An org unit.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Unit {
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

/// The level of an org unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum Level {
    /// 自治区.
    #[n(0)]
    Region,
    /// 盟.
    #[n(1)]
    League,
    /// 旗.
    #[n(2)]
    Banner,
    /// 苏木、镇, or an enterprise unit of that rank.
    #[n(3)]
    Sumu,
    /// 嘎查.
    #[n(4)]
    Gacha,
    /// 社区.
    #[n(5)]
    Community,
}
