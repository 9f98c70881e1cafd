//! Routes, limits and error responses of the phones' listener.
//!
//! Bodies are the messages of the protocol. Nothing personal stands in a URL, a header or a log
//! line. Errors are problem details (RFC 9457); of them `code` is stable and for programs, `title`
//! is for people who look.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use node::{App, Rejection, ServeError};
use serde_json::json;
use sync_core::bundle::BUNDLE_BYTES_MAX;
use sync_core::wire::MESSAGE_BYTES_MAX;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Longest body: a message that does not compress, and its algorithm byte.
pub const BODY_BYTES_MAX: usize = MESSAGE_BYTES_MAX + 1024;
/// How long a body may take to arrive: an upload of the usual 64 KiB takes 20 seconds of 2G.
const BODY_SECONDS_MAX: u64 = 180;
/// How long a request may wait and be served.
const SERVE_SECONDS_MAX: u64 = 60;
/// Requests that are served at the same time; what is above waits with its body read.
const SERVED_MAX: usize = 64;
/// Bundles that are received and taken at the same time; each is up to 16 MiB in memory, from whoever
/// sends one. What is above is not read.
const BUNDLES_MAX: usize = 4;
/// When somebody who was one too many may try again.
const RETRY_SECONDS: u32 = 30;

const BYTES: &str = "application/octet-stream";

#[derive(Clone)]
struct Serving {
    app: App,
    places: Arc<Semaphore>,
    bundles: Arc<Semaphore>,
}

/// The server as a service.
pub fn router(app: App) -> Router {
    let serving = Serving {
        app,
        places: Arc::new(Semaphore::new(SERVED_MAX)),
        bundles: Arc::new(Semaphore::new(BUNDLES_MAX)),
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
    let body = read(request).await?;
    serving
        .place(async |app| app.enrol(body.into()).await)
        .await
}

async fn exchange(State(serving): State<Serving>, request: Request) -> Result<Response, ErrorBody> {
    let body = read(request).await?;
    serving
        .place(async |app| app.exchange(body.into()).await)
        .await
}

/// A bundle, from whoever carried it: what is inside is signed, and what goes back is sealed.
async fn bundle(State(serving): State<Serving>, request: Request) -> Result<Response, ErrorBody> {
    let place = serving.bundles.clone().try_acquire_owned();
    let place = place.map_err(|_| ErrorBody::busy())?;
    let body = read_up_to(request, BUNDLE_BYTES_MAX).await?;
    let take = async |app: App| Ok(app.import_bundle(body.into()).await?.reply);
    let answer = serving.place(take).await;
    drop(place);
    answer
}

impl Serving {
    /// Serves once there is a place.
    async fn place(
        self,
        serve: impl AsyncFnOnce(App) -> Result<Vec<u8>, ServeError>,
    ) -> Result<Response, ErrorBody> {
        let served = timeout(Duration::from_secs(SERVE_SECONDS_MAX), async {
            let place = self.places.acquire_owned().await;
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

async fn read(request: Request) -> Result<Bytes, ErrorBody> {
    read_up_to(request, BODY_BYTES_MAX).await
}

/// Reads a body within the limits. One that says it is too long is refused before it is read.
async fn read_up_to(request: Request, bytes_max: usize) -> Result<Bytes, ErrorBody> {
    let said = request.headers().get(CONTENT_LENGTH);
    let said = said.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if said.is_some_and(|length| length > bytes_max) {
        return Err(ErrorBody::too_large(bytes_max));
    }
    let body = to_bytes(request.into_body(), bytes_max);
    match timeout(Duration::from_secs(BODY_SECONDS_MAX), body).await {
        Ok(Ok(body)) => Ok(body),
        // Too long, or cut off on its way; whoever was cut off does not read this.
        Ok(Err(_)) => Err(ErrorBody::too_large(bytes_max)),
        Err(_) => Err(ErrorBody::new(
            StatusCode::REQUEST_TIMEOUT,
            "body_timeout",
            "the request did not arrive in time",
        )),
    }
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
