//! Reading an answer: its batches are made again, with what they refer to here.

use std::sync::Arc;

use super::*;
use crate::batch::compact::referring::{self, Frame};
use crate::incoming::Pending;
use crate::wire::{Answer, bad_batches, open_batches};

/// An answer with its batches.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) answer: Answer,
    /// It referred to something.
    pub(crate) refers: bool,
    /// What it referred to does not resolve here: the batches are left out.
    pub(crate) unread: bool,
}

/// An answer that is being merged, slice by slice ([`Replica::prepare_slice`]).
#[derive(Debug)]
pub struct Arrival {
    pub(crate) heard: Arc<Heard>,
    /// Its control entries are taken.
    pub(crate) begun: bool,
    /// So many of its batches are taken.
    pub(crate) at: usize,
    /// Records that they are not merged into yet.
    pub(crate) pending: Pending,
    pub(crate) received: Received,
}

impl Replica {
    /// Reads an answer and rebuilds its batches; nothing is taken yet.
    pub fn read_answer(
        &self,
        rows: &dyn ReadRows,
        outgoing: &Outgoing,
        bytes: &[u8],
    ) -> Result<Arrival, ExchangeError> {
        Ok(Arrival {
            heard: Arc::new(self.hear(rows, outgoing, bytes)?),
            begun: false,
            at: 0,
            pending: Pending::default(),
            received: Received::default(),
        })
    }

    fn hear(
        &self,
        rows: &dyn ReadRows,
        outgoing: &Outgoing,
        bytes: &[u8],
    ) -> Result<Heard, ExchangeError> {
        let (mut answer, compact) = Answer::read(bytes)?;
        let mut heard = (false, false);
        if let Some(compact) = compact {
            let spaces: Vec<Space> = outgoing.spaces().cloned().collect();
            let frame = Frame {
                network: self.me.network,
                device: self.me.device,
                spaces: &spaces,
            };
            let references = referring::references(&frame, &compact);
            let refers = !references.map_err(bad_batches)?.is_empty();
            let mut unreadable = None;
            let opened = open_batches(&frame, &compact, &mut |reference| {
                let found = self.held_at(rows, reference);
                found.unwrap_or_else(|error| {
                    unreadable = Some(error);
                    None
                })
            });
            if let Some(error) = unreadable {
                return Err(error.into());
            }
            heard = match opened {
                Ok(batches) => {
                    answer.batches = batches;
                    (refers, false)
                }
                // With references that mean something else here, anything can come out.
                Err(_) if refers => (true, true),
                Err(bad) => return Err(bad.into()),
            };
        }
        let (refers, unread) = heard;
        Ok(Heard {
            answer,
            refers,
            unread,
        })
    }
}
