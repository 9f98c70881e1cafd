//! `ortoo-server`: the banner server's program.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use ortoo_server::command::{Cli, run};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            drop(error.print());
            // Help and version are no mistakes; everything else is a wrong request.
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::WARN.into())
        .from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    // Whatever asks rustls for its default gets the one provider of this workspace. It is set only
    // here, so nobody can have been first.
    drop(rustls::crypto::ring::default_provider().install_default());
    run(&cli)
}
