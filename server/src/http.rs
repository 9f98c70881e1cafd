//! Routes, limits and error responses of the phones' listener.
//!
//! Bodies are the messages of the protocol. Nothing personal stands in a URL, a header or a log
//! line. Errors are problem details (RFC 9457); of them `code` is stable and for programs, `title`
//! is for people who look.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http_body_util::BodyExt;
use node::{App, Rejection, ServeError};
use serde_json::json;
use sync_core::bundle::BUNDLE_BYTES_MAX;
use sync_core::wire::MESSAGE_BYTES_MAX;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Longest body: a message that does not compress, and its algorithm byte.
pub const BODY_BYTES_MAX: usize = MESSAGE_BYTES_MAX + 1024;
/// How long a body may take to arrive: an upload of the usual 64 KiB takes 20 seconds of 2G.
const BODY_SECONDS_MAX: u64 = 180;
/// How long a request may wait and be served.
const SERVE_SECONDS_MAX: u64 = 60;
/// Requests that are served at the same time; what is above waits with its body read.
const SERVED_MAX: usize = 64;
/// Bundles that are taken at the same time, from whoever sends one. They wait with their bodies read, and take
/// no place from phones.
const BUNDLES_MAX: usize = 1;
/// Enrolments that are served at the same time, likewise.
const ENROLLED_MAX: usize = 4;
/// Of a body this much has its place whatever else arrives: what an honest request is on a usual day.
const BODY_BYTES_FREE: usize = 128 * 1024;
/// All bodies that arrive or wait may take so much more in memory, together. What is above is not read.
const BODIES_KIB_MAX: usize = 128 * 1024;
/// When somebody who was one too many may try again.
const RETRY_SECONDS: u32 = 30;

const BYTES: &str = "application/octet-stream";

#[derive(Clone)]
struct Serving {
    app: App,
    exchanges: Arc<Semaphore>,
    enrolments: Arc<Semaphore>,
    bundles: Arc<Semaphore>,
    /// A place for each KiB of large bodies.
    room: Arc<Semaphore>,
}

/// The server as a service.
pub fn router(app: App) -> Router {
    let serving = Serving {
        app,
        exchanges: Arc::new(Semaphore::new(SERVED_MAX)),
        enrolments: Arc::new(Semaphore::new(ENROLLED_MAX)),
        bundles: Arc::new(Semaphore::new(BUNDLES_MAX)),
        room: Arc::new(Semaphore::new(BODIES_KIB_MAX)),
    };
    Router::new()
        .route("/healthz", get(healthz))
        .route("/v1/network", get(network))
        .route("/v1/enrol", post(enrol))
        .route("/v1/exchange", post(exchange))
        .route("/v1/bundles", post(bundle))
        .method_not_allowed_fallback(async || {
            ErrorBody::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "not with this method",
            )
        })
        .fallback(async || {
            ErrorBody::new(StatusCode::NOT_FOUND, "not_found", "there is nothing here")
        })
        .with_state(serving)
        .layer(middleware::from_fn(guard))
}

/// Whether the process serves and its store reads.
async fn healthz(State(serving): State<Serving>) -> Result<&'static str, ErrorBody> {
    serving.app.root_entry().await?;
    Ok("ok\n")
}

/// The root entry, for everybody: a phone holds it against its link before it sends anything.
async fn network(State(serving): State<Serving>) -> Result<Response, ErrorBody> {
    Ok(bytes(serving.app.root_entry().await?))
}

async fn enrol(State(serving): State<Serving>, request: Request) -> Result<Response, ErrorBody> {
    let body = serving.read(request, BODY_BYTES_MAX).await?;
    let places = serving.enrolments.clone();
    let enrol = async |app: App| app.enrol(body.bytes).await;
    serving.place(places, enrol).await
}

async fn exchange(State(serving): State<Serving>, request: Request) -> Result<Response, ErrorBody> {
    let body = serving.read(request, BODY_BYTES_MAX).await?;
    let places = serving.exchanges.clone();
    let exchange = async |app: App| app.exchange(body.bytes).await;
    serving.place(places, exchange).await
}

/// A bundle, from whoever carried it: what is inside is signed, and what goes back is sealed.
async fn bundle(State(serving): State<Serving>, request: Request) -> Result<Response, ErrorBody> {
    let body = serving.read(request, BUNDLE_BYTES_MAX).await?;
    let places = serving.bundles.clone();
    let import = async |app: App| Ok(app.import_bundle(body.bytes).await?.reply);
    serving.place(places, import).await
}

/// A body, with the room that it takes.
struct Received {
    bytes: Vec<u8>,
    _room: Option<OwnedSemaphorePermit>,
}

impl Serving {
    /// Reads a body within the limits. One that says it is too long is refused before it is read.
    async fn read(&self, request: Request, bytes_max: usize) -> Result<Received, ErrorBody> {
        let said = request.headers().get(CONTENT_LENGTH);
        let said = said.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if said.is_some_and(|length| length > bytes_max) {
            return Err(ErrorBody::too_large(bytes_max));
        }
        let arriving = self.arriving(request.into_body(), bytes_max);
        let arrived = timeout(Duration::from_secs(BODY_SECONDS_MAX), arriving).await;
        arrived.unwrap_or_else(|_| {
            Err(ErrorBody::new(
                StatusCode::REQUEST_TIMEOUT,
                "body_timeout",
                "the request did not arrive in time",
            ))
        })
    }

    async fn arriving(&self, mut body: Body, bytes_max: usize) -> Result<Received, ErrorBody> {
        let mut bytes = Vec::new();
        let mut room: Option<OwnedSemaphorePermit> = None;
        while let Some(frame) = body.frame().await {
            // Cut off on its way: whoever was does not read this.
            let frame = frame.map_err(|_| ErrorBody::too_large(bytes_max))?;
            let Ok(part) = frame.into_data() else {
                continue;
            };
            if bytes.len() + part.len() > bytes_max {
                return Err(ErrorBody::too_large(bytes_max));
            }
            bytes.extend_from_slice(&part);
            let taken = room.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
            let beyond = bytes.len().saturating_sub(BODY_BYTES_FREE);
            let more = u32::try_from(beyond.div_ceil(1024).saturating_sub(taken));
            let more = more.map_err(|_| ErrorBody::too_large(bytes_max))?;
            if more > 0 {
                let more = self.room.clone().try_acquire_many_owned(more);
                let more = more.map_err(|_| ErrorBody::busy())?;
                match &mut room {
                    Some(room) => room.merge(more),
                    None => room = Some(more),
                }
            }
        }
        Ok(Received { bytes, _room: room })
    }

    /// Serves once there is one of these places.
    async fn place(
        self,
        places: Arc<Semaphore>,
        serve: impl AsyncFnOnce(App) -> Result<Vec<u8>, ServeError>,
    ) -> Result<Response, ErrorBody> {
        let served = timeout(Duration::from_secs(SERVE_SECONDS_MAX), async {
            let place = places.acquire_owned().await;
            let answer = serve(self.app).await;
            drop(place);
            answer
        });
        match served.await {
            Ok(answer) => Ok(bytes(answer?)),
            Err(_) => Err(ErrorBody::busy()),
        }
    }
}

fn bytes(body: Vec<u8>) -> Response {
    ([(CONTENT_TYPE, BYTES)], body).into_response()
}

/// Runs a request in a task of its own: a panic ends the task and not the server, and a client that
/// hangs up does not stop a transaction half-way.
pub(crate) async fn guard(request: Request, next: Next) -> Response {
    let mut response = match tokio::spawn(next.run(request)).await {
        Ok(response) => response,
        Err(_) => ErrorBody::internal().into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Problem details (RFC 9457).
pub(crate) struct ErrorBody {
    status: StatusCode,
    code: &'static str,
    title: String,
}

impl ErrorBody {
    fn new(status: StatusCode, code: &'static str, title: impl Into<String>) -> Self {
        Self {
            status,
            code,
            title: title.into(),
        }
    }

    fn too_large(bytes_max: usize) -> Self {
        let title = format!("a body has at most {bytes_max} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", title)
    }

    fn busy() -> Self {
        let title = "too many requests wait; ask again";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", title)
    }

    fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the server failed; ask again",
        )
    }
}

/// The status of each code of the protocol.
fn status(refused: Rejection) -> StatusCode {
    match refused.code() {
        "message_too_large" | "bundle_too_large" => StatusCode::PAYLOAD_TOO_LARGE,
        "device_unknown" | "request_signature" => StatusCode::UNAUTHORIZED,
        "space_not_granted" | "space_taken" | "device_revoked" => StatusCode::FORBIDDEN,
        "code_unknown" => StatusCode::NOT_FOUND,
        "code_used" => StatusCode::CONFLICT,
        "code_expired" => StatusCode::GONE,
        "secret_weak" | "bundle_not_for_us" => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::BAD_REQUEST,
    }
}

impl From<ServeError> for ErrorBody {
    fn from(error: ServeError) -> Self {
        match error {
            ServeError::Refused(refused) => {
                tracing::debug!(code = refused.code(), "a request is refused");
                Self::new(status(refused), refused.code(), refused.to_string())
            }
            ServeError::Unjournaled(error) => {
                tracing::error!(%error, "the journal can't be written");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "journal_unwritable",
                    "nothing can be acknowledged now; ask again",
                )
            }
            ServeError::Failed(error) => {
                tracing::error!(error = format!("{error:#}"), "the store fails");
                Self::internal()
            }
            ServeError::Busy => Self::busy(),
            ServeError::Panicked => {
                tracing::error!("a request stopped the program");
                Self::internal()
            }
        }
    }
}

impl IntoResponse for ErrorBody {
    fn into_response(self) -> Response {
        let body = json!({
            "type": "about:blank",
            "title": self.title,
            "status": self.status.as_u16(),
            "code": self.code,
        });
        let headers = [(CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status, headers, Body::from(body.to_string())).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            let headers = response.headers_mut();
            headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_SECONDS));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;
    use node::testing::TestServer;

    use super::*;

    #[tokio::test]
    async fn large_bodies_share_their_room_and_small_ones_always_have_theirs() {
        let station = TestServer::sample().await;
        let serving = Serving {
            app: station.app.clone(),
            exchanges: Arc::new(Semaphore::new(1)),
            enrolments: Arc::new(Semaphore::new(1)),
            bundles: Arc::new(Semaphore::new(1)),
            room: Arc::new(Semaphore::new(4)),
        };
        let body = |kib: usize| {
            let bytes = Bytes::from(vec![0; BODY_BYTES_FREE + kib * 1024]);
            Request::new(Body::from(bytes))
        };
        let first = serving.read(body(3), BUNDLE_BYTES_MAX).await;
        let first = first.unwrap_or_else(|error| panic!("{}", error.code));
        assert_eq!(first.bytes.len(), BODY_BYTES_FREE + 3 * 1024);
        let refused = serving.read(body(2), BUNDLE_BYTES_MAX).await;
        let refused = refused.err().map(|error| (error.status, error.code));
        assert_eq!(refused, Some((StatusCode::SERVICE_UNAVAILABLE, "busy")));
        assert!(serving.read(body(1), BUNDLE_BYTES_MAX).await.is_ok());
        assert!(serving.read(body(0), BUNDLE_BYTES_MAX).await.is_ok());
        drop(first);
        assert!(serving.read(body(2), BUNDLE_BYTES_MAX).await.is_ok());
        let long = serving.read(body(2), BODY_BYTES_FREE).await;
        assert_eq!(long.err().map(|error| error.code), Some("body_too_large"));
    }
}
