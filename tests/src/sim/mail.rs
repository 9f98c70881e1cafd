//! The server takes bundles, as the real one does, and gives one back.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha8Rng;
use sync_core::batch::Batch;
use sync_core::bundle::{self, BadBundle, Claims, Content, Padding, envelopes};
use sync_core::feed::Vector;
use sync_core::hub;
use sync_core::id::{DeviceId, Short, Space};
use sync_core::relay::audiences;
use sync_core::seal::{SealingKey, SigningKey};
use sync_core::wire::{Request, SpaceClaim};

use super::held::load_all;
use super::hub::{HubState, MemoryHub};

/// What taking a bundle would do; nothing is committed yet.
pub(super) struct Taken {
    /// The state after it.
    pub(super) state: HubState,
    /// The bundle to carry back.
    pub(super) reply: Vec<u8>,
    /// Codes of batches that are not held.
    pub(super) refused: Vec<String>,
}

impl MemoryHub {
    /// Takes a bundle up to the commit; `None` if nothing in it is for the server.
    pub(super) fn import(
        &self,
        file: &[u8],
        rng: &mut ChaCha8Rng,
        now: i64,
    ) -> Result<Option<Taken>, BadBundle> {
        let mut taken = Taken {
            state: self.state.clone(),
            reply: Vec::new(),
            refused: Vec::new(),
        };
        let key = SealingKey::from_bytes(&self.seal).map_err(|_| BadBundle::NotForUs)?;
        let mut opened = 0;
        for envelope in envelopes(file)? {
            match envelope.open(self.network(), [&key]) {
                Ok(message) => {
                    let content = Content::decode(self.network(), &message)?;
                    self.take_content(&mut taken, &content, rng, now);
                    opened += 1;
                }
                Err(BadBundle::NotForUs) => {}
                Err(bad) => return Err(bad),
            }
        }
        Ok((opened > 0).then_some(taken))
    }

    fn take_content(&self, out: &mut Taken, content: &Content, rng: &mut ChaCha8Rng, now: i64) {
        let control = out.state.control.clone();
        let batches: Vec<_> = content
            .batches
            .iter()
            .map(|bytes| {
                Batch::verify(self.network(), bytes, |device, space| {
                    control.writer_key(device, space)
                })
            })
            .collect();
        let claims = content.claims.as_ref();
        let claims = claims.and_then(|bytes| Claims::check(&control, bytes));
        let request = request_of(claims.as_ref());
        let claimed: BTreeSet<Space> = request.spaces.iter().map(|c| c.space.clone()).collect();
        let brought = batches.iter().flatten();
        let brought: BTreeSet<Space> = brought.map(|batch| batch.header.space.clone()).collect();
        let mut held = BTreeMap::new();
        for space in claimed.union(&brought) {
            let store = out.state.spaces.entry(space.clone()).or_default();
            held.insert(space.clone(), load_all(store, 0));
        }
        let taken = self.take(&mut out.state, &mut held, &request, batches);
        let refused = taken.refused.iter().map(|refused| refused.code.clone());
        out.refused.extend(refused);
        let bases = claimed.iter().map(|s| (s.clone(), Vector::default()));
        let bases = bases.collect();
        let plan = hub::plan(
            &self.me,
            &control,
            &request,
            Some(&bases),
            &held,
            taken,
            now,
        );
        let node = SigningKey::from_bytes(&self.node.to_bytes());
        for (readers, spaces) in audiences(&control, held.keys(), None) {
            let send = plan.send.iter().filter(|(space, _)| spaces.contains(space));
            let batches = send.filter_map(|(space, hash)| {
                let stored = out.state.spaces.get(space)?.get(*hash)?;
                Some(stored.batch.bytes().to_vec())
            });
            let mut held = held.clone();
            held.retain(|space, _| spaces.contains(space));
            let content = Content {
                batches: batches.collect(),
                control: plan.answer.control.clone(),
                claims: None,
                receipts: hub::receipts(&self.me, &held, &node),
            };
            let message = content.encode(self.network());
            let sealed = bundle::seal(rng, self.network(), &readers, Padding::Rounded, &message);
            out.reply.extend(sealed.unwrap_or_default());
        }
    }
}

fn request_of(claims: Option<&Claims>) -> Request {
    let spaces = claims.into_iter().flat_map(|claims| &claims.spaces);
    Request {
        device: claims.map_or(DeviceId([0; 8]), |claims| claims.device),
        nonce: [0; 16],
        control: claims.map(|claims| claims.control).unwrap_or_default(),
        base: Short([0; 16]),
        spaces: spaces
            .map(|(space, vector)| SpaceClaim {
                space: space.clone(),
                counter: 0,
                changes: vector.changes_from(&Vector::default()),
                ladders: Vec::new(),
            })
            .collect(),
        batches: Vec::new(),
        budget: u32::MAX,
        receipts: true,
        refer: None,
    }
}
