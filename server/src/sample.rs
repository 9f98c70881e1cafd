//! `sample`: a banner of made-up people in an installation for samples.
//!
//! The crate [`sample`] plays the phones; here their requests' bytes reach [`App`] as those of real
//! phones do, without a network.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use node::{App, CodeRequest, CommandError, ReadTx, ServeError};
use plan::unit::OrgUnit;
use sample::{Banner, SampleError, SampleOptions};
use serde_json::{Value, json};
use sync_core::enrol::EnrolmentLink;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use words::{Language, Words};

/// Goes into the links of phones that are in this process and call nobody.
const NOWHERE: &str = "https://sample.invalid";
/// Without a terminal there is a line for every so many parts of a hundred.
const LINE_PERCENT: usize = 10;

/// Fills an empty installation for samples with `people` people that follow from `seed`.
pub(crate) async fn make(app: &App, people: usize, seed: u64) -> Result<Value, CommandError> {
    app.keep_sample_apart().await?;
    let context = app.context();
    let ReadTx { control, .. } = context.read().await?;
    if !app.is_empty().await? {
        return Err(CommandError::wrong("sample_not_empty", "--data"));
    }
    let request = SampleOptions {
        people,
        seed,
        until: context.clock.now(),
    };
    let way = Way {
        app: app.clone(),
        handle: Handle::current(),
    };
    let started = Instant::now();
    // Threads of its own; they wait for the runtime's.
    let recorded = spawn_blocking(move || {
        let package = control.package();
        let package = package.ok_or_else(|| CommandError::wrong("package_unknown", ""))?;
        let shown = ProgressDisplay::new();
        let recorded = sample::record(&way, package, &request, &|done, of| shown.tell(done, of));
        shown.end();
        recorded.map_err(|error| match error {
            SampleError::Banner(error) => error,
            SampleError::Phone(error) => CommandError::Data(error.into()),
            SampleError::Key(_) => CommandError::Data(anyhow::anyhow!("{error}")),
        })
    });
    let counts = recorded
        .await
        .map_err(|error| CommandError::Data(error.into()))??;
    Ok(json!({
        "people": counts.people,
        "households": counts.households,
        "phones": counts.phones,
        "records": counts.records,
        "edits": counts.edits,
        "batches": counts.batches,
        "seconds": started.elapsed().as_millis() as f64 / 1000.0,
    }))
}

/// The phones' way to the server in this process.
struct Way {
    app: App,
    handle: Handle,
}

impl Banner for Way {
    type Error = CommandError;

    fn code(&self, unit: &OrgUnit, name: &str) -> Result<EnrolmentLink, CommandError> {
        let request = CodeRequest {
            spaces: vec![unit.code.clone()],
            name: Some(name.to_owned()),
            url: Some(NOWHERE.to_owned()),
        };
        self.handle.block_on(self.app.enrol_code(&request))
    }

    fn enrol(&self, body: &[u8]) -> Result<Vec<u8>, CommandError> {
        served(self.handle.block_on(self.app.enrol(body.to_vec())))
    }

    fn exchange(&self, body: &[u8]) -> Result<Vec<u8>, CommandError> {
        served(self.handle.block_on(self.app.exchange(body.to_vec())))
    }
}

fn served(answer: Result<Vec<u8>, ServeError>) -> Result<Vec<u8>, CommandError> {
    answer.map_err(|error| CommandError::Data(error.into()))
}

/// How far it is, on standard error: a bar on a terminal, else a line now and then.
enum ProgressDisplay {
    Bar(ProgressBar),
    /// How many lines there were.
    Lines(AtomicUsize),
}

impl ProgressDisplay {
    fn new() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::Lines(AtomicUsize::new(0));
        }
        let style = ProgressStyle::with_template("{bar:40} {pos} / {len}  {eta}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(0).with_style(style);
        bar.enable_steady_tick(Duration::from_millis(200));
        Self::Bar(bar)
    }

    /// So many people of so many are recorded.
    fn tell(&self, done: usize, of: usize) {
        match self {
            Self::Bar(bar) => {
                bar.set_length(of as u64);
                bar.set_position(done as u64);
            }
            Self::Lines(said) => {
                let part = done * 100 / of.max(1) / LINE_PERCENT;
                if said.fetch_max(part, Ordering::Relaxed) < part {
                    let words = Words::new(Language::of_environment());
                    let (done, of) = (done.to_string(), of.to_string());
                    let line = words.sentence("sample-progress", &[("done", &done), ("of", &of)]);
                    drop(writeln!(std::io::stderr().lock(), "{line}"));
                }
            }
        }
    }

    fn end(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
