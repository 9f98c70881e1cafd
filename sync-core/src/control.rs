//! The control feed: root statements, enrolments, the plan package, orders. No personal data, always
//! sent first.
//!
//! Entries are unique and grow-only, and the state is a join over them: it does not depend on their
//! order or on forks of the server that wrote them (R18). Kinds are open: an entry of an unknown
//! kind is checked, kept and passed on, so that an old phone carries what a newer one needs.

mod counted_elsewhere;
mod entry;
mod erasure;
mod exclusion;
mod moved;
mod order;
mod revoke;
mod root;
mod roster;
mod same_person;
mod seal_key;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};

use plan::Package;

use crate::batch::{BadBatch, Batch};
use crate::cbor;
use crate::feed::Tip;
use crate::id::{
    AuthorId, BatchHash, ChangeHash, DeviceId, EntryHash, NetworkId, RecordId, Short, Space,
};
use crate::seal::PublicKey;
use crate::shape::SpaceWire;

use counted_elsewhere::CountedElsewheres;
pub use counted_elsewhere::{Absence, CountedElsewhere};
pub use entry::{
    BadEntry, CONTROL_ENTRY_BYTES_MAX, ControlEntry, GRANTS_MAX, ROOT_LIST_MAX, Signer, plain_key,
    suite_key,
};
use entry::{BodyWire, Content, EntryWire, SUITE, kind, name_of, signed_message};
pub use erasure::Cut;
use erasure::Erasures;
use exclusion::Exclusions;
pub use exclusion::{Exclusion, LEFT_OUT_MAX};
pub use moved::Moved;
use moved::Moves;
use order::OrderNumbers;
pub use order::{
    ERASE_ALONE_MAX, ORDER_NAMES_MAX, Order, OrderFile, OrderKind, VERDICT_ALONE_MAX,
    VERDICT_NODE_MAX, WIPE_ALONE_MAX,
};
use revoke::Revocations;
pub use revoke::{Revocation, RevokeReason};
pub use root::RootStatement;
use root::Roots;
pub use roster::Enrolment;
use roster::Roster;
use same_person::SamePersons;
pub use same_person::{SamePerson, UnitRecord};
pub use seal_key::SealKey;
pub use verdict::Verdict;
use verdict::Verdicts;

/// The join of all control entries held.
#[derive(Clone, Debug)]
pub struct Control {
    network: NetworkId,
    entries: BTreeMap<EntryHash, ControlEntry>,
    /// Order in which the entries came in here; for the position of an exchange only.
    arrivals: Vec<EntryHash>,
    roots: Roots,
    roster: Roster,
    package: Option<EntryHash>,
    /// Who counts in another unit.
    elsewhere: CountedElsewheres,
    /// The newest key to which the server is sealed to.
    seal_key: Option<SealKey>,
    order_numbers: OrderNumbers,
    erasures: Erasures,
    revocations: Revocations,
    verdicts: Verdicts,
    /// What the server has decided on records that were parked.
    excluded: Exclusions,
    /// Who goes on as another record in another unit.
    moves: Moves,
    /// Who is one person in two units, as the office says.
    same_persons: SamePersons,
}

impl Control {
    /// The empty state of a network.
    pub fn new(network: NetworkId) -> Self {
        Self {
            network,
            entries: BTreeMap::new(),
            arrivals: Vec::new(),
            roots: Roots::default(),
            roster: Roster::default(),
            package: None,
            elsewhere: CountedElsewheres::default(),
            seal_key: None,
            order_numbers: OrderNumbers::default(),
            erasures: Erasures::default(),
            revocations: Revocations::default(),
            verdicts: Verdicts::default(),
            excluded: Exclusions::default(),
            moves: Moves::default(),
            same_persons: SamePersons::default(),
        }
    }

    /// The network.
    pub fn network(&self) -> NetworkId {
        self.network
    }

    /// Checks an entry against what is held, without taking it. `Ok(None)`: held already.
    ///
    /// A root statement must come before what its nodes signed; that is the order in which they are
    /// stored and sent.
    pub fn check(&self, bytes: &[u8]) -> Result<Option<ControlEntry>, BadEntry> {
        let wire = EntryWire::read(bytes)?;
        let message = signed_message(self.network, &wire.body);
        let hash = name_of(&message);
        if self.entries.contains_key(&hash) {
            return Ok(None);
        }
        let body: BodyWire = cbor::decode(&wire.body).map_err(|_| BadEntry::Envelope)?;
        if body.suite != SUITE {
            return Err(BadEntry::Envelope);
        }
        let may = match body.kind {
            kind::ROOT => self.roots.may_sign_root(self.network, &body.content),
            _ => self.roots.may_sign(),
        };
        let signers = wire.signers(&message, &may);
        self.check_signers(body.kind, &signers)?;
        let content = match body.kind {
            kind::ROOT => Content::Root(self.roots.check(self.network, &body.content, &signers)?),
            kind::ENROL => Content::Enrol(Enrolment::decode(&body.content)?),
            kind::PACKAGE => match Package::from_cbor(&body.content) {
                Ok(package) => Content::Package(Box::new(package)),
                // Written for a newer version: kept and passed on, not used.
                Err(_) => Content::Unknown,
            },
            kind::ELSEWHERE => match CountedElsewhere::decode(&body.content) {
                Some((statement, number)) => Content::Elsewhere(statement, number),
                None => Content::Unknown,
            },
            kind::SEAL_KEY => match SealKey::decode(&body.content) {
                Some(key) => Content::SealKey(key),
                None => Content::Unknown,
            },
            kind::REVOKE => match Revocation::decode(&body.content) {
                Some(revocation) => Content::Revoke(revocation),
                None => Content::Unknown,
            },
            kind::LEFT_OUT => match Exclusion::decode(&body.content) {
                Some(verdict) => Content::LeftOut(verdict),
                None => Content::Unknown,
            },
            kind::SAME_PERSON => match SamePerson::decode(&body.content) {
                Some(said) => Content::SamePerson(Box::new(said)),
                None => Content::Unknown,
            },
            kind::MOVED => match Moved::decode(&body.content) {
                Some(moved) => Content::Moved(Box::new(moved)),
                None => Content::Unknown,
            },
            number => match OrderKind::of(number) {
                Some(kind) => {
                    Content::Order(kind, Order::check(kind, &body, &signers, &self.roots)?)
                }
                None => Content::Unknown,
            },
        };
        let scope = body.scope.map(|spaces| {
            spaces
                .0
                .iter()
                .filter_map(SpaceWire::space)
                .collect::<BTreeSet<_>>()
        });
        Ok(Some(ControlEntry {
            hash,
            scope,
            bytes: bytes.to_vec(),
            content,
        }))
    }

    /// Who may sign an entry of a kind. Root statements and orders have rules of their own.
    fn check_signers(&self, number: u16, signers: &BTreeSet<[u8; 32]>) -> Result<(), BadEntry> {
        let is_known = number <= kind::LAST;
        let may = match number {
            kind::ROOT => true,
            _ if OrderKind::of(number).is_some() => true,
            _ if !signers.is_disjoint(self.roots.node_keys()) => true,
            // Whether nodes or persons sign what a newer version added we can't know.
            _ => !is_known && !signers.is_disjoint(self.roots.order_keys()),
        };
        may.then_some(()).ok_or(BadEntry::Signature)
    }

    /// Takes an entry that [`Control::check`] gave.
    pub fn apply(&mut self, entry: ControlEntry) {
        if self.entries.contains_key(&entry.hash) {
            return;
        }
        match &entry.content {
            Content::Root(statement) => self.roots.join(statement),
            Content::Enrol(enrolment) => self.roster.join(enrolment),
            Content::Package(package) => {
                let rank = |hash: &EntryHash| {
                    let version = self.entries.get(hash).and_then(ControlEntry::as_package);
                    (version.map(|package| package.version), *hash)
                };
                let newer = self
                    .package
                    .as_ref()
                    .is_none_or(|held| rank(held) < (Some(package.version), entry.hash));
                if newer {
                    self.package = Some(entry.hash);
                }
            }
            Content::Elsewhere(statement, number) => {
                self.elsewhere.join(&entry, statement, *number);
            }
            // Of two keys for one month the greater stands, in whatever order they came.
            Content::SealKey(key) => self.seal_key = self.seal_key.max(Some(*key)),
            Content::Revoke(revocation) => self.revocations.join(revocation),
            Content::Order(kind, order) => {
                self.order_numbers.join(entry.hash, order);
                match kind {
                    OrderKind::Erase => self.erasures.join(order),
                    OrderKind::Verdict => self.verdicts.join(entry.hash, order),
                    OrderKind::Wipe => {}
                }
            }
            Content::LeftOut(verdict) => {
                let spaces = entry.scope.iter().flatten().cloned().collect();
                self.excluded.join(&spaces, verdict);
            }
            Content::Moved(moved) => self.moves.join(entry.hash, moved),
            Content::SamePerson(said) => self.same_persons.join(entry.hash, said),
            Content::Unknown => {}
        }
        self.arrivals.push(entry.hash);
        self.entries.insert(entry.hash, entry);
    }

    /// The root statement in force.
    pub fn root(&self) -> Option<&RootStatement> {
        self.roots.newest()
    }

    /// The newest plan package held.
    pub fn package(&self) -> Option<&Package> {
        self.package
            .as_ref()
            .and_then(|hash| self.entries.get(hash)?.as_package())
    }

    /// The package that the entry with this name carries, replaced ones too.
    pub fn package_of(&self, entry: EntryHash) -> Option<&Package> {
        self.entries.get(&entry)?.as_package()
    }

    /// The name of the entry that carries the newest package.
    pub fn package_entry(&self) -> Option<EntryHash> {
        self.package
    }

    /// When the person of a group of a unit's records counts in another unit, and the number of the
    /// entry that says so; 0 if none does.
    pub fn elsewhere(&self, unit: &str, group: RecordId) -> (Absence, u32) {
        self.elsewhere.of(unit, group)
    }

    /// Where a record of a unit goes on, if it does in another unit.
    pub fn moved(&self, unit: &str, record: RecordId) -> Option<&Moved> {
        self.moves.of(unit, record)
    }

    /// The changes of a record that everybody leaves out.
    pub fn excluded_changes(&self, space: &Space, record: RecordId) -> &BTreeSet<ChangeHash> {
        self.excluded.of(space, record)
    }

    /// The records of which more is left out than `before` said.
    pub fn exclusions_since<'a>(
        &'a self,
        before: &'a Self,
    ) -> impl Iterator<Item = (&'a Space, RecordId)> {
        self.excluded.since(&before.excluded)
    }

    /// Whether anybody has moved.
    pub fn has_moves(&self) -> bool {
        !self.moves.is_empty()
    }

    /// Where each record that has moved goes on.
    pub fn moves(&self) -> impl Iterator<Item = &Moved> {
        self.moves.all()
    }

    /// The records of other units that are the same person, because one of them went on as the other or
    /// because the office has said so.
    pub fn same_person(&self, unit: &str, record: RecordId) -> impl Iterator<Item = &UnitRecord> {
        let said = self.same_persons.others(unit, record, true);
        self.moves.ties(unit, record).chain(said)
    }

    /// The records of other units that are another person, as the office has said.
    pub fn other_person(&self, unit: &str, record: RecordId) -> impl Iterator<Item = &UnitRecord> {
        self.same_persons.others(unit, record, false)
    }

    /// Whether two records in two units are one person, as the office has said, and the number of the
    /// entry that says so; none if none does.
    pub fn said_of(&self, one: &UnitRecord, other: &UnitRecord) -> Option<(bool, u32)> {
        self.same_persons.said(one, other)
    }

    /// The key to which things for the server are sealed, once it has told one.
    pub fn seal_key(&self) -> Option<SealKey> {
        self.seal_key
    }

    /// The entry that tells that key.
    pub fn seal_key_entry(&self) -> Option<&ControlEntry> {
        let key = self.seal_key?;
        self.entries()
            .find(|entry| entry.as_seal_key() == Some(key))
    }

    /// The orders held, in order of arrival here.
    pub fn orders(&self) -> impl Iterator<Item = (&ControlEntry, OrderKind, &Order)> {
        self.entries().filter_map(|entry| {
            let (kind, order) = entry.as_order()?;
            Some((entry, kind, order))
        })
    }

    /// The number of the next order that a key makes.
    pub fn next_order_number(&self, issuer: [u8; 32]) -> u32 {
        self.order_numbers.highest(issuer).saturating_add(1)
    }

    /// The orders whose number their key has used for another order too: whoever holds the key
    /// should ask who else does.
    pub fn order_numbers_used_twice(&self) -> BTreeSet<EntryHash> {
        self.order_numbers.used_twice()
    }

    /// Whether a key is one of a person who may order.
    pub fn is_order_key(&self, key: &[u8; 32]) -> bool {
        self.roots.order_keys().contains(key)
    }

    /// The keys of the devices that hold a space.
    pub fn holders(&self, space: &Space) -> impl Iterator<Item = PublicKey> {
        self.devices()
            .filter(|(device, _)| self.holds(*device, space))
            .map(|(_, enrolment)| PublicKey::of_suite_1(enrolment.sealing_key))
    }

    /// The signing key of a server node.
    pub fn node_key(&self, node: DeviceId) -> Option<[u8; 32]> {
        let mut keys = self.roots.node_keys().iter();
        keys.find(|key| DeviceId::of_key(*key) == node).copied()
    }

    /// What is held of a batch that came in: its author's signature verified, without the bytes that an
    /// order of erasure took. The one door of all batches, by whatever way they come (R31).
    pub fn receive(&self, bytes: &[u8]) -> Result<Batch, BadBatch> {
        let key_of = |device, space: &Space| self.writer_key(device, space);
        let batch = Batch::verify(self.network, bytes, key_of)?;
        if !self.may_author(batch.header.device, batch.header.author) {
            return Err(BadBatch::Author);
        }
        // Bytes are absent only where an order says so (R29).
        match batch.redacted.iter().all(|record| self.is_erased(*record)) {
            true => batch.redact(|record| self.is_erased(record)),
            false => Err(BadBatch::Redacted),
        }
    }

    /// Whether a device writes in a person's name: in that of whom its enrolment names. A node writes for
    /// whoever has told it to.
    fn may_author(&self, device: DeviceId, author: AuthorId) -> bool {
        match self.enrolment(device) {
            Some(enrolment) => enrolment.authors.contains(&author),
            None => self.node_key(device).is_some(),
        }
    }

    /// Whether an order of erasure names the record.
    pub fn is_erased(&self, record: RecordId) -> bool {
        self.erasures.name(record)
    }

    /// The records that orders of erasure name.
    pub fn erased(&self) -> impl Iterator<Item = RecordId> {
        self.erasures.records()
    }

    /// What the office held of a record's spaces when it ordered its erasure: by one order, or several.
    pub fn cuts_of(&self, record: RecordId) -> impl Iterator<Item = &Cut> {
        self.erasures.cuts_of(record)
    }

    /// A device's enrolment.
    pub fn enrolment(&self, device: DeviceId) -> Option<&Enrolment> {
        self.roster.enrolment(device)
    }

    /// The spaces that a device holds now: those of its enrolments without those of its revocations.
    /// `None` for a device that was never let in.
    pub fn grants(&self, device: DeviceId) -> Option<BTreeSet<Space>> {
        let granted = self.enrolment(device)?.spaces.iter();
        let held = granted.filter(|space| !self.revocations.has_lost(device, space));
        Some(held.cloned().collect())
    }

    /// Whether a device holds a space now.
    pub fn holds(&self, device: DeviceId, space: &Space) -> bool {
        let enrolment = self.enrolment(device);
        enrolment.is_some_and(|enrolment| enrolment.spaces.contains(space))
            && !self.revocations.has_lost(device, space)
    }

    /// Why a device has lost all it had, if it has.
    pub fn revoked(&self, device: DeviceId) -> Option<RevokeReason> {
        self.revocations.whole(device)
    }

    /// What counts of a device's feed in a space that it has lost: what these tips cover.
    pub fn cut(&self, device: DeviceId, space: &Space) -> Option<&BTreeSet<Tip>> {
        self.revocations.cut(device, space)
    }

    /// The devices that have lost any space.
    pub fn cut_devices(&self) -> impl Iterator<Item = DeviceId> {
        self.revocations.devices()
    }

    /// What the office has decided on a batch.
    pub fn verdict(&self, batch: BatchHash) -> Option<Verdict> {
        self.verdicts.of(batch)
    }

    /// The signing key of a device that was ever let into `space`, or of a server node: whether what it
    /// signed counts is another question ([`crate::quarantine`]).
    pub fn writer_key(&self, device: DeviceId, space: &Space) -> Option<[u8; 32]> {
        if let Some(enrolment) = self.roster.enrolment(device) {
            return enrolment
                .spaces
                .contains(space)
                .then_some(enrolment.signing_key);
        }
        self.node_key(device)
    }

    /// The devices that a device made keys for, and those that they made keys for (R4).
    pub fn renewals(&self, device: DeviceId) -> BTreeSet<DeviceId> {
        self.roster.renewals(device)
    }

    /// The device that a line of renewed keys began with.
    pub fn first_of_line(&self, device: DeviceId) -> DeviceId {
        let mut first = device;
        let mut seen = BTreeSet::from([device]);
        while let Some(before) = self.enrolment(first).and_then(|held| held.renews)
            && seen.insert(before)
        {
            first = before;
        }
        first
    }

    /// The devices on the roster.
    pub fn devices(&self) -> impl Iterator<Item = (DeviceId, &Enrolment)> {
        self.roster.devices()
    }

    /// The entries that a device with `spaces` needs, in order of arrival here.
    pub fn for_spaces<'a>(
        &'a self,
        spaces: &'a BTreeSet<Space>,
    ) -> impl Iterator<Item = &'a ControlEntry> {
        self.arrivals
            .iter()
            .filter_map(|hash| self.entries.get(hash))
            .filter(move |entry| entry.concerns(spaces) && !self.is_superseded(entry))
    }

    /// The entries that a device needs, in order of arrival here: of the spaces that it holds, and
    /// about itself.
    pub fn for_device(&self, device: DeviceId) -> impl Iterator<Item = &ControlEntry> {
        let spaces = self.grants(device).unwrap_or_default();
        self.entries().filter(move |entry| {
            let needed = entry.concerns(&spaces) || entry.is_about(device);
            needed && !self.is_superseded(entry)
        })
    }

    /// What is left for a device that has lost spaces: the entries that it needs no more are gone.
    pub fn only_for(&self, device: DeviceId) -> Self {
        let spaces = self.grants(device).unwrap_or_default();
        let mut left = Self::new(self.network);
        for entry in self.entries() {
            if entry.concerns(&spaces) || entry.is_about(device) {
                left.apply(entry.clone());
            }
        }
        left
    }

    /// A package that a newer one has replaced: kept for what was captured under it, and sent to
    /// nobody any more.
    fn is_superseded(&self, entry: &ControlEntry) -> bool {
        entry.as_package().is_some() && self.package != Some(entry.hash)
    }

    /// All entries, in order of arrival here.
    pub fn entries(&self) -> impl Iterator<Item = &ControlEntry> {
        self.arrivals
            .iter()
            .filter_map(|hash| self.entries.get(hash))
    }

    /// How many entries are held, and a digest of which; replaced packages don't count.
    pub fn position(&self) -> ControlPosition {
        let current = self
            .entries
            .values()
            .filter(|entry| !self.is_superseded(entry));
        ControlPosition::of(current.map(|entry| entry.hash).collect())
    }
}

/// What a device holds of the control feed: a count and a digest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ControlPosition {
    /// Number of entries.
    pub count: u32,
    /// Digest over the entries' names in ascending order.
    pub digest: Option<Short>,
}

impl ControlPosition {
    /// The position of a holder of exactly these entries.
    pub fn of(mut hashes: Vec<EntryHash>) -> Self {
        hashes.sort_unstable();
        let digest = Short::digest("ortoo control v1", hashes.iter().map(EntryHash::as_bytes));
        Self {
            count: hashes.len() as u32,
            digest: Some(digest),
        }
    }
}

#[cfg(test)]
mod tests;
