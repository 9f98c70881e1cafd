//! How backups, restores and events are printed.

use serde_json::{Value, json};
use sync_core::id::{DeviceId, Space};
use words::Words;

use super::time;
use crate::backup::BackupMade;
use crate::recovery::RecoveryStatus;
use crate::restore::Restored;
use crate::store::event::Event;

pub(super) fn backup(made: &BackupMade) -> Value {
    json!({
        "bytes": made.bytes,
        "parts": made.parts,
        "batches": made.batches,
    })
}

pub(super) fn restored(restored: &Restored) -> Value {
    let journal = restored.journal.map(|journal| {
        json!({
            "files": journal.files,
            "control": journal.control,
            "batches": journal.batches,
            "torn": journal.torn,
            "bad": journal.bad,
            "complete": journal.complete,
        })
    });
    json!({
        "network": restored.network.to_string(),
        "backup_time": time(restored.backup_time),
        "journal": journal,
        "recovery": restored.recovery,
    })
}

pub(super) fn recovery(status: &RecoveryStatus) -> Value {
    let named =
        |devices: &[DeviceId]| -> Vec<String> { devices.iter().map(DeviceId::to_string).collect() };
    let spaces = status.at_risk.iter().map(Space::to_string);
    json!({
        "recovery": status.recovery,
        "returned": named(&status.returned),
        "awaited": named(&status.awaited),
        "at_risk": spaces.collect::<Vec<_>>(),
    })
}

pub(super) fn event(words: &Words, event: &Event) -> Value {
    json!({
        "number": event.number,
        "at": time(event.at),
        "event": event.kind,
        "device": event.device.map(|device| device.to_string()),
        "space": event.space.as_ref().map(Space::to_string),
        "message": words.say(&format!("event_{}", event.kind), "", &[("", "")]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::event::EventKind;
    use words::Language;

    #[test]
    fn every_event_has_a_sentence_in_both_languages() {
        for language in [Language::Chinese, Language::English] {
            let words = Words::new(language);
            for kind in EventKind::ALL {
                let code = format!("event_{}", kind.code());
                assert!(words.knows(&code), "{code}");
            }
        }
    }
}
