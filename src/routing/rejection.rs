//! Why the router refuses a request without asking a dyno (S16.2, S16.6).

use std::fmt;

/// The methods that the router itself supports, as `Allow` names them.
pub const ALLOWED_METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// What is wrong with a request. Its text is for the person who sent the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rejection {
    /// The client speaks TLS.
    Tls,
    /// The first line is not `METHOD TARGET VERSION`.
    RequestLine,
    /// The first line has no version, as in HTTP/0.9.
    NoVersion,
    /// The version is neither HTTP/1.0 nor HTTP/1.1.
    Version,
    /// The method is not a token of at most 127 characters.
    Method,
    /// The method is `CONNECT`.
    Connect,
    /// A `TRACE` that the router would have to answer, because it may not be passed on any more.
    Trace,
    /// The target is not one that a server gets.
    Target,
    /// The target has a character that must be percent-encoded.
    TargetCharacter(u8),
    /// A line ends without CR.
    BareLf,
    /// A CR does not end a line.
    BareCr,
    /// A header is continued on the next line.
    FoldedHeader,
    /// A header has no colon, or its name has a character that is not allowed in a token.
    HeaderName,
    /// There is a blank between the name of a header and the colon.
    BlankBeforeColon,
    /// The value of a header has a control character.
    HeaderValue,
    /// A line is longer than allowed on the platform.
    LongLine,
    /// The first line is longer than allowed.
    LongTarget,
    /// The head is longer than allowed.
    LongHead,
    /// The head is longer than allowed, or has more headers, with the limits of the platform.
    LongPlatformHead,
    /// There is no `Host`.
    NoHost,
    /// There is more than one `Host`.
    TwoHosts,
    /// `Host` is not a host name or an address.
    Host,
    /// `Host` is not a name of this app.
    Misdirected,
    /// `Host` is not a name of the app that the front door has handed the connection over to.
    OtherApp,
    /// `Host` is not a name below `localhost`, at the front door.
    NotLocal,
    /// `Content-Length` is not one number.
    ContentLength,
    /// Both `Content-Length` and `Transfer-Encoding`.
    TwoLengths,
    /// `Transfer-Encoding` is given twice, does not end with `chunked`, or comes with HTTP/1.0.
    TransferEncoding,
    /// `Transfer-Encoding` names a coding other than `chunked`.
    TransferCoding,
    /// A chunk of the body is malformed.
    Chunk,
    /// A trailer is malformed or may not be a trailer.
    Trailer,
    /// `Expect` is not `100-continue`.
    Expect,
    /// The request has come back to the router several times.
    Loop,
}

impl Rejection {
    /// The status of the answer.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Connect | Self::Trace => 405,
            Self::LongTarget => 414,
            Self::Expect => 417,
            Self::Misdirected | Self::OtherApp | Self::NotLocal => 421,
            Self::LongHead => 431,
            Self::TransferCoding => 501,
            Self::Version => 505,
            Self::Loop => 508,
            Self::Tls
            | Self::RequestLine
            | Self::NoVersion
            | Self::Method
            | Self::Target
            | Self::TargetCharacter(_)
            | Self::BareLf
            | Self::BareCr
            | Self::FoldedHeader
            | Self::HeaderName
            | Self::BlankBeforeColon
            | Self::HeaderValue
            | Self::LongLine
            | Self::LongPlatformHead
            | Self::NoHost
            | Self::TwoHosts
            | Self::Host
            | Self::ContentLength
            | Self::TwoLengths
            | Self::TransferEncoding
            | Self::Chunk
            | Self::Trailer => 400,
        }
    }

    /// The reason phrase that belongs to the status.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self.status() {
            405 => "Method Not Allowed",
            414 => "URI Too Long",
            417 => "Expectation Failed",
            421 => "Misdirected Request",
            431 => "Request Header Fields Too Large",
            501 => "Not Implemented",
            505 => "HTTP Version Not Supported",
            508 => "Loop Detected",
            _ => "Bad Request",
        }
    }

    /// The value of `Allow`, which an answer with 405 must have (RFC 9110, section 15.5.6).
    #[must_use]
    pub fn allow(self) -> Option<&'static str> {
        matches!(self, Self::Connect | Self::Trace).then_some(ALLOWED_METHODS)
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls => "the client speaks HTTPS, but this port only speaks HTTP",
            Self::RequestLine => "the first line of the request must be `METHOD TARGET HTTP/1.1`, separated by single spaces",
            Self::NoVersion => "the first line of the request has no `HTTP/1.1`",
            Self::Version => "only HTTP/1.0 and HTTP/1.1 are supported",
            Self::Method => "the method of the request is not a token of at most 127 characters",
            Self::Connect => "`CONNECT` is not supported: the router is not a proxy for other servers",
            Self::Trace => "`TRACE` with `Max-Forwards: 0` is for the router itself, which does not show what it receives",
            Self::Target => "the URL in the first line must begin with `/` or `http://HOST`",
            Self::TargetCharacter(byte) if byte.is_ascii_graphic() => {
                let character = char::from(*byte);
                return write!(f, "`{character}` is not allowed in a URL: write %{byte:02X}");
            }
            Self::TargetCharacter(byte) => {
                return write!(f, "the byte 0x{byte:02x} is not allowed in a URL: write %{byte:02X}");
            }
            Self::BareLf => "a line of the request ends with LF instead of CR LF",
            Self::BareCr => "the request has a CR that does not end a line",
            Self::FoldedHeader => "a header of the request is continued on the next line",
            Self::HeaderName => "a header of the request has no valid name followed by a colon",
            Self::BlankBeforeColon => "a header of the request has a space or tab before the colon",
            Self::HeaderValue => "a header of the request contains a control character",
            Self::LongLine => "a line of the request is longer than 8192 bytes, or a header name is longer than 1000 bytes",
            Self::LongTarget => "the URL is longer than 64 KiB",
            Self::LongHead => "the request has more than 64 KiB of headers, or more than 1000 of them",
            Self::LongPlatformHead => "the request has more than 256 KiB of headers, or more than 1000 of them",
            Self::NoHost => "the request has no `Host` header",
            Self::TwoHosts => "the request has more than one `Host` header",
            Self::Host => "the `Host` header is not a host name or an IP address",
            Self::Misdirected => "the `Host` header is not a name of this app",
            Self::OtherApp => "this connection belongs to another app: try again; if that fails, no such app or process type is running",
            Self::NotLocal => "the `Host` header is not `localhost`, `APP.localhost` or `APP-TYPE.localhost`",
            Self::ContentLength => "`Content-Length` is not one number",
            Self::TwoLengths => "the request has both `Content-Length` and `Transfer-Encoding`",
            Self::TransferEncoding => "`Transfer-Encoding` must be `chunked`, only once, and only with HTTP/1.1",
            Self::TransferCoding => "`chunked` is the only `Transfer-Encoding` that is supported",
            Self::Chunk => "the body of the request has a malformed chunk",
            Self::Trailer => "the request has a malformed trailer, or a header that is not allowed as a trailer",
            Self::Expect => "`100-continue` is the only `Expect` that is supported",
            Self::Loop => "the request has passed through routers of `dyno` 5 times: an app probably sends it back",
        })
    }
}
