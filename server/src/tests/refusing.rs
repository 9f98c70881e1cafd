use axum::http::Method;
use axum::response::IntoResponse;
use axum::routing::get;
use node::testing::Phone;
use node::{CodeError, Renewals, RevokeRequest, ServeError};
use sync_core::seal::SigningKey;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::http::ErrorBody;
use crate::{BODY_BYTES_MAX, ServeOptions, serve};

const SPACE: &str = "152522100200.general";

#[tokio::test]
async fn bytes_that_are_no_request_are_refused_with_a_code() {
    let station = TestServer::sample().await;
    let a = Phone::enrolled(&station, 1, SPACE).await;
    let batch = a.batch(1, &[], vec![a.entry(1, "一")]);
    let good = a.encode(&a.request(&[&batch]));
    for path in ["/v1/exchange", "/v1/enrol"] {
        assert_eq!(
            post(&station, path, vec![]).await.refusal(),
            (400, "message_packing")
        );
        assert_eq!(
            post(&station, path, b"\0nonsense".to_vec()).await.refusal(),
            (400, "message_shape")
        );
    }
    for end in 1..good.len() {
        let said = post(&station, "/v1/exchange", good[..end].to_vec()).await;
        assert_eq!(said.refusal().0, 400, "cut after {end}");
    }
    // A sealed message whose body says version 2 first.
    let newer = [&[0, 0x82, 0x42, 0x89, 2, 0x58, 0x40][..], &[0; 64]].concat();
    assert_eq!(
        post(&station, "/v1/exchange", newer).await.refusal(),
        (400, "message_version")
    );
    let bomb = sync_core::wire::pack(&vec![0; sync_core::wire::MESSAGE_BYTES_MAX + 1]);
    assert_eq!(
        post(&station, "/v1/exchange", bomb).await.refusal(),
        (413, "message_too_large")
    );
    assert_eq!(station.app.verify().await.unwrap().batches, 0);
}

#[tokio::test]
async fn a_body_that_says_it_is_too_long_is_refused_before_it_is_read() {
    let station = TestServer::sample().await;
    let long = (BODY_BYTES_MAX + 1).to_string();
    let unread = Body::from("short");
    let request = Request::post("/v1/exchange")
        .header("content-length", long)
        .body(unread)
        .unwrap();
    assert_eq!(
        ask(&station, request).await.refusal(),
        (413, "body_too_large")
    );
    let said = post(&station, "/v1/exchange", vec![0; BODY_BYTES_MAX + 1]).await;
    assert_eq!(said.refusal(), (413, "body_too_large"));
}

#[tokio::test]
async fn who_is_not_let_in_is_told_so_and_nothing_is_stored() {
    let station = TestServer::sample().await;
    let a = Phone::enrolled(&station, 1, SPACE).await;
    let batch = a.batch(1, &[], vec![a.entry(1, "一")]);

    let stranger = Phone::new(&station, 2, SPACE);
    assert_eq!(
        post(
            &station,
            "/v1/exchange",
            stranger.encode(&stranger.request(&[&batch]))
        )
        .await
        .refusal(),
        (401, "device_unknown")
    );
    let thief = SigningKey::from_bytes(&[9; 32]);
    let forged = a
        .request(&[&batch])
        .encode(a.network, &|message| thief.sign(message));
    assert_eq!(
        post(&station, "/v1/exchange", forged).await.refusal(),
        (401, "request_signature")
    );
    let mut request = a.request(&[]);
    request.spaces[0].space = "152522100200.health".parse().unwrap();
    let said = post(&station, "/v1/exchange", a.encode(&request)).await;
    assert_eq!(said.refusal(), (403, "space_not_granted"));
    assert_eq!(station.app.verify().await.unwrap().batches, 0);
}

#[tokio::test]
async fn what_is_no_enrolment_and_what_fails_has_a_status_of_its_own() {
    let failure = || ServeError::Failed(anyhow::anyhow!("a disk"));
    let unjournaled = || ServeError::Unjournaled(std::io::Error::other("a disk"));
    for (error, status, code) in [
        (refused(CodeError::Unknown), 404, "code_unknown"),
        (refused(CodeError::Expired), 410, "code_expired"),
        (refused(CodeError::SecretWeak), 422, "secret_weak"),
        (refused(CodeError::Used), 409, "code_used"),
        (refused(CodeError::Revoked), 403, "device_revoked"),
        (refused(CodeError::SpaceTaken), 403, "space_taken"),
        (failure(), 500, "internal"),
        (ServeError::Panicked, 500, "internal"),
        (unjournaled(), 503, "journal_unwritable"),
    ] {
        let response = Response::read(ErrorBody::from(error).into_response()).await;
        assert_eq!(response.refusal(), (status, code));
    }
}

fn refused(code: CodeError) -> ServeError {
    ServeError::Refused(code.into())
}

#[tokio::test]
async fn a_batch_that_must_not_be_held_is_named_and_the_others_are_held() {
    let station = TestServer::sample().await;
    let mut a = Phone::enrolled(&station, 1, SPACE).await;
    let mut elsewhere = Phone::enrolled(&station, 2, "152522100201.general").await;
    let good = a.batch(1, &[], vec![a.entry(1, "一")]);
    let thief = SigningKey::from_bytes(&[9; 32]);
    let forged = a.batch_signed_by(&thief, 2, vec![good.hash], vec![a.entry(2, "二")]);
    let misnumbered = a.batch(7, &[&good], vec![a.entry(3, "三")]);
    let foreign = elsewhere.batch(1, &[], vec![elsewhere.entry(4, "四")]);
    let answer = a
        .exchange(&station, &[&good, &forged, &misnumbered, &foreign])
        .await;
    let refused: Vec<_> = answer
        .refused
        .iter()
        .map(|refused| (refused.index, refused.code.as_str()))
        .collect();
    assert_eq!(
        refused,
        [
            (1, "batch_signature"),
            (2, "batch_parents"),
            (3, "batch_space")
        ]
    );
    assert_eq!(station.app.verify().await.unwrap().batches, 1);
    assert!(elsewhere.exchange(&station, &[]).await.batches.is_empty());
}

#[tokio::test]
async fn what_a_device_holds_of_others_is_taken_though_it_has_just_lost_the_space() {
    let station = TestServer::sample().await;
    let mut a = Phone::enrolled(&station, 1, SPACE).await;
    let b = Phone::enrolled(&station, 2, SPACE).await;
    // Brought to the first by a courier, and the second was lost before it could exchange.
    let only_there = b.batch(1, &[], vec![b.entry(1, "一")]);
    let own = a.batch(1, &[], vec![a.entry(2, "二")]);
    let request = RevokeRequest {
        device: a.device(),
        spaces: [SPACE.parse().unwrap()].into(),
        reason: sync_core::control::RevokeReason::Left,
        renewals: Renewals::Ask,
    };
    station.app.revoke(&request).await.unwrap();
    let answer = a.exchange(&station, &[&only_there, &own]).await;
    assert!(answer.refused.is_empty(), "{:?}", answer.refused);
    assert!(answer.spaces.is_empty() && answer.batches.is_empty());
    assert_eq!(station.app.verify().await.unwrap().batches, 2);
    let waiting = station.app.waiting_batches().await.unwrap();
    let waiting: Vec<_> = waiting.iter().map(|waiting| waiting.device).collect();
    assert_eq!(waiting, [a.device()]);
}

#[tokio::test]
async fn a_nonce_of_long_ago_is_answered_with_a_new_one_and_nothing_is_done() {
    let station = TestServer::sample().await;
    let mut a = Phone::enrolled(&station, 1, SPACE).await;
    station.pass(40 * 86_400);
    let batch = a.batch(1, &[], vec![a.entry(1, "一")]);
    let answer = a.exchange(&station, &[&batch]).await;
    assert!(answer.stale_nonce);
    assert_eq!(station.app.verify().await.unwrap().batches, 0);
    a.nonce = answer.nonce.unwrap();
    assert!(!a.exchange(&station, &[&batch]).await.stale_nonce);
}

#[tokio::test]
async fn what_is_not_served_says_so_in_the_same_shape() {
    let station = TestServer::sample().await;
    let ask = async |method: Method, path: &str| {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .body(Body::empty())
            .unwrap();
        ask(&station, request).await
    };
    assert_eq!(ask(Method::GET, "/").await.refusal(), (404, "not_found"));
    assert_eq!(
        ask(Method::GET, "/v1/exchange").await.refusal(),
        (405, "method_not_allowed")
    );
    assert_eq!(ask(Method::GET, "/healthz").await.body(), b"ok\n");
    let entry = ask(Method::GET, "/v1/network").await.body();
    let control = sync_core::control::Control::new(station.app.network());
    assert!(control.check(&entry).unwrap().is_some());
}

#[tokio::test]
async fn a_panic_is_an_answer_and_the_server_goes_on() {
    async fn panics() -> &'static str {
        panic!("a mistake")
    }
    let router = axum::Router::new()
        .route("/panics", get(panics))
        .route("/works", get(async || "works"))
        .layer(axum::middleware::from_fn(crate::http::guard));
    for (path, status) in [("/panics", 500), ("/works", 200)] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status().as_u16(), status);
    }
}

/// Somebody who sends a bundle slowly: connected, and asked by the server to go on.
async fn begins_a_bundle(address: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /v1/bundles HTTP/1.1\r\nhost: {address}\r\ncontent-length: 4\r\n\
         expect: 100-continue\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut said = [0; 12];
    stream.read_exact(&mut said).await.unwrap();
    assert_eq!(&said[9..], b"100", "it is read");
    stream
}

async fn answer(stream: &mut TcpStream) -> String {
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    said
}

#[tokio::test]
async fn bundles_that_arrive_slowly_keep_nobody_out() {
    let station = TestServer::sample().await;
    let local = "127.0.0.1:0".parse().unwrap();
    let options = ServeOptions {
        listen: local,
        http: true,
        url: None,
        console: local,
    };
    let running = serve(&station.app, &options).await.unwrap();
    let address = running.url.trim_start_matches("http://").to_owned();
    let mut slow = Vec::new();
    for _ in 0..8 {
        slow.push(begins_a_bundle(&address).await);
    }
    // Exchanges go on meanwhile.
    assert_eq!(
        post(&station, "/v1/exchange", vec![]).await.refusal().0,
        400
    );
    // So do bundles, one that came later and the first of the slow ones.
    for mut stream in [begins_a_bundle(&address).await, slow.remove(0)] {
        stream.write_all(b"PK\x03\x04").await.unwrap();
        let said = answer(&mut stream).await;
        assert!(said.contains("\"code\":\"bundle_shape\""), "{said}");
    }
    drop(slow);
    running.stop().await.unwrap();
}
