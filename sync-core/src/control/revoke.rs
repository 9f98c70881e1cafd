//! Revocations: a device that is served no more, its spaces, and the cut up to which its batches
//! take effect (R24, R25).
//!
//! A revocation carries a **cut**: the tips that the office held of the device's feeds when it
//! revoked. What these tips cover counts as before; whatever else the device has signed or will
//! sign is held and waits for the office ([`crate::quarantine`]). A revocation wins over every
//! enrolment of the device, older or not: whoever is to come back comes with a new key. Of several
//! revocations all cuts hold together, so that the state does not depend on their order (R18).

use std::collections::{BTreeMap, BTreeSet};

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};

use super::entry::{ControlEntry, GRANTS_MAX, Signer, kind, seal_entry};
use crate::cbor::{self, List};
use crate::feed::Tip;
use crate::id::{DeviceId, NetworkId, Space};
use crate::shape::{SpaceWire, TipWire};

/// Ends of branches that a cut names in one space; what a device signed on more branches waits for the
/// office. An honest device has one.
const CUT_TIPS_MAX: usize = 32;

/// Why a device is revoked; for people to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevokeReason {
    /// Nothing was said.
    Unsaid,
    /// The device is lost.
    Lost,
    /// Somebody else has it.
    Stolen,
    /// Its person does other work now.
    Left,
}

impl RevokeReason {
    const ALL: [Self; 4] = [Self::Unsaid, Self::Lost, Self::Stolen, Self::Left];

    fn number(self) -> u8 {
        match self {
            Self::Unsaid => 0,
            Self::Lost => 1,
            Self::Stolen => 2,
            Self::Left => 3,
        }
    }

    /// The reason with this number; what a newer version added says nothing here.
    fn of(number: u8) -> Self {
        let known = Self::ALL
            .into_iter()
            .find(|reason| reason.number() == number);
        known.unwrap_or(Self::Unsaid)
    }

    /// How it stands in the JSON of the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unsaid => "unsaid",
            Self::Lost => "lost",
            Self::Stolen => "stolen",
            Self::Left => "left",
        }
    }
}

/// Takes spaces from a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// The device.
    pub device: DeviceId,
    /// It loses all it has and ever is granted, not only the spaces below.
    pub whole: bool,
    /// The spaces with their cuts. A space that is not here has an empty one.
    pub cut: BTreeMap<Space, BTreeSet<Tip>>,
    /// Why.
    pub reason: RevokeReason,
}

#[derive(Encode, Decode)]
struct RevocationWire {
    #[n(0)]
    device: ByteArray<8>,
    #[n(1)]
    whole: bool,
    #[n(2)]
    cut: List<CutWire, GRANTS_MAX>,
    #[n(3)]
    reason: u8,
}

#[derive(Encode, Decode)]
struct CutWire {
    #[n(0)]
    space: SpaceWire,
    #[n(1)]
    tips: List<TipWire, CUT_TIPS_MAX>,
}

impl Revocation {
    fn encode(&self) -> Vec<u8> {
        let cut = self.cut.iter().map(|(space, tips)| CutWire {
            space: SpaceWire::of(space),
            tips: tips.iter().take(CUT_TIPS_MAX).map(TipWire::of).collect(),
        });
        cbor::encode(&RevocationWire {
            device: self.device.0.into(),
            whole: self.whole,
            cut: cut.collect(),
            reason: self.reason.number(),
        })
    }

    pub(super) fn decode(content: &[u8]) -> Option<Self> {
        let wire: RevocationWire = cbor::decode(content).ok()?;
        let cut = wire.cut.into_iter().filter_map(|cut| {
            let tips = cut.tips.0.iter().map(TipWire::tip);
            Some((cut.space.space()?, tips.collect()))
        });
        Some(Self {
            device: DeviceId(wire.device.into()),
            whole: wire.whole,
            cut: cut.collect(),
            reason: RevokeReason::of(wire.reason),
        })
    }
}

impl ControlEntry {
    /// The entry that takes spaces from a device; whoever holds one of them needs it.
    pub fn revoke(network: NetworkId, revocation: &Revocation, signer: Signer<'_>) -> Vec<u8> {
        let scope = revocation.cut.keys().map(SpaceWire::of).collect();
        let content = revocation.encode();
        seal_entry(network, kind::REVOKE, Some(scope), content, signer)
    }
}

/// What is taken from one device.
#[derive(Clone, Debug, Default)]
struct Taken {
    whole: Option<RevokeReason>,
    cut: BTreeMap<Space, BTreeSet<Tip>>,
}

/// The join of the revocations held.
#[derive(Clone, Debug, Default)]
pub(super) struct Revocations(BTreeMap<DeviceId, Taken>);

impl Revocations {
    pub(super) fn join(&mut self, revocation: &Revocation) {
        let taken = self.0.entry(revocation.device).or_default();
        if revocation.whole {
            // Of two reasons the later in the list is the graver one, but for who has left.
            let graver = |held: RevokeReason| match held.number() > revocation.reason.number() {
                true => held,
                false => revocation.reason,
            };
            taken.whole = Some(taken.whole.map_or(revocation.reason, graver));
        }
        for (space, tips) in &revocation.cut {
            taken.cut.entry(space.clone()).or_default().extend(tips);
        }
    }

    /// Whether the device has lost all it had.
    pub(super) fn whole(&self, device: DeviceId) -> Option<RevokeReason> {
        self.0.get(&device)?.whole
    }

    /// The cut of a device's feed in a space, if it has lost the space.
    pub(super) fn cut(&self, device: DeviceId, space: &Space) -> Option<&BTreeSet<Tip>> {
        static NOTHING: BTreeSet<Tip> = BTreeSet::new();
        let taken = self.0.get(&device)?;
        match taken.cut.get(space) {
            Some(tips) => Some(tips),
            None => taken.whole.map(|_| &NOTHING),
        }
    }

    /// Whether a device has lost a space.
    pub(super) fn has_lost(&self, device: DeviceId, space: &Space) -> bool {
        let taken = self.0.get(&device);
        taken.is_some_and(|taken| taken.whole.is_some() || taken.cut.contains_key(space))
    }

    /// The devices that have lost anything.
    pub(super) fn devices(&self) -> impl Iterator<Item = DeviceId> {
        self.0.keys().copied()
    }
}
