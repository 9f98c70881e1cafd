//! `serve`: a listener, TLS in front of the routes, and an end that loses nothing.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use anyhow::Context;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use axum_server::{Handle, Server};
use tokio::task::JoinHandle;

use crate::app::App;
use crate::error::CommandError;
use crate::http::router;
use crate::{enrol, tls};

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
}

/// A server that listens.
#[derive(Debug)]
pub struct Running {
    /// Its address, as enrolment links carry it.
    pub url: String,
    handle: Handle<SocketAddr>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Running {
    /// Takes no new connections, waits for the requests under way, and ends.
    pub async fn stop(self) -> Result<(), CommandError> {
        self.handle
            .graceful_shutdown(Some(Duration::from_secs(STOP_SECONDS_MAX)));
        self.ended().await
    }

    /// Waits until the server has ended by itself, which it does for no good reason.
    async fn ended(self) -> Result<(), CommandError> {
        let ended = self.task.await.context("the server stopped")?;
        Ok(ended.context("the server stopped")?)
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
    let listen = options.listen;
    if options.http && !listen.ip().is_loopback() {
        return Err(CommandError::wrong("http_not_loopback", listen));
    }
    let given = options
        .url
        .as_deref()
        .map(enrol::server_address)
        .transpose()?;
    let listener = TcpListener::bind(listen)
        .map_err(|error| CommandError::wrong("cannot_listen", listen).with("detail", error))?;
    let bound = listener
        .local_addr()
        .context("the listener has no address")?;
    let url = given.unwrap_or_else(|| own_address(bound, options.http));
    app.remember_address(&url).await?;

    let handle = Handle::new();
    let service = router(app.clone()).into_make_service();
    // An answer leaves at once: on a quiet day it is smaller than what a socket waits for.
    let plain = NoDelayAcceptor::new();
    let task = if options.http {
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
    Ok(Running { url, handle, task })
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
