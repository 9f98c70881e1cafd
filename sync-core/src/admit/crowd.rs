//! Bound on what one device writes side by side on a record.
//!
//! A writer names every change that it saw and that nothing was built on. A device that leaves hundreds
//! of them would make the record too wide for anybody to edit. So in ascending (`start_op`, hash), a
//! change is **over** where [`BESIDE_MAX`] changes of its device that are not over lie outside its past,
//! none of them in the past of another. It is set aside, unless an admitted change of another device
//! rests on it: an honest edit does not suffer for what it was made on.

use std::collections::{BTreeMap, BTreeSet};

use super::{AsideReason, Bits, Candidate};
use crate::id::DeviceId;

/// Most changes of one device side by side on a record, in one space. An honest device has a few: a
/// change of its next form rests on those of the forms before.
pub const BESIDE_MAX: usize = 16;

/// The changes of each device that none of its later ones rests on.
#[derive(Default)]
pub(super) struct Tops(BTreeMap<DeviceId, Vec<usize>>);

impl Tops {
    /// Takes the next valid change; whether it is over.
    pub(super) fn take(&mut self, device: DeviceId, at: usize, past: &Bits) -> bool {
        let own = self.0.entry(device).or_default();
        let outside = own.iter().filter(|top| !past.has(**top)).count();
        if outside >= BESIDE_MAX {
            return true;
        }
        own.retain(|top| !past.has(*top));
        own.push(at);
        false
    }
}

/// Sets aside those of `over` that no admitted change of another device rests on, and what follows them.
pub(super) fn thin(
    candidates: &[Candidate<'_>],
    deps: &[Vec<Option<usize>>],
    mut over: Vec<usize>,
    reasons: &mut [Option<AsideReason>],
) {
    // What is set aside may be what another one was kept for; so again, until nothing more goes.
    while !over.is_empty() {
        let needed = needed(candidates, deps, &over, reasons);
        let (kept, gone): (Vec<usize>, Vec<usize>) =
            over.iter().partition(|at| needed.contains(*at));
        if gone.is_empty() {
            return;
        }
        for at in gone {
            reasons[at] = Some(AsideReason::Crowded);
        }
        for (at, deps) in deps.iter().enumerate() {
            if reasons[at].is_none()
                && let Some(dep) = deps.iter().flatten().find(|dep| reasons[**dep].is_some())
            {
                let dep = candidates[*dep].change.hash;
                reasons[at] = Some(AsideReason::Follows { dep });
            }
        }
        over = kept
            .into_iter()
            .filter(|at| reasons[*at].is_none())
            .collect();
    }
}

/// Which of `over` an admitted change of another device rests on, directly or not.
fn needed(
    candidates: &[Candidate<'_>],
    deps: &[Vec<Option<usize>>],
    over: &[usize],
    reasons: &[Option<AsideReason>],
) -> BTreeSet<usize> {
    let mut needed = BTreeSet::new();
    let devices: BTreeSet<DeviceId> = over.iter().map(|at| candidates[*at].device).collect();
    for device in devices {
        let mut below = vec![false; candidates.len()];
        // Dependencies stand before what rests on them.
        for at in (0..candidates.len()).rev() {
            let is_others = candidates[at].device != device && reasons[at].is_none();
            if below[at] || is_others {
                for dep in deps[at].iter().flatten().filter(|dep| **dep < at) {
                    below[*dep] = true;
                }
            }
        }
        let own = over.iter().filter(|at| candidates[**at].device == device);
        needed.extend(own.filter(|at| below[**at]));
    }
    needed
}
