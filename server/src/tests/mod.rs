//! The program's listeners and its sample.

mod listening;
mod refusing;
mod sampling;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use node::testing::TestServer;
use serde_json::Value;
use tower::ServiceExt;

use crate::router;

/// Posts a body.
async fn post(station: &TestServer, path: &str, body: Vec<u8>) -> Response {
    let request = Request::post(path).body(Body::from(body));
    ask(station, request.unwrap()).await
}

async fn ask(station: &TestServer, request: Request<Body>) -> Response {
    let response = router(station.app.clone()).oneshot(request).await.unwrap();
    Response::read(response).await
}

/// What the server said.
struct Response {
    status: StatusCode,
    body: Vec<u8>,
    code: Option<String>,
}

impl Response {
    async fn read(response: axum::response::Response) -> Self {
        let status = response.status();
        let kind = response.headers().get("content-type").cloned();
        let body = to_bytes(response.into_body(), usize::MAX)
            .await
            .unwrap()
            .to_vec();
        let problem = kind.is_some_and(|kind| kind == "application/problem+json");
        let code = problem.then(|| {
            let problem: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(problem["status"], status.as_u16());
            problem["code"].as_str().unwrap().to_owned()
        });
        Self { status, body, code }
    }

    /// The body of a good answer.
    fn body(self) -> Vec<u8> {
        assert_eq!((self.status, self.code), (StatusCode::OK, None));
        self.body
    }

    /// Status and code of a refusal.
    fn refusal(&self) -> (u16, &str) {
        (
            self.status.as_u16(),
            self.code.as_deref().expect("a problem"),
        )
    }
}
