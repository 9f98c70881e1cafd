//! HTTPS to a server whose public keys are listed: names, dates and issuers of certificates are not
//! looked at, only that the presented key is one that the network's root statement lists
//! (REPLICATION.md §1). A self-signed certificate is as good as a bought one, and a phone with a
//! wrong clock still connects.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use phone::walk::{KeyHash, NoAnswer};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};
use sha2::{Digest, Sha256};
use sync_core::wire::MESSAGE_BYTES_MAX;
use tokio::runtime::{self, Runtime};

use crate::cancel::Cancel;

/// How long a connection may take to come about.
pub const CONNECT_WAIT: Duration = Duration::from_secs(30);
/// How long one request may take with its answer: 64 KiB each way over 2G are half a minute.
pub const REQUEST_WAIT: Duration = Duration::from_secs(300);
/// Longest answer that is read: a whole message and its algorithm byte.
const ANSWER_BYTES_MAX: usize = MESSAGE_BYTES_MAX + 1;
/// Longest problem that is read of a refusal.
const PROBLEM_BYTES_MAX: usize = 16 * 1024;

/// A way to one server; keeps its connection from request to request.
#[derive(Debug)]
pub struct Transport {
    http: Client,
    server: String,
    verifier: Arc<ListedKeys>,
    /// Runs a request on the thread that waits for it, so that it can be broken off at any byte.
    runtime: Runtime,
}

impl Transport {
    /// To the server at this address, which must show one of these keys.
    pub fn pinned(server: &str, keys: &[KeyHash]) -> Result<Self, NoAnswer> {
        Self::with(server, Some(keys.to_vec()))
    }

    /// Gets what a server shows to anybody at `path`, and the key that it presented. Who it is must
    /// be proven by what it shows, and that must list the key; nothing is sent but the request.
    pub fn first_contact(
        server: &str,
        path: &str,
        cancel: &Cancel,
    ) -> Result<(Vec<u8>, KeyHash), NoAnswer> {
        let way = Self::with(server, None)?;
        let answer = way.ask(way.http.get(way.address(path)), cancel)?;
        let presented = way.verifier.presented().ok_or(NoAnswer::Untrusted)?;
        Ok((answer, presented))
    }

    /// Posts a message and returns the answer's body.
    pub fn post(&self, path: &str, body: &[u8], cancel: &Cancel) -> Result<Vec<u8>, NoAnswer> {
        let request = self.http.post(self.address(path)).body(body.to_vec());
        self.ask(request, cancel)
    }

    fn with(server: &str, keys: Option<Vec<KeyHash>>) -> Result<Self, NoAnswer> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Arc::new(ListedKeys {
            keys,
            presented: Mutex::new(None),
            algorithms: provider.signature_verification_algorithms,
        });
        let tls = tls_config(provider, verifier.clone())?;
        let http = Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            .http1_only()
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_WAIT)
            .timeout(REQUEST_WAIT)
            .build()
            .map_err(|_| NoAnswer::Unable)?;
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        Ok(Self {
            http,
            server: server.to_owned(),
            verifier,
            runtime: runtime.map_err(|_| NoAnswer::Unable)?,
        })
    }

    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.server)
    }

    fn ask(&self, request: RequestBuilder, cancel: &Cancel) -> Result<Vec<u8>, NoAnswer> {
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = cancel.cancelled() => Err(NoAnswer::Cancelled),
                answer = self.answer(request) => answer,
            }
        })
    }

    async fn answer(&self, request: RequestBuilder) -> Result<Vec<u8>, NoAnswer> {
        let response = request
            .send()
            .await
            .map_err(|_| match self.verifier.refused() {
                true => NoAnswer::Untrusted,
                false => NoAnswer::NoConnection,
            })?;
        let status = response.status();
        if status.is_success() {
            return read(response, ANSWER_BYTES_MAX).await;
        }
        let body = read(response, PROBLEM_BYTES_MAX).await.unwrap_or_default();
        let code = problem_code(&body).unwrap_or_else(|| status.as_u16().to_string());
        // Anything but a refusal in the server's own words is the link's fault, a proxy's perhaps.
        if status.is_client_error() && status.as_u16() != 408 && status.as_u16() != 429 {
            Err(NoAnswer::Refused { code })
        } else {
            Err(NoAnswer::Busy { code })
        }
    }
}

fn tls_config(
    provider: Arc<CryptoProvider>,
    verifier: Arc<ListedKeys>,
) -> Result<ClientConfig, NoAnswer> {
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| NoAnswer::Unable)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(config)
}

async fn read(mut response: Response, most: usize) -> Result<Vec<u8>, NoAnswer> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Err(_) => return Err(NoAnswer::NoConnection),
            Ok(None) => return Ok(body),
            Ok(Some(chunk)) if chunk.len() > most - body.len() => {
                return Err(NoAnswer::TooLong);
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
        }
    }
}

/// The stable code of a problem (RFC 9457): a JSON object with a text under `code`.
fn problem_code(body: &[u8]) -> Option<String> {
    let problem: serde_json::Value = serde_json::from_slice(body).ok()?;
    Some(problem.get("code")?.as_str()?.to_owned())
}

/// Trusts a key because it is listed, and remembers which was shown.
#[derive(Debug)]
struct ListedKeys {
    /// `None` takes any: the first contact.
    keys: Option<Vec<KeyHash>>,
    presented: Mutex<Option<KeyHash>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ListedKeys {
    fn presented(&self) -> Option<KeyHash> {
        *self
            .presented
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn lists(&self, key: &KeyHash) -> bool {
        self.keys.as_ref().is_none_or(|keys| keys.contains(key))
    }

    fn refused(&self) -> bool {
        self.presented().is_some_and(|key| !self.lists(&key))
    }
}

impl ServerCertVerifier for ListedKeys {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let key = ParsedCertificate::try_from(end_entity)?.subject_public_key_info();
        let key: KeyHash = Sha256::digest(&key).into();
        *self
            .presented
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(key);
        if self.lists(&key) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
