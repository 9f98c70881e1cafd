//! Orders given by the office: made with a person's key, signed by a second person where they are
//! large, and stored as control entries. And the root statement that lists persons' keys.

use std::collections::BTreeSet;

use store::StoreError;
use sync_core::control::{
    BadEntry, Control, ControlEntry, Order, OrderFile, OrderKind, ROOT_LIST_MAX, RootStatement,
};
use sync_core::id::{BatchHash, DeviceId, EntryHash, NetworkId, RecordId, Space};
use sync_core::seal::SigningKey;

use crate::app::App;
use crate::error::CommandError;
use crate::keys::public_text;
use crate::transaction::{ReadTx, WriteTx};

/// What a person wants to order.
#[derive(Clone, Debug)]
pub struct OrderRequest {
    /// What.
    pub kind: OrderKind,
    /// The spaces whose devices must know.
    pub scope: BTreeSet<Space>,
    /// What it is about, by name; see [`OrderKind`].
    pub names: BTreeSet<Vec<u8>>,
    /// What else it says.
    pub content: Vec<u8>,
}

/// An order that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldOrder {
    /// The entry's name.
    pub entry: EntryHash,
    /// What is ordered.
    pub kind: OrderKind,
    /// The key that made it, in public.
    pub issuer: String,
    /// Its number among the orders of that key.
    pub number: u32,
    /// How many things it is about.
    pub names: usize,
    /// The key has used the number for another order too.
    pub number_used_twice: bool,
}

/// Makes an order with a person's key, under that key's next number.
pub(crate) fn make(control: &Control, key: &SigningKey, request: &OrderRequest) -> Vec<u8> {
    let issuer = key.public().bytes;
    let order = Order {
        issuer,
        number: control.next_order_number(issuer),
        names: request.names.clone(),
        content: request.content.clone(),
    };
    let sign = |message: &[u8]| key.sign(message);
    let network = control.network();
    ControlEntry::order(
        network,
        request.kind,
        &request.scope,
        &order,
        (issuer, &sign),
    )
}

/// Adds a person's signature to an order on its way.
pub fn sign(network: NetworkId, key: &SigningKey, order: &[u8]) -> Result<Vec<u8>, BadEntry> {
    let sign = |message: &[u8]| key.sign(message);
    ControlEntry::sign_again(network, order, (key.public().bytes, &sign))
}

/// Stores an order whose signatures suffice; `file` is how who asks calls it.
pub(crate) async fn submit(
    tx: &mut WriteTx<'_>,
    file: &str,
    bytes: &[u8],
) -> Result<EntryHash, CommandError> {
    let not_one = |_| CommandError::wrong("not_an_order", file);
    let read = OrderFile::read(tx.control.network(), bytes).map_err(not_one)?;
    match tx.control.check(bytes) {
        Ok(Some(entry)) => {
            let hash = entry.hash;
            tx.add(&[entry]).await?;
            Ok(hash)
        }
        // Held already: to submit it twice is no mistake.
        Ok(None) => Ok(read.entry),
        Err(BadEntry::SecondSignature) => {
            let error = CommandError::wrong("order_needs_second", read.order.names.len());
            Err(error.with("max", read.kind.alone_max()))
        }
        Err(bad) => Err(CommandError::wrong("order_refused", file).with("reason", bad.code())),
    }
}

/// What a name in an order is to people: a record's or device's id, else hexadecimal digits.
pub fn name_text(kind: OrderKind, name: &[u8]) -> String {
    let known = match kind {
        OrderKind::Erase => RecordId::from_slice(name).map(|id| id.to_string()),
        OrderKind::Wipe => DeviceId::from_slice(name).map(|id| id.to_string()),
        OrderKind::Verdict => BatchHash::from_slice(name).map(|id| id.to_string()),
    };
    known.unwrap_or_else(|_| data_encoding::HEXLOWER.encode(name))
}

/// The orders held.
pub(crate) fn held(control: &Control) -> Vec<HeldOrder> {
    let twice = control.order_numbers_used_twice();
    control
        .orders()
        .map(|(entry, kind, order)| HeldOrder {
            entry: entry.hash,
            kind,
            issuer: public_text(&order.issuer),
            number: order.number,
            names: order.names.len(),
            number_used_twice: twice.contains(&entry.hash),
        })
        .collect()
}

/// Signs and stores the next root statement, which lists these order keys too; returns its version.
/// `file` is where the root key is.
pub(crate) async fn renew_root(
    tx: &mut WriteTx<'_>,
    file: &str,
    root_key: &SigningKey,
    order_keys: &[[u8; 32]],
) -> Result<u32, CommandError> {
    let unreadable = StoreError::Unreadable {
        table: "control",
        column: "bytes",
    };
    let held = tx.control.root().ok_or(unreadable)?;
    if held.threshold > 1 {
        return Err(CommandError::wrong("root_threshold", held.threshold));
    }
    let mut listed: BTreeSet<[u8; 32]> = held.order_keys.iter().copied().collect();
    listed.extend(order_keys);
    if listed.len() > ROOT_LIST_MAX {
        return Err(CommandError::wrong("too_long", "order keys").with("max", ROOT_LIST_MAX));
    }
    let next = RootStatement {
        version: held.version.saturating_add(1),
        order_keys: listed.into_iter().collect(),
        ..held.clone()
    };
    let sign = |message: &[u8]| root_key.sign(message);
    let signer = (root_key.public().bytes, &sign as &dyn Fn(&[u8]) -> [u8; 64]);
    let entry = ControlEntry::root(tx.control.network(), &next, signer);
    match tx.control.check(&entry) {
        Ok(Some(entry)) => tx.add(&[entry]).await?,
        Ok(None) => {}
        Err(_) => return Err(CommandError::wrong("root_key_wrong", file)),
    }
    Ok(next.version)
}

impl App {
    /// Makes an order with a person's key; nothing is stored. `file` is where the key is.
    pub async fn make_order(
        &self,
        file: &str,
        key: &SigningKey,
        request: &OrderRequest,
    ) -> Result<Vec<u8>, CommandError> {
        let ReadTx { control, .. } = self.context().read().await?;
        if !control.is_order_key(&key.public().bytes) {
            return Err(CommandError::wrong("not_an_order_key", file));
        }
        Ok(make(&control, key, request))
    }

    /// Stores an order that is signed by whom it needs. `file` is where it was read from.
    pub async fn submit_order(&self, file: &str, bytes: &[u8]) -> Result<EntryHash, CommandError> {
        let (file, bytes) = (file.to_owned(), bytes.to_vec());
        // What it orders is done where it is known.
        self.write(async move |tx: &mut WriteTx<'_>| submit(tx, &file, &bytes).await)
            .await
    }

    /// The orders held, in the order in which they came in.
    pub async fn orders(&self) -> Result<Vec<HeldOrder>, CommandError> {
        let ReadTx { control, .. } = self.context().read().await?;
        Ok(held(&control))
    }

    /// Renews the root statement so that it lists these order keys; returns its version. `file` is
    /// where the root key is.
    pub async fn renew_root(
        &self,
        file: &str,
        root_key: &SigningKey,
        order_keys: &[[u8; 32]],
    ) -> Result<u32, CommandError> {
        let (file, root_key) = (file.to_owned(), root_key.clone());
        let order_keys = order_keys.to_vec();
        let renew =
            async move |tx: &mut WriteTx<'_>| renew_root(tx, &file, &root_key, &order_keys).await;
        self.write(renew).await
    }
}
