//! `order-key`, `order` and `root`: persons' keys and what they sign.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use node::keys::KeyError;
use node::order::{self, HeldOrder};
use node::{App, CommandError, keys};
use serde_json::{Value, json};
use sync_core::control::{CONTROL_ENTRY_BYTES_MAX, OrderFile, OrderKind};
use sync_core::id::NetworkId;
use sync_core::seal::SigningKey;

#[derive(Debug, Subcommand)]
pub(super) enum OrderKeyVerb {
    /// Make a person's key and print its public half. The file belongs on a stick with that person,
    /// never on the server.
    New {
        /// The file to write, which must not be there yet.
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum OrderVerb {
    /// List the orders that were given.
    List,
    /// Show what a file orders, and who has signed it.
    Show {
        /// The file.
        file: PathBuf,
    },
    /// Add a person's signature to a file.
    Sign {
        /// The file, which is written again.
        file: PathBuf,
        /// The person's key.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// Give an order that is signed by all whom it needs.
    Submit {
        /// The file.
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum RootVerb {
    /// Sign the next root statement, which lists persons' keys too.
    Renew {
        /// The public half of a person's key, as "order-key new" printed it. May be given again.
        #[arg(long = "order-key", value_name = "KEY", required = true)]
        order_keys: Vec<String>,
        /// Where the root key is, if it was carried away from the data directory.
        #[arg(long, value_name = "FILE")]
        root_key: Option<PathBuf>,
    },
}

/// Makes a person's key. Needs no installation.
pub(super) fn order_key(verb: &OrderKeyVerb) -> Result<Value, CommandError> {
    let OrderKeyVerb::New { file } = verb;
    let key = keys::new_persons_key(file).map_err(|error| match error {
        KeyError::Exists(path) => CommandError::wrong("key_exists", path.display()),
        other => CommandError::wrong("key_unusable", "").with("detail", other),
    })?;
    Ok(json!({ "public": keys::public_text(&key.public().bytes) }))
}

pub(super) async fn order(app: &App, verb: &OrderVerb) -> Result<Value, CommandError> {
    match verb {
        OrderVerb::List => Ok(app.orders().await?.iter().map(held).collect()),
        OrderVerb::Show { file } => Ok(shown(&read(app.network(), file)?.0)),
        OrderVerb::Sign { file, key } => {
            let (_, bytes) = read(app.network(), file)?;
            let key = person(key)?;
            let signed = order::sign(app.network(), &key, &bytes)
                .map_err(|_| CommandError::wrong("not_an_order", file.display()))?;
            write(file, &signed)?;
            Ok(shown(&read(app.network(), file)?.0))
        }
        OrderVerb::Submit { file } => {
            let (_, bytes) = read(app.network(), file)?;
            let entry = app
                .submit_order(&file.display().to_string(), &bytes)
                .await?;
            Ok(json!({ "order": entry.to_string() }))
        }
    }
}

pub(super) async fn root(app: &App, data: &Path, verb: &RootVerb) -> Result<Value, CommandError> {
    let RootVerb::Renew {
        order_keys,
        root_key,
    } = verb;
    let public = |text: &String| {
        keys::public_key(text).ok_or_else(|| CommandError::wrong("bad_public_key", text))
    };
    let listed: Vec<[u8; 32]> = order_keys.iter().map(public).collect::<Result<_, _>>()?;
    let path = root_key.clone().unwrap_or_else(|| data.join(keys::ROOT));
    let file = path.display().to_string();
    let version = app.renew_root(&file, &person(&path)?, &listed).await?;
    Ok(json!({ "version": version }))
}

/// A person's key from its file.
pub(super) fn person(file: &Path) -> Result<SigningKey, CommandError> {
    keys::persons_key(file)
        .map_err(|error| CommandError::wrong("key_unusable", "").with("detail", error))
}

/// Gives an order at once where one signature suffices; else, or if a file is named, writes it there
/// for the next person.
pub(super) async fn give(
    app: &App,
    key: &Path,
    out: Option<&Path>,
    wish: &order::OrderRequest,
) -> Result<Value, CommandError> {
    let name = key.display().to_string();
    let made = app.make_order(&name, &person(key)?, wish).await?;
    match out {
        Some(file) => {
            write(file, &made)?;
            Ok(shown(&read(app.network(), file)?.0))
        }
        None => {
            let entry = app.submit_order(&name, &made).await?;
            Ok(json!({ "order": entry.to_string() }))
        }
    }
}

fn read(network: NetworkId, path: &Path) -> Result<(OrderFile, Vec<u8>), CommandError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| {
            file.take(CONTROL_ENTRY_BYTES_MAX as u64 + 1)
                .read_to_end(&mut bytes)
        })
        .map_err(|error| CommandError::file_failed(path, error))?;
    let read = OrderFile::read(network, &bytes)
        .map_err(|_| CommandError::wrong("not_an_order", path.display()))?;
    Ok((read, bytes))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), CommandError> {
    std::fs::write(path, bytes).map_err(|error| CommandError::file_failed(path, error))
}

fn kind(kind: OrderKind) -> &'static str {
    match kind {
        OrderKind::Erase => "erase",
        OrderKind::Verdict => "verdict",
        OrderKind::Wipe => "wipe",
    }
}

fn held(order: &HeldOrder) -> Value {
    json!({
        "order": order.entry.to_string(),
        "kind": kind(order.kind),
        "issuer": order.issuer,
        "number": order.number,
        "count": order.names,
        "number_used_twice": order.number_used_twice,
    })
}

fn shown(file: &OrderFile) -> Value {
    let names = file.order.names.iter();
    let scope = file.scope.iter();
    let signers = file.signers.iter();
    json!({
        "order": file.entry.to_string(),
        "kind": kind(file.kind),
        "issuer": keys::public_text(&file.order.issuer),
        "number": file.order.number,
        "spaces": scope.map(ToString::to_string).collect::<Vec<_>>(),
        "names": names.map(|name| order::name_text(file.kind, name)).collect::<Vec<_>>(),
        "signed_by": signers.map(keys::public_text).collect::<Vec<_>>(),
        "persons_needed": if file.order.names.len() > file.kind.alone_max() { 2 } else { 1 },
    })
}
