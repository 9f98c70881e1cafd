//! `events`: what happened that the office should know.

use clap::Args;
use node::{App, CommandError, Event};
use serde_json::{Value, json};
use sync_core::id::Space;
use words::{Language, Words};

use super::time;

#[derive(Debug, Args)]
pub(super) struct EventsArgs {
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = 200)]
    limit: u32,
}

pub(super) async fn events(app: &App, args: &EventsArgs) -> Result<Value, CommandError> {
    let words = Words::new(Language::of_environment());
    let events = app.events(u64::from(args.limit)).await?;
    Ok(events.iter().map(|event| row(&words, event)).collect())
}

fn row(words: &Words, event: &Event) -> Value {
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
    use node::EventKind;

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
