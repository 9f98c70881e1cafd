//! A full in-memory dump of an installation, for comparing two servers in tests.

use std::collections::BTreeSet;

use store::{Conn, StoreError, feed, record, recovery};
use sync_core::id::{DeviceId, RecordId, Space};
use sync_core::record::RecordState;

use crate::app::App;
use crate::error::CommandError;
use crate::transaction::ReadTx;

/// All that an installation holds.
#[derive(Clone, Debug, Default)]
pub struct Dump {
    /// The control entries, in the order in which they came in.
    pub control: Vec<Vec<u8>>,
    /// It was restored, and nobody has confirmed the roster yet (R20).
    pub recovery: bool,
    /// Devices that came back with an enrolment of which nothing was known here.
    pub returned: BTreeSet<DeviceId>,
    /// The spaces that anything ever came in for.
    pub spaces: Vec<DumpedSpace>,
}

/// A space in a [`Dump`].
#[derive(Clone, Debug)]
pub struct DumpedSpace {
    /// Which one.
    pub space: Space,
    /// Its batches, in the order in which they came in.
    pub batches: Vec<Vec<u8>>,
    /// Batches that wait for a parent (R6).
    pub waiting: Vec<Vec<u8>>,
    /// The records, as they are stored.
    pub records: Vec<(RecordId, RecordState)>,
}

impl App {
    /// Everything that is held, as it stood at one moment. All of it is in memory then: for small
    /// installations.
    pub async fn dump(&self) -> Result<Dump, CommandError> {
        let context = self.context();
        let ReadTx { mut conn, control } = context.read().await?;
        let mut held = Dump {
            control: control
                .entries()
                .map(|entry| entry.bytes().to_vec())
                .collect(),
            recovery: recovery::is_on(&mut conn).await?,
            returned: recovery::returned(&mut conn).await?,
            spaces: Vec::new(),
        };
        for space in feed::spaces(&mut conn).await? {
            held.spaces.push(of_space(&mut conn, space).await?);
        }
        Ok(held)
    }
}

async fn of_space(conn: &mut Conn, space: Space) -> Result<DumpedSpace, StoreError> {
    let mut records = Vec::new();
    for (id, state) in record::of_space(conn, &space).await? {
        records.push((id, state?));
    }
    let mut waiting = Vec::new();
    for (_, node) in feed::stashed(conn, &space).await? {
        waiting.extend(feed::stashed_bytes(conn, &space, node.hash).await?);
    }
    let batches = feed::all(conn, &space).await?;
    Ok(DumpedSpace {
        space,
        batches,
        waiting,
        records,
    })
}
