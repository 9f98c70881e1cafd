//! Beginning and end of every transaction that writes. Nothing else begins or commits one.

use store::{Conn, Store, StoreError, Tx};

use crate::context::NodeContext;
use crate::effects::apply;
use crate::transaction::WriteTx;

/// Writes in a transaction of its own on `conn`: what `work` does, all that follows from it, and the
/// journal. Nothing is stored if any of it fails.
pub(crate) async fn write<T, E: From<StoreError>>(
    node: &NodeContext,
    conn: &mut Conn,
    work: impl AsyncFnOnce(&mut WriteTx<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let begun = node.store.write_on(conn).await?;
    let mut tx = WriteTx::begun(node, begun).await?;
    let done = work(&mut tx).await?;
    commit(tx).await?;
    Ok(done)
}

async fn commit(mut tx: WriteTx<'_>) -> Result<(), StoreError> {
    apply(&mut tx).await?;
    let (node, erases) = (tx.node, tx.erases());
    match erases {
        // What is older than the erasure goes.
        true => node.journal.begin_again(&mut tx.conn).await?,
        false => node.journal.append(&mut tx.conn).await?,
    }
    tx.conn.commit().await?;
    if erases {
        node.scrub().await?;
    }
    Ok(())
}

/// Writes into a database from which nobody is served yet, and from which nothing follows: an
/// installation that is founded, or begins another life.
pub(crate) async fn write_before_serving<T, E: From<StoreError>>(
    store: &Store,
    work: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let mut conn = store.connect().await?;
    let mut tx = store.write_on(&mut conn).await?;
    let done = work(&mut tx).await?;
    tx.commit().await?;
    Ok(done)
}
