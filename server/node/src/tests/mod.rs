//! Behaviour of the node, with phones that say what a test wants.

mod authoring;
mod bounded;
mod enrolling;
mod erasing;
mod exchanging;
mod generations;
mod installing;
mod loading;
mod moving;
mod parked;
mod recounting;
mod referring;
mod restoring;
mod same_person;
mod sealing;
mod set_back;
mod statements;
mod verifying;
mod wiping;

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use plan::Package;

use crate::testing::{
    Cadre, GACHA, MINE, NOON, OTHER_GACHA, Phone, TestServer, household, id_number, options,
    package, person, record_id, woman,
};
use crate::{App, CodeRequest, Options};

/// Numbers from a seed (Knuth's MMIX generator; the high half is random enough here).
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}
