//! Listeners of the phones and of the console, apart from each other.

use node::CommandError;
use node::testing::TestServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{ServeOptions, serve};

#[tokio::test]
async fn the_console_listens_on_loopback_only_and_apart_from_the_phones() {
    let station = TestServer::sample().await;
    let local = "127.0.0.1:0".parse().unwrap();
    let options = |console: &str| ServeOptions {
        listen: local,
        http: true,
        url: None,
        console: console.parse().unwrap(),
    };
    for elsewhere in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let refused = serve(&station.app, &options(elsewhere)).await.unwrap_err();
        let CommandError::Wrong { code, .. } = refused else {
            panic!("{refused}");
        };
        assert_eq!(code, "console_not_loopback");
    }
    let running = serve(&station.app, &options("127.0.0.1:0")).await.unwrap();
    let console = running
        .console
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .to_owned();
    let phones = running.url.trim_start_matches("http://").to_owned();
    assert!(said(&console, "/zh/").await.starts_with("HTTP/1.1 200"));
    assert!(said(&console, "/healthz").await.starts_with("HTTP/1.1 404"));
    assert!(said(&phones, "/healthz").await.starts_with("HTTP/1.1 200"));
    assert!(said(&phones, "/zh/").await.starts_with("HTTP/1.1 404"));
    running.stop().await.unwrap();
    assert!(TcpStream::connect(&console).await.is_err());
}

/// What a listener says to one request.
async fn said(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    said
}
