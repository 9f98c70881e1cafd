//! `serve`: a listener for phones with TLS in front of the routes, one for the console on loopback,
//! and an end that loses nothing.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use anyhow::Context;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use axum_server::{Handle, Server};
use node::{App, CommandError};
use tokio::task::JoinHandle;

use crate::http::router;
use crate::tls;

/// How long requests under way may take once the server is told to stop.
const STOP_SECONDS_MAX: u64 = 10;
/// How long a TLS handshake may take: two round trips and 2 KB, over a satellite or on 2G.
const HANDSHAKE_SECONDS_MAX: u64 = 30;
/// How long a new connection may take to ask something.
const FIRST_REQUEST_SECONDS_MAX: u64 = 60;
/// How long the headers of a request may take.
const HEADER_SECONDS_MAX: u64 = 30;

/// Where and how to listen.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Plain HTTP, on loopback only: for a proxy on the same machine that does TLS, or to look on.
    pub http: bool,
    /// The address that phones reach the server at, where that is another one.
    pub url: Option<String>,
    /// Address and port of the console: plain HTTP, on loopback only.
    pub console: SocketAddr,
}

/// A server that listens.
#[derive(Debug)]
pub struct Running {
    /// Its address, as enrolment links carry it.
    pub url: String,
    /// The console's address.
    pub console: String,
    listeners: [Listening; 2],
}

/// One listener with whatever it serves.
#[derive(Debug)]
struct Listening {
    handle: Handle<SocketAddr>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Running {
    /// Takes no new connections, waits for the requests under way, and ends.
    pub async fn stop(self) -> Result<(), CommandError> {
        let limit = Duration::from_secs(STOP_SECONDS_MAX);
        for listener in &self.listeners {
            listener.handle.graceful_shutdown(Some(limit));
        }
        for listener in self.listeners {
            let ended = listener.task.await.context("the server stopped")?;
            ended.context("the server stopped")?;
        }
        Ok(())
    }

    /// Serves until the process is told to stop.
    pub async fn until_stopped(self) -> Result<(), CommandError> {
        stop_signal().await?;
        tracing::info!("stopping");
        self.stop().await
    }
}

/// Listens and serves.
pub async fn serve(app: &App, options: &ServeOptions) -> Result<Running, CommandError> {
    if options.http {
        on_loopback("http_not_loopback", options.listen)?;
    }
    on_loopback("console_not_loopback", options.console)?;
    let given = options
        .url
        .as_deref()
        .map(node::server_address)
        .transpose()?;
    let (phones, bound) = bind(options.listen)?;
    let (office, console) = bind(options.console)?;
    let url = given.unwrap_or_else(|| own_address(bound, options.http));
    app.remember_address(&url).await?;
    Ok(Running {
        url,
        console: format!("http://{console}/"),
        listeners: [
            serve_phones(app, phones, bound, options.http)?,
            serve_console(app, office, console.port())?,
        ],
    })
}

/// The phones' listener.
fn serve_phones(
    app: &App,
    listener: TcpListener,
    bound: SocketAddr,
    http: bool,
) -> Result<Listening, CommandError> {
    let handle = Handle::new();
    let service = router(app.clone()).into_make_service();
    // An answer leaves at once: on a quiet day it is smaller than what a socket waits for.
    let plain = NoDelayAcceptor::new();
    let task = if http {
        let server = listening(listener, plain, handle.clone())?;
        tokio::spawn(server.serve(service))
    } else {
        let config = RustlsConfig::from_config(tls::server_config(app.tls_key(), bound.ip())?);
        let acceptor = RustlsAcceptor::new(config)
            .handshake_timeout(Duration::from_secs(HANDSHAKE_SECONDS_MAX))
            .acceptor(plain);
        let server = listening(listener, acceptor, handle.clone())?;
        tokio::spawn(server.serve(service))
    };
    Ok(Listening { handle, task })
}

/// The console's listener: a router of its own, which shares nothing with the phones'.
fn serve_console(app: &App, listener: TcpListener, port: u16) -> Result<Listening, CommandError> {
    let handle = Handle::new();
    let service = office::router(app.clone(), port)?.into_make_service();
    let server = listening(listener, NoDelayAcceptor::new(), handle.clone())?;
    let task = tokio::spawn(server.serve(service));
    Ok(Listening { handle, task })
}

/// Refuses an address that others than this machine reach.
fn on_loopback(code: &'static str, address: SocketAddr) -> Result<(), CommandError> {
    match address.ip().is_loopback() {
        true => Ok(()),
        false => Err(CommandError::wrong(code, address)),
    }
}

fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), CommandError> {
    let listener = TcpListener::bind(address)
        .map_err(|error| CommandError::wrong("cannot_listen", address).with("detail", error))?;
    let bound = listener
        .local_addr()
        .context("the listener has no address")?;
    Ok((listener, bound))
}

/// A server on a listener, with the times that a slow or silent peer gets, whatever stands in front.
fn listening<A>(
    listener: TcpListener,
    acceptor: A,
    handle: Handle<SocketAddr>,
) -> Result<Server<SocketAddr, A>, CommandError> {
    let mut server = axum_server::from_tcp(listener)
        .context("the listener can't be used")?
        .acceptor(acceptor)
        .http1_only()
        .first_request_timeout(Duration::from_secs(FIRST_REQUEST_SECONDS_MAX))
        .handle(handle);
    server
        .http_builder()
        .http1()
        .header_read_timeout(Duration::from_secs(HEADER_SECONDS_MAX));
    Ok(server)
}

/// The address that a listener is reached at from the same machine, if it listens everywhere.
fn own_address(mut bound: SocketAddr, http: bool) -> String {
    if bound.ip().is_unspecified() {
        bound.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
        tracing::warn!("links will name this machine's own address; give --url for phones");
    }
    format!("{}://{bound}", if http { "http" } else { "https" })
}

async fn stop_signal() -> anyhow::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted?,
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await?;
    Ok(())
}
