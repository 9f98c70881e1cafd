//! The command line: verbs and options.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use sync_core::id::Subject;

/// Keeps the registers of a village on this device, offline, and exchanges them with the server.
///
/// The secret that opens the store is read from the environment variable ORTOO_PIN.
#[derive(Debug, Parser)]
#[command(name = "ortoo-field", version)]
pub(crate) struct Cli {
    /// Directory of the store.
    #[arg(long, global = true, default_value = "ortoo-field", value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Print JSON, errors too.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Redeem an enrolment link and make the store.
    Enrol {
        /// The link as the server prints it; `-` reads it from standard input.
        link: String,
    },
    /// Remember another address of the server.
    Server {
        /// `https://host:port`.
        url: String,
    },
    /// Register a person or household.
    Add {
        subject: Kind,
        /// Org unit, where the device holds several.
        #[arg(long, value_name = "CODE")]
        unit: Option<String>,
        #[command(flatten)]
        sets: Sets,
    },
    /// Change values of a record.
    Edit {
        /// The record, or the 12-digit code of an organisation.
        id: String,
        #[command(flatten)]
        sets: Sets,
    },
    /// Add an item of a repeating section, or withdraw one.
    Item {
        /// The record.
        id: String,
        /// The section.
        section: String,
        /// A field of the item; may be given again.
        #[arg(
            long = "set",
            value_name = "field=value",
            required_unless_present = "void"
        )]
        sets: Vec<String>,
        /// Withdraw this item.
        #[arg(long, value_name = "ITEM", conflicts_with = "sets")]
        void: Option<String>,
    },
    /// Show a record.
    Show {
        /// The record.
        id: String,
    },
    /// List people or households, linked records as one.
    List {
        subject: Kind,
        /// Only what belongs in this register.
        #[arg(long, value_name = "NAME")]
        register: Option<String>,
        /// Only what holds this text.
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
    },
    /// Show the plan's figures of this device's units.
    Indicators {
        /// The year that the period ends in; this year if it is left out.
        #[arg(long, value_name = "YEAR", conflicts_with = "every_year")]
        year: Option<u16>,
        /// Every year of the plan.
        #[arg(long)]
        every_year: bool,
    },
    /// List what is due: screenings, visits, observations.
    Tasks {
        /// Also what is due within so many days.
        #[arg(long, value_name = "N", default_value_t = 0)]
        days: u16,
    },
    /// List the values that were written apart, and linked records that differ in who they are.
    Conflicts,
    /// Settle one of them.
    Resolve {
        /// The record.
        id: String,
        /// The key.
        key: String,
        /// Take one of the values listed, counted from 0.
        #[arg(
            long,
            value_name = "N",
            required_unless_present = "set",
            conflicts_with = "set"
        )]
        take: Option<usize>,
        /// Write another value.
        #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
        set: Option<String>,
    },
    /// Say that two records are one person; said of two that are shown as one and differ in name or
    /// date of birth, it confirms that they are one in spite of that.
    Link {
        /// A record.
        id: String,
        /// The other one.
        other: String,
    },
    /// Say that two records are two people, whatever their ID numbers say.
    Unlink {
        /// A record.
        id: String,
        /// The other one.
        other: String,
    },
    /// Show what was written to a record, oldest first.
    History {
        /// The record.
        id: String,
    },
    /// Exchange with the server.
    Sync,
    /// Make new keys and go on as another device: somebody may have copied this one.
    RenewKeys,
    /// Exchange by a file that somebody carries.
    #[command(subcommand)]
    Bundle(BundleVerb),
    /// Write what the server does not have to a file that only the server reads. Needs no PIN.
    Outbox {
        /// The file to write.
        file: PathBuf,
    },
    /// What was written on records that the office had erased meanwhile.
    Kept {
        #[command(subcommand)]
        verb: Option<KeptVerb>,
    },
    /// Show where this device stands.
    Status,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeptVerb {
    /// Register it anew, as a record of its own.
    Register {
        /// The erased record.
        id: String,
    },
    /// Drop it, for good.
    Drop {
        /// The erased record.
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum BundleVerb {
    /// Write what the server lacks to a file, sealed to the server and to the devices that hold the
    /// same data.
    Export {
        /// The file to write.
        file: PathBuf,
        /// How large it may get; what does not fit is for the next one.
        #[arg(long, value_name = "N")]
        max_bytes: Option<usize>,
        /// As small as it goes, for a satellite's short message: for the server alone, 1750 bytes
        /// unless --max-bytes says otherwise.
        #[arg(long)]
        short: bool,
        /// Everything that is held here, for a phone that has seen neither the server nor this one.
        #[arg(long, conflicts_with = "short")]
        everything: bool,
    },
    /// Take what a file brings, from whoever carried it, any number of times.
    Import {
        /// The file to read.
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Sets {
    /// A value; may be given again. Several choices are `a,b`, nothing is empty.
    #[arg(long = "set", value_name = "KEY=VALUE", required = true)]
    pub(crate) sets: Vec<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Kind {
    /// A person.
    Person,
    /// A household.
    Household,
}

impl From<Kind> for Subject {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Person => Subject::Person,
            Kind::Household => Subject::Household,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn json_and_dir_stand_before_or_after_the_verb() {
        for line in [
            &["ortoo-field", "--json", "--dir", "d", "show", "p1"][..],
            &["ortoo-field", "show", "p1", "--json", "--dir", "d"],
            &["ortoo-field", "--dir", "d", "show", "--json", "p1"],
        ] {
            let cli = Cli::try_parse_from(line).unwrap();
            assert!(cli.json && cli.dir.as_os_str() == "d", "{line:?}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for line in [
            &["ortoo-field", "add", "person"][..],
            &["ortoo-field", "add", "organisation", "--set", "a.b=c"],
            &["ortoo-field", "edit", "p1"],
            &["ortoo-field", "item", "p1", "water"],
            &[
                "ortoo-field",
                "item",
                "p1",
                "water",
                "--set",
                "a=b",
                "--void",
                "c",
            ],
            &["ortoo-field", "resolve", "p1", "a.b"],
            &[
                "ortoo-field",
                "resolve",
                "p1",
                "a.b",
                "--take",
                "0",
                "--set",
                "c",
            ],
            &["ortoo-field", "resolve", "p1", "a.b", "--take", "first"],
        ] {
            assert!(Cli::try_parse_from(line).is_err(), "{line:?}");
        }
    }
}
