//! TLS for native clients: a certificate that the server signs itself, made at every start.
//!
//! Phones trust the *key*, which the root statement lists, and look at neither names nor dates; so
//! the certificate may be new each time and the key is what is kept.

use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// The configuration for a server that is reached at `host`.
pub(crate) fn server_config(key: &KeyPair, host: IpAddr) -> anyhow::Result<Arc<ServerConfig>> {
    let names = vec!["localhost".to_owned(), host.to_string()];
    let certificate = CertificateParams::new(names)?.self_signed(key)?;
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    // One provider, named: with two in a tree there would be no default.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
