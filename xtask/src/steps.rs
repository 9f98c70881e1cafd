//! Steps of a command: each with its name, its seconds, and what it printed.
//!
//! A step that waits more than it computes can run beside the others; its output is kept and
//! printed in one piece when it has ended.

use std::env;
use std::process::Command;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::Outcome;

/// The steps done so far.
pub(crate) struct Steps {
    began: Instant,
    done: Vec<Done>,
}

/// A finished step.
struct Done {
    name: &'static str,
    took: Duration,
    /// Whether other steps ran meanwhile.
    beside: bool,
}

/// Steps that run beside the others.
pub(crate) struct Beside(JoinHandle<(Outcome, Vec<Done>)>);

impl Steps {
    pub(crate) fn begin() -> Self {
        Self {
            began: Instant::now(),
            done: Vec::new(),
        }
    }

    /// Runs a step, with its output where ours goes.
    pub(crate) fn run(&mut self, name: &'static str, command: &mut Command) -> Outcome {
        let began = Instant::now();
        let outcome = run(command);
        self.done.push(Done {
            name,
            took: began.elapsed(),
            beside: false,
        });
        outcome
    }

    /// Starts steps that run one after the other, beside what follows here.
    pub(crate) fn beside(commands: Vec<(&'static str, Command)>) -> Beside {
        Beside(thread::spawn(move || {
            let mut done = Vec::new();
            for (name, mut command) in commands {
                let began = Instant::now();
                let outcome = run_kept(&mut command);
                done.push(Done {
                    name,
                    took: began.elapsed(),
                    beside: true,
                });
                if outcome.is_err() {
                    return (outcome, done);
                }
            }
            (Ok(()), done)
        }))
    }

    /// Waits for steps that were started beside.
    pub(crate) fn join(&mut self, beside: Beside) -> Outcome {
        let (outcome, done) = beside
            .0
            .join()
            .map_err(|_| "a step beside the tests ended in a panic".to_owned())?;
        self.done.extend(done);
        outcome
    }

    /// Prints the seconds of each step, and of all together.
    pub(crate) fn report(&self) {
        eprintln!("seconds per step:");
        for done in &self.done {
            let beside = if done.beside { "  (beside)" } else { "" };
            eprintln!("{:>7.1}  {}{beside}", done.took.as_secs_f64(), done.name);
        }
        eprintln!("{:>7.1}  all", self.began.elapsed().as_secs_f64());
    }
}

/// A cargo command of this workspace.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(args)
        .current_dir(crate::root())
        .env("CARGO_INCREMENTAL", "0");
    command
}

/// Runs a command, with its output where ours goes.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let shown = shown(command);
    eprintln!("+ {shown}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("failed ({status}): {shown}")),
        Err(error) => Err(format!("could not start {shown}: {error}")),
    }
}

/// Runs a command and prints what it said once it has ended.
fn run_kept(command: &mut Command) -> Outcome {
    let shown = shown(command);
    let output = command
        .output()
        .map_err(|error| format!("could not start {shown}: {error}"))?;
    eprintln!(
        "+ {shown}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    if output.status.success() {
        return Ok(());
    }
    Err(format!("failed ({}): {shown}", output.status))
}

fn shown(command: &Command) -> String {
    format!("{command:?}").replace('"', "")
}
