//! The transport against a real TLS server on loopback, one connection at a time.

use std::io::{Read, Write};
use std::net::TcpListener;

use rcgen::{CertificateParams, KeyPair, PublicKeyData};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, Stream};

use super::*;

/// Answers `times` connections with this; returns its address and the hash of its key.
fn server(answer: Vec<u8>, times: usize) -> (String, KeyHash) {
    let key = KeyPair::generate().unwrap();
    let hash: KeyHash = Sha256::digest(key.subject_public_key_info()).into();
    // No name, no valid dates: nobody looks at them.
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.not_after = rcgen::date_time_ymd(1999, 1, 1);
    params.not_before = rcgen::date_time_ymd(1998, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for _ in 0..times {
            let (mut tcp, _) = listener.accept().unwrap();
            let mut tls = ServerConnection::new(config.clone()).unwrap();
            let mut stream = Stream::new(&mut tls, &mut tcp);
            // The request's head and body fit one read here; a refused handshake is an error.
            if stream.read(&mut [0; 4096]).is_ok() {
                drop(stream.write_all(&answer));
                stream.conn.send_close_notify();
                drop(stream.flush());
            }
        }
    });
    (address, hash)
}

fn http(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
        .into_bytes()
}

#[test]
fn a_listed_key_is_trusted_whatever_the_certificate_says() {
    let (address, key) = server(http("200 OK", "answer"), 2);
    let (shown, presented) =
        Transport::first_contact(&address, "/v1/network", &Cancel::new()).unwrap();
    assert_eq!((shown.as_slice(), presented), (b"answer".as_slice(), key));
    let way = Transport::pinned(&address, &[[0; 32], key]).unwrap();
    assert_eq!(
        way.post("/v1/exchange", b"request", &Cancel::new())
            .unwrap(),
        b"answer"
    );
}

#[test]
fn another_key_is_not_trusted_and_gets_no_byte_of_the_request() {
    let (address, _) = server(http("200 OK", "answer"), 1);
    let way = Transport::pinned(&address, &[[0; 32]]).unwrap();
    assert_eq!(
        way.post("/v1/exchange", b"request", &Cancel::new()),
        Err(NoAnswer::Untrusted)
    );
}

#[test]
fn refusals_carry_the_servers_code_and_troubles_are_told_apart() {
    let post = |status: &str, body: &str| {
        let (address, key) = server(http(status, body), 1);
        Transport::pinned(&address, &[key])
            .unwrap()
            .post("/v1/enrol", b"x", &Cancel::new())
            .unwrap_err()
    };
    let code = |code: &str| code.to_owned();
    assert_eq!(
        post("409 Conflict", r#"{"code":"code_used","title":"…"}"#),
        NoAnswer::Refused {
            code: code("code_used")
        }
    );
    assert_eq!(
        post("404 Not Found", "<html>"),
        NoAnswer::Refused { code: code("404") }
    );
    assert_eq!(post("503 Busy", "{}"), NoAnswer::Busy { code: code("503") });
    assert_eq!(post("429 Slow", "{}"), NoAnswer::Busy { code: code("429") });
}

#[test]
fn a_connection_that_breaks_off_is_no_connection() {
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_vec();
    let (address, key) = server(cut, 1);
    let way = Transport::pinned(&address, &[key]).unwrap();
    assert_eq!(
        way.post("/v1/exchange", b"x", &Cancel::new()),
        Err(NoAnswer::NoConnection)
    );
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let way = Transport::pinned(&format!("https://{nobody}"), &[key]).unwrap();
    assert_eq!(
        way.post("/v1/exchange", b"x", &Cancel::new()),
        Err(NoAnswer::NoConnection)
    );
}

#[test]
fn an_answer_over_the_limit_is_refused() {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n",
        ANSWER_BYTES_MAX + 1
    );
    let long = [head.into_bytes(), vec![0; ANSWER_BYTES_MAX + 1]].concat();
    let (address, key) = server(long, 1);
    let way = Transport::pinned(&address, &[key]).unwrap();
    assert_eq!(
        way.post("/v1/exchange", b"x", &Cancel::new()),
        Err(NoAnswer::TooLong)
    );
}

#[test]
fn a_request_that_is_cancelled_ends_at_once_and_closes_its_connection() {
    // Takes the connection and the client's first bytes, and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    let (reached, arrived) = std::sync::mpsc::channel();
    let silent = std::thread::spawn(move || {
        let (mut tcp, _) = listener.accept().unwrap();
        tcp.read(&mut [0; 4096]).map(drop).unwrap();
        reached.send(()).unwrap();
        let mut rest = Vec::new();
        tcp.read_to_end(&mut rest).map(drop)
    });
    let cancel = Cancel::new();
    let theirs = cancel.clone();
    let waiting = std::thread::spawn(move || {
        let way = Transport::pinned(&address, &[[0; 32]]).unwrap();
        way.post("/v1/exchange", b"x", &theirs)
    });
    arrived.recv().unwrap();
    cancel.cancel();
    assert_eq!(waiting.join().unwrap(), Err(NoAnswer::Cancelled));
    // The other end sees the connection end; it would wait for minutes otherwise.
    drop(silent.join().unwrap());
}
