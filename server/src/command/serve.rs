//! `serve`: the server until it is told to stop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use node::{App, CommandError, Options, keys};
use serde_json::json;

use super::{Cli, print, say};
use crate::serve::{self, ServeOptions};

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
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
}

pub(super) async fn serve(cli: &Cli, args: &ServeArgs) -> Result<(), CommandError> {
    let app = App::open(&cli.data, options(args.sample)).await?;
    app.keep_sample_apart().await?;
    match &args.journal {
        Some(dir) => app.keep_journal(dir).await?,
        None if args.no_journal => app.keep_no_journal().await?,
        None => {}
    }
    let options = ServeOptions {
        listen: args.listen,
        http: args.http,
        url: args.url.clone(),
        console: args.console,
    };
    let running = serve::serve(&app, &options).await?;
    tokio::spawn(count(app.clone()));
    tokio::spawn(renew(app.clone()));
    advise(cli, &app);
    // One line whether or not --json is given: programs wait for it.
    let first = json!({
        "url": running.url,
        "network": app.network().to_string(),
        "console": running.console,
    });
    print(&first.to_string());
    running.until_stopped().await?;
    app.close().await;
    Ok(())
}

/// How an installation for samples is opened, or one for real people.
pub(super) fn options(sample: bool) -> Options {
    Options {
        sample,
        ..Options::default()
    }
}

/// What the person who started the first server should do now.
pub(super) fn advise(cli: &Cli, app: &App) {
    if !app.founded() {
        return;
    }
    let path = cli.data.join(keys::ROOT);
    say(&format!(
        "A new installation. {} signs which servers are yours and is not needed from day to day: \
         copy it to two offline places and remove it here.",
        path.display()
    ));
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
