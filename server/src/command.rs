//! The command line: verbs, what they print, exit codes. Kept for good.
//!
//! Exit codes are those of `ortoo-field`: 0 done, 1 the request is wrong (or `verify` or
//! `verify-cells` found something), 3 the data directory can't be opened.

mod bundle;
mod erase;
mod office;
mod order;
mod revoke;
mod shapes;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use serde_json::{Value, json};
use sync_core::figure::Asked;
use sync_core::id::{DeviceId, RecordId};
use words::{Language, Words};

use self::bundle::{BundleVerb, SnapshotArgs};
use self::erase::EraseArgs;
use self::order::{OrderKeyVerb, OrderVerb, RootVerb};
use self::revoke::{DecideArgs, RevokeArgs, WipeArgs};
use self::shapes::{figure_row, gone, left_out_row, parked, pending, recounted, time, verified};
use crate::app::{App, Options};
use crate::backup::InClear;
use crate::enrol::CodeWish;
use crate::error::CommandError;
use crate::recovery::RecoveryStatus;
use crate::restore::restore;
use crate::sample;
use crate::serve::{ServeOptions, serve};
use crate::show;

/// The request is wrong; nothing has changed.
const EXIT_WRONG: u8 = 1;
/// More people than two banners have: household numbers of a community have four digits.
const PEOPLE_MAX: i64 = 100_000;
/// The data directory can't be opened.
const EXIT_DATA: u8 = 3;

/// The banner server: phones reconcile with it, the office sees what they hold.
#[derive(Debug, Parser)]
#[command(name = "ortoo-server", version)]
pub struct Cli {
    /// Directory of keys and database.
    #[arg(
        long,
        global = true,
        default_value = "ortoo-server",
        value_name = "DIR"
    )]
    data: PathBuf,
    /// Print JSON, errors too.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serve phones until told to stop. The first line printed is {"url","network","console"}.
    Serve {
        /// Address and port; port 0 takes a free one.
        #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4443")]
        listen: SocketAddr,
        /// Made-up data: let devices in at once, and let a PIN open their stores.
        #[arg(long)]
        sample: bool,
        /// Plain HTTP; on loopback only.
        #[arg(long)]
        http: bool,
        /// The address that phones reach the server at.
        #[arg(long, value_name = "URL")]
        url: Option<String>,
        /// Address and port of the office's pages; on loopback only.
        #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
        console: SocketAddr,
        /// Keep everything that is acknowledged a second time in this directory, on another disk.
        /// Remembered until --no-journal.
        #[arg(long, value_name = "DIR", conflicts_with = "no_journal")]
        journal: Option<PathBuf>,
        /// Keep no journal any more.
        #[arg(long)]
        no_journal: bool,
    },
    /// Fill an empty sample installation with a made-up banner, recorded over years by phones in
    /// this process. The same seed makes the same people.
    Sample {
        /// People; 45000 are the whole banner. Every unit has two at least.
        #[arg(long, value_name = "N", default_value_t = 3000, value_parser = clap::value_parser!(u32).range(1..=PEOPLE_MAX))]
        people: u32,
        /// What everybody and everything follows from.
        #[arg(long, value_name = "S", default_value_t = 1)]
        seed: u64,
    },
    /// Make a link that lets one phone in, good for 24 hours.
    EnrolCode {
        /// Org unit with or without a class; a 9-digit 苏木 means all its units. May be given again.
        #[arg(long = "space", value_name = "CODE[.class]", required = true)]
        spaces: Vec<String>,
        /// Whom it is for.
        #[arg(long, value_name = "TEXT")]
        name: Option<String>,
        /// The server's address, if another than the one it was started with.
        #[arg(long, value_name = "URL")]
        url: Option<String>,
    },
    /// Take a file that somebody carried here.
    #[command(subcommand)]
    Bundle(BundleVerb),
    /// Write all that is held of some units to a file, for phones without a connection to import, and to
    /// hand back to this server should it lose it.
    Snapshot(SnapshotArgs),
    /// Move a person to another 嘎查 or community: her record goes on as a new one there.
    Move {
        /// The record.
        record: String,
        /// The unit that she moves to.
        #[arg(long, value_name = "CODE")]
        to: String,
        /// The day from which on she lives there; today if it is left out.
        #[arg(long, value_name = "YYYY-MM-DD")]
        on: Option<String>,
    },
    /// Write a backup, while phones are served.
    Backup {
        /// The file to write; it must not be there.
        file: PathBuf,
        /// Write it although it holds real people's data in clear.
        #[arg(long)]
        plain_i_know: bool,
    },
    /// Make an installation in --data of a backup, and of the journal if there is one.
    Restore {
        /// The backup.
        file: PathBuf,
        /// The journal that was kept beside the server that is lost.
        #[arg(long, value_name = "DIR")]
        journal: Option<PathBuf>,
    },
    /// What a restored server still lacks, and when it serves again.
    #[command(subcommand)]
    Recovery(RecoveryVerb),
    /// List what happened that the office should know, the newest first.
    Events {
        /// At most so many.
        #[arg(long, value_name = "N", default_value_t = 200)]
        limit: u32,
    },
    /// List the devices that wait to be let in.
    Pending,
    /// Let a device in, after comparing the six digits with its screen.
    Approve {
        /// The device.
        device: String,
    },
    /// List the devices that were let in.
    Devices,
    /// Take a device off the roster, or some of what it holds; what the server holds of it by now
    /// counts.
    Revoke(RevokeArgs),
    /// Order a phone to hand over what it has and wipe its store, at its next exchange.
    Wipe(WipeArgs),
    /// List what revoked devices signed beside that, and which waits for the office.
    PendingBatches,
    /// Let batches that wait count.
    Accept(DecideArgs),
    /// Let them not count; what others have built on stays.
    Refuse(DecideArgs),
    /// List the records that show what they said before a change that can't be taken.
    Parked,
    /// Have everybody leave out the changes for which a record is parked.
    Unpark {
        /// The record.
        record: String,
    },
    /// Make a person's key for orders.
    #[command(subcommand)]
    OrderKey(OrderKeyVerb),
    /// What only a person's key may order.
    #[command(subcommand)]
    Order(OrderVerb),
    /// Say who may sign what.
    #[command(subcommand)]
    Root(RootVerb),
    /// Order that records are erased everywhere, for good.
    Erase(EraseArgs),
    /// List the orders of erasure, and which devices have done them.
    Erasures,
    /// Show a record, all classes.
    Show {
        /// The record, or the 12-digit code of an organisation.
        id: String,
    },
    /// List all records.
    Records,
    /// Show the plan's figures of an org unit.
    Indicators {
        /// Banner, 苏木, 嘎查 or community; the banner if it is left out.
        #[arg(long, value_name = "CODE")]
        org: Option<String>,
        /// The year that the period ends in; this year if it is left out.
        #[arg(long, value_name = "YEAR", conflicts_with = "every_year")]
        year: Option<u16>,
        /// Every year of the plan.
        #[arg(long)]
        every_year: bool,
    },
    /// Make every record again from its batches and compare.
    Verify,
    /// Count every figure from the records by other code, and compare.
    VerifyCells,
    /// Count every figure anew, beside those that are shown, and show the new ones.
    Recount,
}

#[derive(Debug, Subcommand)]
enum RecoveryVerb {
    /// Who came back, and what nobody has brought back yet.
    Status,
    /// Serve everybody on the roster again.
    Confirm,
}

/// Does what the command line asks and gives the exit code.
pub fn run(cli: &Cli) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(perform(cli)),
        Err(error) => Err(CommandError::Data(error.into())),
    };
    match done {
        Ok(code) => code,
        Err(error) => fail(&error, cli.json),
    }
}

async fn perform(cli: &Cli) -> Result<ExitCode, CommandError> {
    let done = ExitCode::SUCCESS;
    if let Verb::Serve {
        listen,
        sample,
        http,
        url,
        console,
        journal,
        no_journal,
    } = &cli.verb
    {
        let app = App::open(&cli.data, options(*sample)).await?;
        app.keep_sample_apart().await?;
        match journal {
            Some(dir) => app.keep_journal(dir).await?,
            None if *no_journal => app.keep_no_journal().await?,
            None => {}
        }
        let options = ServeOptions {
            listen: *listen,
            http: *http,
            url: url.clone(),
            console: *console,
        };
        let running = serve(&app, &options).await?;
        tokio::spawn(count(app.clone()));
        tokio::spawn(renew(app.clone()));
        if app.founded() {
            advise(cli);
        }
        // One line whether or not --json is given: programs wait for it.
        let first = json!({
            "url": running.url,
            "network": app.network().to_string(),
            "console": running.console,
        });
        print(&first.to_string());
        running.until_stopped().await?;
        app.close().await;
        return Ok(done);
    }
    if let Verb::Sample { people, seed } = &cli.verb {
        let app = App::open(&cli.data, options(true)).await?;
        if app.founded() {
            advise(cli);
        }
        let people = usize::try_from(*people).unwrap_or(usize::MAX);
        say_answer(cli, &sample::make(&app, people, *seed).await?);
        app.close().await;
        return Ok(done);
    }
    if let Verb::Restore { file, journal } = &cli.verb {
        let restored = restore(file, &cli.data, journal.as_deref(), Options::default()).await?;
        say_answer(cli, &office::restored(&restored));
        return Ok(done);
    }
    if let Verb::OrderKey(verb) = &cli.verb {
        say_answer(cli, &order::order_key(verb)?);
        return Ok(done);
    }
    let app = App::open_existing(&cli.data, Options::default()).await?;
    let answer = match &cli.verb {
        Verb::Serve { .. } | Verb::Sample { .. } | Verb::Restore { .. } | Verb::OrderKey(_) => {
            return Ok(done);
        }
        Verb::Backup { file, plain_i_know } => {
            let in_clear = match plain_i_know {
                true => InClear::Known,
                false => InClear::NotSaid,
            };
            office::backup(&app.backup(file, in_clear).await?)
        }
        Verb::Recovery(RecoveryVerb::Status) => office::recovery(&app.recovery_status().await?),
        Verb::Recovery(RecoveryVerb::Confirm) => {
            let before = app.confirm_recovery().await?;
            office::recovery(&RecoveryStatus {
                recovery: false,
                ..before
            })
        }
        Verb::Events { limit } => {
            let words = Words::new(Language::of_environment());
            let events = app.events(u64::from(*limit)).await?;
            let row = |event| office::event(&words, event);
            events.iter().map(row).collect()
        }
        Verb::EnrolCode { spaces, name, url } => {
            let wish = CodeWish {
                spaces: spaces.clone(),
                name: name.clone(),
                url: url.clone(),
            };
            json!({ "link": app.enrol_code(&wish).await?.to_string() })
        }
        Verb::Bundle(verb) => bundle::bundle(&app, verb).await?,
        Verb::Snapshot(args) => bundle::snapshot(&app, args).await?,
        Verb::Move { record, to, on } => gone(
            &app.move_person(record_id(record)?, to, on.as_deref())
                .await?,
        ),
        Verb::Pending => app.pending().await?.iter().map(pending).collect(),
        Verb::Approve { device } => {
            let id: DeviceId = device
                .parse()
                .map_err(|_| CommandError::wrong("bad_id", device))?;
            app.approve(id).await?;
            json!({ "device": id.to_string() })
        }
        Verb::Devices => revoke::devices(&app).await?,
        Verb::Revoke(args) => revoke::revoke(&app, args).await?,
        Verb::Wipe(args) => revoke::wipe(&app, args).await?,
        Verb::PendingBatches => revoke::waiting(&app).await?,
        Verb::Accept(args) => revoke::decide(&app, args, true).await?,
        Verb::Refuse(args) => revoke::decide(&app, args, false).await?,
        Verb::Parked => app.parked().await?.iter().map(parked).collect(),
        Verb::Unpark { record } => {
            let left_out = app.unpark(record_id(record)?).await?;
            left_out.iter().map(left_out_row).collect()
        }
        Verb::Order(verb) => order::order(&app, verb).await?,
        Verb::Root(verb) => order::root(&app, &cli.data, verb).await?,
        Verb::Erase(args) => erase::erase(&app, args).await?,
        Verb::Erasures => erase::erasures(&app).await?,
        Verb::Show { id } => show::show(&app, id).await?,
        Verb::Records => show::records(&app).await?,
        Verb::Indicators {
            org,
            year,
            every_year,
        } => {
            let asked = Asked::of(*year, *every_year);
            let figures = app.indicators(org.as_deref(), asked).await?;
            figures.iter().map(figure_row).collect()
        }
        Verb::Recount => json!({ "units": app.recount().await? }),
        Verb::Verify => {
            let found = app.verify().await?;
            say_answer(cli, &verified(&found));
            app.close().await;
            return match found.differences.len() {
                0 => Ok(done),
                count => Err(CommandError::wrong("store_differs", count)),
            };
        }
        Verb::VerifyCells => {
            let found = app.verify_cells().await?;
            say_answer(cli, &recounted(&found));
            app.close().await;
            return match found.differences.len() {
                0 => Ok(done),
                count => Err(CommandError::wrong("cells_differ", count)),
            };
        }
    };
    say_answer(cli, &answer);
    app.close().await;
    Ok(done)
}

fn record_id(text: &str) -> Result<RecordId, CommandError> {
    text.parse()
        .map_err(|_| CommandError::wrong("bad_id", text))
}

fn options(sample: bool) -> Options {
    Options {
        sample,
        ..Options::default()
    }
}

/// Counts by a plan that is new, beside serving.
async fn count(app: App) {
    if let Err(error) = app.count_figures().await {
        tracing::error!(error = format!("{error:#}"), "the figures are not counted");
    }
}

/// Makes each month's key for bundles as the month begins.
async fn renew(app: App) {
    let mut hours = tokio::time::interval(Duration::from_secs(3600));
    loop {
        hours.tick().await;
        if let Err(error) = app.renew_seal_keys().await {
            tracing::error!(error = format!("{error:#}"), "no new key for bundles");
        }
        if let Err(error) = app.empty_log().await {
            tracing::error!(error = format!("{error:#}"), "the log is not emptied");
        }
    }
}

fn say_answer(cli: &Cli, answer: &Value) {
    print(&if cli.json {
        answer.to_string()
    } else {
        format!("{answer:#}")
    });
}

/// What the person who started the first server should do now.
fn advise(cli: &Cli) {
    let path = cli.data.join(crate::keys::ROOT);
    say(&format!(
        "A new installation. {} signs which servers are yours and is not needed from day to day: \
         copy it to two offline places and remove it here.",
        path.display()
    ));
}

fn fail(error: &CommandError, as_json: bool) -> ExitCode {
    let words = Words::new(Language::of_environment());
    let (exit, code, key, message) = match error {
        CommandError::Wrong { code, key, args } => {
            let message = words.say(&format!("server_{code}"), key, args);
            (EXIT_WRONG, *code, key.as_str(), message)
        }
        CommandError::Data(error) => {
            let args = [("detail", format!("{error:#}"))];
            let message = words.say("server_data_unusable", "", &args);
            (EXIT_DATA, "data_unusable", "", message)
        }
    };
    if as_json {
        let error = json!({ "code": code, "key": key, "message": message });
        say(&json!({ "error": error }).to_string());
    } else {
        say(&message);
    }
    ExitCode::from(exit)
}

/// A line on standard output. Whoever closed the pipe has read enough.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    drop(writeln!(out, "{text}"));
    drop(out.flush());
}

/// A line on standard error.
fn say(text: &str) {
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn every_code_has_a_sentence_in_both_languages() {
        for language in [Language::Chinese, Language::English] {
            let words = Words::new(language);
            for code in crate::error::CODES.into_iter().chain(["data_unusable"]) {
                assert!(words.knows(&format!("server_{code}")), "{code}");
            }
        }
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn json_and_data_stand_before_or_after_the_verb() {
        for line in [
            &["ortoo-server", "--json", "--data", "d", "show", "p1"][..],
            &["ortoo-server", "show", "p1", "--json", "--data", "d"],
            &["ortoo-server", "--data", "d", "show", "--json", "p1"],
        ] {
            let cli = Cli::try_parse_from(line).unwrap();
            assert!(cli.json && cli.data.as_os_str() == "d", "{line:?}");
        }
    }

    #[test]
    fn several_spaces_may_be_given_and_none_may_not() {
        let line = [
            "ortoo-server",
            "enrol-code",
            "--space",
            "a",
            "--space",
            "b.care",
        ];
        let Verb::EnrolCode { spaces, .. } = Cli::try_parse_from(line).unwrap().verb else {
            panic!("another verb");
        };
        assert_eq!(spaces, ["a", "b.care"]);
        assert!(Cli::try_parse_from(["ortoo-server", "enrol-code"]).is_err());
    }
}
