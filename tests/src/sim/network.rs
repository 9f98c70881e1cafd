//! The link between phones and server: messages in flight.

use std::rc::Rc;

use super::fault::{Config, Dice, Fault};

/// Where a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum To {
    /// To the server.
    Hub,
    /// To a phone.
    Phone,
}

/// A message in flight.
#[derive(Clone)]
pub(super) struct Packet {
    /// Where to.
    pub(super) to: To,
    /// The phone at the other end, by its place in the world.
    pub(super) phone: usize,
    /// The exchange that it belongs to, numbered by the phone.
    pub(super) exchange: u64,
    /// The message, or what is left of it.
    pub(super) bytes: Rc<[u8]>,
    /// Whether its end was cut off.
    pub(super) cut: bool,
}

/// Messages in flight, oldest first, and old ones that can be played again.
#[derive(Default)]
pub(super) struct Network {
    flying: Vec<Packet>,
    seen: Vec<Packet>,
}

/// Requests kept for being played again.
const SEEN_MAX: usize = 16;
/// Messages in flight; what comes on top is lost.
const FLYING_MAX: usize = 24;

impl Network {
    /// Takes a message, and does to it what the configuration's chances say.
    pub(super) fn send(&mut self, dice: &mut Dice, config: &Config, packet: Packet) -> Vec<Fault> {
        let mut faults = Vec::new();
        if packet.to == To::Hub && self.seen.len() < SEEN_MAX {
            self.seen.push(packet.clone());
        }
        if dice.chance(config.lose) || self.flying.len() >= FLYING_MAX {
            return vec![Fault::Lost];
        }
        if dice.chance(config.repeat) {
            faults.push(Fault::Repeated);
            self.flying.push(packet.clone());
        }
        if dice.chance(config.cut) && packet.bytes.len() > 1 {
            faults.push(Fault::Cut);
            let end = dice.below(packet.bytes.len());
            self.flying.push(Packet {
                bytes: packet.bytes[..end].into(),
                cut: true,
                ..packet
            });
        } else {
            self.flying.push(packet);
        }
        faults
    }

    /// The next message to arrive: the oldest, or one that overtakes it.
    pub(super) fn next(
        &mut self,
        dice: &mut Dice,
        config: &Config,
    ) -> Option<(Packet, Vec<Fault>)> {
        if self.flying.is_empty() {
            return None;
        }
        if self.flying.len() > 1 && dice.chance(config.overtake) {
            let at = 1 + dice.below(self.flying.len() - 1);
            return Some((self.flying.remove(at), vec![Fault::Overtaken]));
        }
        Some((self.flying.remove(0), Vec::new()))
    }

    /// A request that was sent at some time, to be played again.
    pub(super) fn replayed(&self, dice: &mut Dice) -> Option<Packet> {
        (!self.seen.is_empty()).then(|| dice.pick(&self.seen).clone())
    }

    /// How many messages are in flight.
    pub(super) fn flying(&self) -> usize {
        self.flying.len()
    }

    /// Loses everything in flight.
    pub(super) fn clear(&mut self) {
        self.flying.clear();
    }
}
