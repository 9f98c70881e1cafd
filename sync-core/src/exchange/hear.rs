//! Reading an answer: its batches are made again, with what they refer to here.

use std::sync::Arc;

use super::*;
use crate::batch::ReferencedBatch;
use crate::batch::compact::reference::Reference;
use crate::batch::compact::referring::{self, Frame};
use crate::ingest::Pending;
use crate::wire::{ANSWER_LIMITS, Answer, bad_batches, open_batches};

/// An answer with its batches.
#[derive(Debug)]
pub(crate) struct DecodedAnswer {
    pub(crate) answer: Answer,
    /// It referred to something.
    pub(crate) refers: bool,
    /// What it referred to does not resolve here: the batches are left out.
    pub(crate) unread: bool,
}

/// An answer that is being merged, slice by slice ([`Replica::prepare_slice`]).
#[derive(Debug)]
pub struct Arrival {
    pub(crate) heard: Arc<DecodedAnswer>,
    /// Its control entries are taken.
    pub(crate) begun: bool,
    /// So many of its batches are taken.
    pub(crate) at: usize,
    /// Records that they are not merged into yet.
    pub(crate) pending: Pending,
    pub(crate) received: Received,
}

/// An answer whose batches are still compact, with what they refer to. Making them again takes no replica, so
/// whoever waits for that one need not wait for this.
#[derive(Debug)]
pub struct Unopened {
    answer: Answer,
    compact: Option<Vec<u8>>,
    me: DeviceIdentity,
    spaces: Vec<Space>,
    known: BTreeMap<Reference, ReferencedBatch>,
    refers: bool,
}

impl Replica {
    /// Reads an answer as far as it takes what is held here; [`Unopened::open`] goes on.
    pub fn read_answer(
        &self,
        rows: &dyn ReadRows,
        outgoing: &Outgoing,
        bytes: &[u8],
    ) -> Result<Unopened, ExchangeError> {
        let (answer, compact) = Answer::read(bytes)?;
        let mut unopened = Unopened {
            answer,
            compact,
            me: self.me,
            spaces: outgoing.spaces().cloned().collect(),
            known: BTreeMap::new(),
            refers: false,
        };
        let references = match &unopened.compact {
            Some(compact) => referring::references(&unopened.frame(), compact),
            None => Ok(Vec::new()),
        };
        for reference in references.map_err(bad_batches)? {
            unopened.refers = true;
            if let Some(known) = self.held_at(rows, &reference)? {
                unopened.known.insert(reference, known);
            }
        }
        Ok(unopened)
    }
}

impl Unopened {
    fn frame(&self) -> Frame<'_> {
        Frame {
            network: self.me.network,
            device: self.me.device,
            spaces: &self.spaces,
        }
    }

    /// Makes the batches again; nothing is taken yet.
    pub fn open(mut self) -> Result<Arrival, ExchangeError> {
        let mut unread = false;
        if let Some(compact) = &self.compact {
            let find = |reference: &Reference| self.known.get(reference).cloned();
            match open_batches(&self.frame(), compact, &mut { find }, ANSWER_LIMITS) {
                Ok(batches) => self.answer.batches = batches,
                // With references that mean something else here, anything can come out.
                Err(_) if self.refers => unread = true,
                Err(bad) => return Err(bad.into()),
            }
        }
        let heard = DecodedAnswer {
            answer: self.answer,
            refers: self.refers,
            unread,
        };
        Ok(Arrival {
            heard: Arc::new(heard),
            begun: false,
            at: 0,
            pending: Pending::default(),
            received: Received::default(),
        })
    }
}
