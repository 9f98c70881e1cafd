//! The guard in front of every page: served requests, their number at a time, and the headers.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::address::language_of;
use super::bundles::FORM_BYTES_MAX;
use super::page_error::{self, PageError};
use super::state::ConsoleState;

/// Pages that are made at the same time: phones share the processor and the connections.
const PAGES_MAX: usize = 4;
/// How long a request may wait and be served.
const SERVE_SECONDS_MAX: u64 = 60;
/// Nothing but what this listener serves, and no scripts at all.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
                      frame-ancestors 'none'; base-uri 'none'";

/// Every header that a response has for the reader's safety.
const HEADERS: [(HeaderName, &str); 5] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
];

/// Lets requests in.
#[derive(Clone)]
pub(super) struct RequestGuard {
    pub(super) state: ConsoleState,
    hosts: Arc<[String]>,
    places: Arc<Semaphore>,
}

impl RequestGuard {
    /// The gate of a listener on loopback with this port.
    pub(super) fn new(state: ConsoleState, port: u16) -> Self {
        let names = ["127.0.0.1", "localhost", "[::1]"];
        let mut hosts: Vec<String> = names.map(|name| format!("{name}:{port}")).into();
        if port == 80 {
            hosts.extend(names.map(str::to_owned));
        }
        Self {
            state,
            hosts: hosts.into(),
            places: Arc::new(Semaphore::new(PAGES_MAX)),
        }
    }

    /// Whether a request means this listener. Another page may give its own name the address of
    /// loopback and would then read what is shown here (DNS rebinding).
    fn is_meant(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let known = |host: &str| {
            self.hosts
                .iter()
                .any(|known| known.eq_ignore_ascii_case(host))
        };
        let mut named = headers.get_all(HOST).iter();
        let (host, second) = (named.next(), named.next());
        let host = host.and_then(|host| host.to_str().ok());
        host.is_some_and(known)
            && second.is_none()
            && uri
                .authority()
                .is_none_or(|authority| known(authority.as_str()))
    }

    /// Makes the page once there is a place, away from the runtime's threads: rules of the plan are
    /// worked out on the way. A panic ends the page and not the server.
    async fn serve(&self, request: Request, next: Next) -> Response {
        // Before it takes a place: a body that never ends keeps nobody out.
        let request = match received(request).await {
            Ok(request) => request,
            Err(error) => return error.into_response(),
        };
        let (places, runtime) = (self.places.clone(), Handle::current());
        let served = timeout(Duration::from_secs(SERVE_SECONDS_MAX), async {
            let place = places.acquire_owned().await;
            spawn_blocking(move || {
                let response = runtime.block_on(next.run(request));
                drop(place);
                response
            })
            .await
        });
        match served.await {
            Ok(Ok(response)) => response,
            Ok(Err(_)) => PageError::Stopped.into_response(),
            Err(_) => PageError::Busy.into_response(),
        }
    }
}

/// A request with all of its body.
async fn received(request: Request) -> Result<Request, PageError> {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, FORM_BYTES_MAX);
    match timeout(Duration::from_secs(SERVE_SECONDS_MAX), body).await {
        Ok(Ok(body)) => Ok(Request::from_parts(head, Body::from(body))),
        Ok(Err(_)) => Err(PageError::FileTooLarge),
        Err(_) => Err(PageError::Busy),
    }
}

/// Serves a request or says why not, always as a page with all headers.
pub(super) async fn guard(
    State(gate): State<RequestGuard>,
    request: Request,
    next: Next,
) -> Response {
    let language = language_of(request.uri().path());
    let response = if gate.is_meant(request.uri(), request.headers()) {
        gate.serve(request, next).await
    } else {
        PageError::Foreign.into_response()
    };
    let mut response = page_error::dressed(&gate.state, language, response);
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Only the style sheet says that it may be kept.
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}
