//! Makes a key and a self-signed certificate with the names of this machine. Only with the feature `attached-run`.

use std::io;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rcgen::{CertificateParams, DnType, KeyPair};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::server::NoServerSessionStorage;
use tokio_rustls::rustls::{ServerConfig, crypto::ring};

use super::tls::{ClientTls, TlsIdentity};

/// The names of this machine in the certificate.
const NAMES: [&str; 2] = ["127.0.0.1", "localhost"];

/// The length of a line in a certificate file.
const LINE: usize = 64;

/// None: the system has no random bytes.
pub(in crate::runtime) fn identity() -> Option<TlsIdentity> {
    let key = KeyPair::generate().ok()?;
    let mut params = CertificateParams::new(NAMES.map(str::to_owned)).ok()?;
    params.distinguished_name.push(DnType::CommonName, "dyno on this machine");
    let der = params.self_signed(&key).ok()?.der().clone();
    let certificate = pem(&der);
    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().ok()?.with_no_client_auth();
    let mut config = builder.with_single_cert(vec![der], key).ok()?;
    // Each connection is for one secret.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let handshake = Box::new(move |stream: TcpStream| {
        let accepted = acceptor.accept(stream);
        let boxed = async move {
            let client: ClientTls = Box::pin(accepted.await?);
            io::Result::Ok(client)
        };
        Box::pin(boxed) as _
    });
    Some(TlsIdentity { handshake, certificate })
}

fn pem(der: &[u8]) -> String {
    let digits = BASE64_STANDARD.encode(der);
    let piece = |at: usize| digits.get(at..(at + LINE).min(digits.len()));
    let lines: Vec<&str> = (0..digits.len()).step_by(LINE).filter_map(piece).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}
