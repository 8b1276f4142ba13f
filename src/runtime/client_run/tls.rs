//! TLS for the clients of attached one-off dynos: the `heroku` CLI accepts nothing else there (S17.3).

use std::future::Future;
use std::io;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Bytes in both directions.
pub(in crate::runtime) trait Duplex: AsyncRead + AsyncWrite {}

impl<T: AsyncRead + AsyncWrite> Duplex for T {}

/// A connection after its handshake.
pub(in crate::runtime) type ClientTls = Pin<Box<dyn Duplex>>;

/// Performs a handshake.
pub(in crate::runtime) type Handshake = Box<dyn Fn(TcpStream) -> Pin<Box<dyn Future<Output = io::Result<ClientTls>>>>>;

/// The key and the certificate of a start. The key is never written to a file.
pub struct TlsIdentity {
    pub(in crate::runtime) handshake: Handshake,
    pub(in crate::runtime) certificate: String,
}

impl TlsIdentity {
    /// Makes a new one. None: the system has no random bytes, or this build has no TLS.
    #[must_use]
    pub fn new() -> Option<Self> {
        #[cfg(feature = "attached-run")]
        return super::tls_keys::identity();
        #[cfg(not(feature = "attached-run"))]
        None
    }

    /// The text of a file with the certificate.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    pub(in crate::runtime) async fn accept(&self, stream: TcpStream) -> io::Result<ClientTls> {
        (self.handshake)(stream).await
    }
}
