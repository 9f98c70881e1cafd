//! A record's state as a row of the store.
//!
//! A map of numbered fields, unknown ones skipped: 0 saved document, 1 heads, 2 the changes that
//! visible values stand in (hash and actor, end to end), 3 the view, 4 changes set aside, 5 parked,
//! 6 what the next change continues, where changes are appended: `[changes behind the saved document,
//! highest operation counter]`.
//! An entry of the view is `[key, (value, place of its change in field 2, counter)+]`, winner
//! first; a value is a CBOR null, Boolean, integer or text.

use std::sync::Arc;

use super::*;

/// Bytes of one change in field 2.
const CHANGE_LEN: usize = ChangeHash::LEN + ActorId::LEN;

impl RecordState {
    /// The state as bytes for the store.
    pub fn to_cbor(&self) -> Vec<u8> {
        let written = || self.view.iter().flat_map(|(_, slot)| slot.values());
        let changes: BTreeSet<(ChangeHash, ActorId)> =
            written().map(|w| (w.change, w.op.actor)).collect();
        let changes: Vec<(ChangeHash, ActorId)> = changes.into_iter().collect();
        let mut e = Encoder::new(Vec::with_capacity(
            self.saved.len() + 64 * self.view.len() + 256,
        ));
        let written = encode(self, &changes, &mut e);
        // Writing into a vector can't fail: its error type has no values.
        debug_assert!(written.is_ok());
        e.into_writer()
    }

    /// Reads what [`Self::to_cbor`] wrote. Loads no document.
    ///
    /// # Errors
    /// If the bytes are something else: the row is a cache, rebuild it from the batches.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, decode::Error> {
        let mut d = Decoder::new(bytes);
        let mut state = Self::default();
        let mut changes: Vec<(ChangeHash, ActorId)> = Vec::new();
        let fields = d
            .map()?
            .ok_or_else(|| decode::Error::message("length missing"))?;
        for _ in 0..fields {
            match d.u32()? {
                0 => state.saved = d.bytes()?.to_vec(),
                1 => {
                    for hash in d.bytes()?.chunks(ChangeHash::LEN) {
                        let hash = ChangeHash::from_slice(hash);
                        state.heads.push(hash.map_err(decode::Error::message)?);
                    }
                }
                2 => {
                    for entry in d.bytes()?.chunks(CHANGE_LEN) {
                        let (hash, actor) = entry
                            .split_at_checked(ChangeHash::LEN)
                            .ok_or_else(|| decode::Error::message("change cut short"))?;
                        let hash = ChangeHash::from_slice(hash).map_err(decode::Error::message)?;
                        let actor = ActorId::from_slice(actor).map_err(decode::Error::message)?;
                        changes.push((hash, actor));
                    }
                }
                3 => state.view.slots = read_view(&mut d, &changes)?,
                4 => state.aside = d.decode()?,
                5 => {
                    let reason = DocumentError::from_number(d.u8()?);
                    let unknown = || decode::Error::message("unknown reason of parking");
                    state.parked = Some(reason.ok_or_else(unknown)?);
                }
                6 => state.frontier = Some(read_frontier(&mut d)?),
                _ => d.skip()?,
            }
        }
        Ok(state)
    }
}

type Encoded = Result<(), minicbor::encode::Error<std::convert::Infallible>>;

fn encode(
    state: &RecordState,
    changes: &[(ChangeHash, ActorId)],
    e: &mut Encoder<Vec<u8>>,
) -> Encoded {
    let frontier = state.frontier.as_ref();
    e.map(5 + u64::from(state.parked.is_some()) + u64::from(frontier.is_some()))?;
    e.u8(0)?.bytes(&state.saved)?;
    let heads: Vec<u8> = state.heads.iter().flat_map(|hash| hash.0).collect();
    e.u8(1)?.bytes(&heads)?;
    let table: Vec<u8> = changes
        .iter()
        .flat_map(|(hash, actor)| hash.0.into_iter().chain(actor.0))
        .collect();
    e.u8(2)?.bytes(&table)?;
    e.u8(3)?.array(state.view.len() as u64)?;
    for (key, slot) in state.view.iter() {
        e.array(1 + 3 * slot.values().count() as u64)?
            .str(key.as_str())?;
        for written in slot.values() {
            match &written.value {
                Value::Null => e.null()?,
                Value::Bool(flag) => e.bool(*flag)?,
                Value::Int(number) => e.i64(*number)?,
                Value::Text(text) => e.str(text)?,
            };
            let place = changes
                .binary_search(&(written.change, written.op.actor))
                .unwrap_or(0);
            e.u64(place as u64)?.u32(written.op.counter)?;
        }
    }
    e.u8(4)?.encode(&state.aside)?;
    if let Some(reason) = state.parked {
        e.u8(5)?.u8(reason.number())?;
    }
    if let Some(frontier) = frontier {
        e.u8(6)?
            .array(2)?
            .u8(frontier.appended)?
            .u32(frontier.end)?;
    }
    Ok(())
}

fn read_frontier(d: &mut Decoder<'_>) -> Result<Frontier, decode::Error> {
    if d.array()? != Some(2) {
        return Err(decode::Error::message("frontier of another length"));
    }
    let (appended, end) = (d.u8()?, d.u32()?);
    Ok(Frontier { end, appended })
}

fn read_view(
    d: &mut Decoder<'_>,
    changes: &[(ChangeHash, ActorId)],
) -> Result<BTreeMap<Key, Arc<MultiValue>>, decode::Error> {
    let message = |text: &'static str| decode::Error::message(text);
    let mut slots = Vec::new();
    for _ in 0..d.array()?.ok_or_else(|| message("length missing"))? {
        let parts = d.array()?.ok_or_else(|| message("length missing"))?;
        let key = Key::parse(d.str()?).map_err(decode::Error::message)?;
        let mut read = || -> Result<Written, decode::Error> {
            use minicbor::data::Type;
            let value = match d.datatype()? {
                Type::Null => {
                    d.null()?;
                    Value::Null
                }
                Type::Bool => Value::Bool(d.bool()?),
                Type::String => Value::Text(d.str()?.to_owned()),
                _ => Value::Int(d.i64()?),
            };
            let place = usize::try_from(d.u64()?).unwrap_or(usize::MAX);
            let (change, actor) = *changes
                .get(place)
                .ok_or_else(|| message("value of no change"))?;
            Ok(Written {
                value,
                op: OpId {
                    counter: d.u32()?,
                    actor,
                },
                change,
            })
        };
        if parts < 4 || parts % 3 != 1 {
            return Err(message("entry of another length"));
        }
        let winner = read()?;
        let others = (1..parts / 3).map(|_| read()).collect::<Result<_, _>>()?;
        slots.push((key, Arc::new(MultiValue { winner, others })));
    }
    Ok(slots.into_iter().collect())
}
