//! Sealed things: what was changed does not open.

use sync_core::row::Table;
use sync_core::seal::{KdfParams, KeySlot, Opener, SealError, SlotKind, StoreKey, open_with};

use super::{Checked, Ground, Input, require};
use crate::sim::village::vault::{CONTEXT, DATA_KEY, MAC, PIN, VALUE, long_value};
use crate::sim::village::{PHONES, key, sealing_key};

fn refused(error: SealError) -> Checked {
    // Without the number that some of them name.
    let word = format!("{error:?}");
    Ok(word.split('(').next().unwrap_or_default().to_owned())
}

/// A slot reads back as it was written.
pub(super) fn slot(_: &Ground, input: Input<'_>) -> Checked {
    match KeySlot::from_bytes(input.bytes) {
        Ok(slot) => {
            let again = KeySlot::from_bytes(&slot.to_bytes());
            require(again.as_ref() == Ok(&slot), "it reads back as another slot")?;
            Ok(format!("{:?}", slot.kind()))
        }
        Err(error) => refused(error),
    }
}

/// A slot opens only as it was sealed. Only the cheapest are tried.
pub(super) fn slot_opened(ground: &Ground, input: Input<'_>) -> Checked {
    let slot = match KeySlot::from_bytes(input.bytes) {
        Ok(slot) if slot.kdf() == KdfParams::FLOOR => slot,
        Ok(_) => return Ok("dear".into()),
        Err(error) => return refused(error),
    };
    let mac = |_: &[u8]| Some(MAC);
    let opener = match slot.kind() {
        SlotKind::KeyStore => Opener::KeyStore(b"", &mac),
        _ => Opener::Passphrase(PIN),
    };
    match StoreKey::from_slot(ground.vault.id(), &slot, opener) {
        Ok(_) => {
            let sealed = ground
                .of("slot")
                .any(|kept| KeySlot::from_bytes(&kept.bytes).as_ref() == Ok(&slot));
            require(sealed, "it opens and was never sealed")?;
            Ok("opened".into())
        }
        Err(error) => refused(error),
    }
}

/// Whether these very bytes were sealed.
fn was_sealed(ground: &Ground, kind: &str, input: Input<'_>) -> Result<(), String> {
    let sealed = ground.of(kind).any(|kept| kept.bytes == input.bytes);
    require(sealed, "it opens and was never sealed")
}

/// A row opens only as it was sealed.
pub(super) fn sealed_row(ground: &Ground, input: Input<'_>) -> Checked {
    let vault = &ground.vault;
    match vault.data.open(Table::Record, vault.row(), input.bytes) {
        Ok(value) => {
            was_sealed(ground, "sealed_row", input)?;
            let known = value == VALUE || value == long_value();
            require(known, "it opens to another value")?;
            Ok("opened".into())
        }
        Err(error) => refused(error),
    }
}

/// The key of a space opens only as it was wrapped.
pub(super) fn wrapped_key(ground: &Ground, input: Input<'_>) -> Checked {
    match ground.vault.store.unwrap(DATA_KEY, input.bytes) {
        Ok((space, _)) => {
            was_sealed(ground, "wrapped_key", input)?;
            Ok(space.to_string())
        }
        Err(error) => refused(error),
    }
}

/// What is sealed to a device opens only as it was sealed.
pub(super) fn sealed_to(ground: &Ground, input: Input<'_>) -> Checked {
    let device = sealing_key(&key(PHONES[0]));
    match open_with(&device, CONTEXT, input.bytes) {
        Ok(value) => {
            was_sealed(ground, "sealed_to", input)?;
            require(value == VALUE, "it opens to another value")?;
            Ok("opened".into())
        }
        Err(error) => refused(error),
    }
}
