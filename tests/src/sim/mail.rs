//! Bundles at the simulated server: taken as the real one takes them, with a reply.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha8Rng;
use sync_core::bundle::{BadBundle, Claims, Content, Padding, seal, unseal};
use sync_core::bundle_exchange::reply;
use sync_core::hub;
use sync_core::id::Space;
use sync_core::seal::{SealingKey, SigningKey};

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
        &mut self,
        file: &[u8],
        rng: &mut ChaCha8Rng,
        now: i64,
    ) -> Result<Option<Taken>, &'static str> {
        if let Some(real) = &mut self.real {
            real.set_time(now);
            let imported = real.import(file)?;
            let state = real.read();
            return Ok(imported.map(|imported| Taken {
                state,
                reply: imported.reply,
                refused: imported.refused,
            }));
        }
        self.import_into(self.state.clone(), file, rng, now)
    }

    /// Takes a bundle into a state.
    pub(super) fn import_into(
        &self,
        state: HubState,
        file: &[u8],
        rng: &mut ChaCha8Rng,
        now: i64,
    ) -> Result<Option<Taken>, &'static str> {
        let mut taken = Taken {
            state,
            reply: Vec::new(),
            refused: Vec::new(),
        };
        let key = SealingKey::from_bytes(&self.seal).map_err(|_| "not_a_key")?;
        let unsealed = match unseal(self.network(), [&key], file) {
            Ok(unsealed) => unsealed,
            Err(BadBundle::NotForUs) => return Ok(None),
            Err(bad) => return Err(bad.code()),
        };
        if let Some(bad) = unsealed.bad.first() {
            return Err(bad.code());
        }
        for content in &unsealed.contents {
            self.take_content(&mut taken, content, rng, now);
        }
        Ok(Some(taken))
    }

    /// All that is held of these spaces, for whoever holds them and for a restored server.
    pub(super) fn snapshot(&self, spaces: &BTreeSet<Space>, rng: &mut ChaCha8Rng) -> Vec<u8> {
        if let Some(real) = &self.real {
            return real.snapshot(spaces);
        }
        let mut held = BTreeMap::new();
        let mut batches = Vec::new();
        for space in spaces {
            let Some(store) = self.state.spaces.get(space) else {
                continue;
            };
            held.insert(space.clone(), load_all(store, store.arrivals.len() as u64));
            batches.extend(store.arrivals.iter().map(|s| s.batch.bytes().to_vec()));
        }
        let node = SigningKey::from_bytes(&self.node.to_bytes());
        let control = &self.state.control;
        let returned = &self.state.returned;
        let envelopes = reply::snapshot(&self.me, &node, control, &held, returned, batches);
        reply::seal(rng, self.network(), &envelopes)
    }

    /// Takes batches that somebody carried here, up to the commit.
    pub(super) fn carried(
        &mut self,
        batches: Vec<Vec<u8>>,
        rng: &mut ChaCha8Rng,
        now: i64,
    ) -> Taken {
        let content = Content {
            batches,
            ..Content::default()
        };
        let mut taken = Taken {
            state: self.state.clone(),
            reply: Vec::new(),
            refused: Vec::new(),
        };
        if self.real.is_some() {
            let key = self.state.control.seal_key().map(|server| server.key);
            let message = content.encode(self.network());
            let readers: Vec<_> = key.into_iter().collect();
            let file = seal(rng, self.network(), &readers, Padding::Rounded, &message);
            let imported = self.import(&file.unwrap_or_default(), rng, now);
            return imported.ok().flatten().unwrap_or(taken);
        }
        self.take_content(&mut taken, &content, rng, now);
        taken
    }

    fn take_content(&self, out: &mut Taken, content: &Content, rng: &mut ChaCha8Rng, now: i64) {
        if let (Some(control), entries) = hub::join(&out.state.control, &content.control) {
            out.state.learn(control, &entries);
        }
        let control = out.state.control.clone();
        let batches: Vec<_> = content
            .batches
            .iter()
            .map(|bytes| control.receive(bytes))
            .collect();
        let claims = content.claims.as_ref();
        let claims = claims.and_then(|bytes| Claims::check(&control, bytes));
        let request = reply::as_request(claims.as_ref(), usize::MAX);
        let bases = reply::bases(&request);
        let brought = batches.iter().flatten();
        let brought: BTreeSet<Space> = brought.map(|batch| batch.header.space.clone()).collect();
        let mut held = BTreeMap::new();
        for space in bases.keys().chain(&brought) {
            let store = out.state.spaces.entry(space.clone()).or_default();
            held.insert(space.clone(), load_all(store, 0));
        }
        let taken = self.take(&mut out.state, &mut held, &request, batches);
        let refused = taken.refused.iter().map(|refused| refused.code.clone());
        out.refused.extend(refused);
        let unkept = vec!["bundle_stash_full".to_owned(); taken.unkept.len()];
        out.refused.extend(unkept);
        let plan = hub::plan(
            &self.me,
            &control,
            &request,
            Some(&bases),
            &held,
            taken,
            now,
        );
        let plan = match out.state.holds_back(request.device) {
            true => plan.held_back(),
            false => plan,
        };
        let mut answer = plan.answer;
        for (space, hash) in &plan.send {
            let stored = out.state.spaces.get(space);
            let stored = stored.and_then(|store| store.get(*hash));
            answer
                .batches
                .extend(stored.map(|stored| stored.batch.bytes().to_vec()));
        }
        let node = SigningKey::from_bytes(&self.node.to_bytes());
        let returned = &out.state.returned;
        let envelopes = reply::reply_envelopes(&self.me, &node, &control, &held, returned, answer);
        out.reply
            .extend(reply::seal(rng, self.network(), &envelopes));
    }
}
