//! The command line: verbs, what they print, exit codes. Kept for good.
//!
//! Exit codes are those of `ortoo-field`: 0 done, 1 the request is wrong (or `verify` or
//! `verify-cells` found something), 3 the data directory can't be opened.

mod backup;
mod bundle;
mod enrol;
mod erase;
mod events;
mod figures;
mod moves;
mod order;
mod parked;
mod revoke;
mod same_person;
mod sample;
mod serve;
mod shapes;
mod show;
mod verify;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use node::{App, CommandError, Options};
use serde_json::{Value, json};
use sync_core::id::RecordId;
use words::{Language, Words, legible};

use self::backup::{BackupArgs, RecoveryVerb, RestoreArgs};
use self::bundle::{BundleVerb, SnapshotArgs};
use self::enrol::{ApproveArgs, CodeArgs};
use self::erase::EraseArgs;
use self::events::EventsArgs;
use self::figures::IndicatorsArgs;
use self::moves::MoveArgs;
use self::order::{OrderKeyVerb, OrderVerb, RootVerb};
use self::parked::UnparkArgs;
use self::revoke::{DecideArgs, RevokeArgs, WipeArgs};
use self::same_person::SamePersonArgs;
use self::sample::SampleArgs;
use self::serve::ServeArgs;
use self::shapes::time;
use self::show::ShowArgs;

/// The request is wrong; nothing has changed.
const EXIT_WRONG: u8 = 1;
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
    Serve(ServeArgs),
    /// Fill an empty sample installation with a made-up banner, recorded over years by phones in
    /// this process. The same seed makes the same people.
    Sample(SampleArgs),
    /// Make a link that lets one phone in, good for 24 hours.
    EnrolCode(CodeArgs),
    /// Take a file that somebody carried here.
    #[command(subcommand)]
    Bundle(BundleVerb),
    /// Write all that is held of some units to a file, for phones without a connection to import, and to
    /// hand back to this server should it lose it.
    Snapshot(SnapshotArgs),
    /// Move a person to another 嘎查 or community: her record goes on as a new one there.
    Move(MoveArgs),
    /// List the persons who show one ID number in two units.
    Duplicates,
    /// Say that two records in two units are one person: both units are told, and she counts in one.
    SamePerson(SamePersonArgs),
    /// Write a backup, while phones are served.
    Backup(BackupArgs),
    /// Make an installation in --data of a backup, and of the journal if there is one.
    Restore(RestoreArgs),
    /// What a restored server still lacks, and when it serves again.
    #[command(subcommand)]
    Recovery(RecoveryVerb),
    /// List what happened that the office should know, the newest first.
    Events(EventsArgs),
    /// List the devices that wait to be let in.
    Pending,
    /// Let a device in, after comparing the six digits with its screen.
    Approve(ApproveArgs),
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
    Unpark(UnparkArgs),
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
    Show(ShowArgs),
    /// List all records.
    Records,
    /// Show the plan's figures of an org unit.
    Indicators(IndicatorsArgs),
    /// Make every record again from its batches and compare.
    Verify,
    /// Count every figure from the records by other code, and compare.
    VerifyCells,
    /// Count every figure anew, beside those that are shown, and show the new ones.
    Recount,
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
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, cli.json),
    }
}

async fn perform(cli: &Cli) -> Result<(), CommandError> {
    let answer = match &cli.verb {
        Verb::Serve(args) => return serve::serve(cli, args).await,
        Verb::Sample(args) => sample::sample(cli, args).await,
        Verb::Restore(args) => backup::restore(cli, args).await,
        Verb::OrderKey(verb) => order::order_key(verb),
        Verb::EnrolCode(args) => cli.at(async |app| enrol::code(app, args).await).await,
        Verb::Pending => cli.at(enrol::pending).await,
        Verb::Approve(args) => cli.at(async |app| enrol::approve(app, args).await).await,
        Verb::Devices => cli.at(revoke::devices).await,
        Verb::Revoke(args) => cli.at(async |app| revoke::revoke(app, args).await).await,
        Verb::Wipe(args) => cli.at(async |app| revoke::wipe(app, args).await).await,
        Verb::PendingBatches => cli.at(revoke::waiting).await,
        Verb::Accept(args) => {
            cli.at(async |app| revoke::decide(app, args, true).await)
                .await
        }
        Verb::Refuse(args) => {
            cli.at(async |app| revoke::decide(app, args, false).await)
                .await
        }
        Verb::Parked => cli.at(parked::parked).await,
        Verb::Unpark(args) => cli.at(async |app| parked::unpark(app, args).await).await,
        Verb::Order(verb) => cli.at(async |app| order::order(app, verb).await).await,
        Verb::Root(verb) => {
            cli.at(async |app| order::root(app, &cli.data, verb).await)
                .await
        }
        Verb::Erase(args) => cli.at(async |app| erase::erase(app, args).await).await,
        Verb::Erasures => cli.at(erase::erasures).await,
        Verb::Bundle(verb) => cli.at(async |app| bundle::bundle(app, verb).await).await,
        Verb::Snapshot(args) => cli.at(async |app| bundle::snapshot(app, args).await).await,
        Verb::Move(args) => {
            cli.at(async |app| moves::move_person(app, args).await)
                .await
        }
        Verb::Duplicates => cli.at(same_person::duplicates).await,
        Verb::SamePerson(args) => {
            cli.at(async |app| same_person::same_person(app, args).await)
                .await
        }
        Verb::Backup(args) => cli.at(async |app| backup::backup(app, args).await).await,
        Verb::Recovery(verb) => cli.at(async |app| backup::recovery(app, verb).await).await,
        Verb::Events(args) => cli.at(async |app| events::events(app, args).await).await,
        Verb::Show(args) => cli.at(async |app| show::show(app, args).await).await,
        Verb::Records => cli.at(show::records).await,
        Verb::Indicators(args) => {
            cli.at(async |app| figures::indicators(app, args).await)
                .await
        }
        Verb::Recount => cli.at(figures::recount).await,
        Verb::Verify => cli.at(async |app| verify::verify(cli, app).await).await,
        Verb::VerifyCells => {
            cli.at(async |app| verify::verify_cells(cli, app).await)
                .await
        }
    };
    say_answer(cli, &answer?);
    Ok(())
}

impl Cli {
    /// Asks an installation that is there, and closes it.
    async fn at(
        &self,
        ask: impl AsyncFnOnce(&App) -> Result<Value, CommandError>,
    ) -> Result<Value, CommandError> {
        let app = App::open_existing(&self.data, Options::default()).await?;
        let answer = ask(&app).await;
        app.close().await;
        answer
    }
}

fn record_id(text: &str) -> Result<RecordId, CommandError> {
    text.parse()
        .map_err(|_| CommandError::wrong("bad_id", text))
}

fn say_answer(cli: &Cli, answer: &Value) {
    print(&if cli.json {
        answer.to_string()
    } else {
        format!("{answer:#}")
    });
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
    drop(writeln!(out, "{}", legible(text)));
    drop(out.flush());
}

/// A line on standard error.
fn say(text: &str) {
    drop(writeln!(std::io::stderr().lock(), "{}", legible(text)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn every_code_has_a_sentence_in_both_languages() {
        for language in [Language::Chinese, Language::English] {
            let words = Words::new(language);
            for code in node::CODES.into_iter().chain(["data_unusable"]) {
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
        let Verb::EnrolCode(args) = Cli::try_parse_from(line).unwrap().verb else {
            panic!("another verb");
        };
        assert_eq!(args.spaces, ["a", "b.care"]);
        assert!(Cli::try_parse_from(["ortoo-server", "enrol-code"]).is_err());
    }
}
