//! The error codes of the platform's router (S16.5).

use std::fmt;

/// Why a request was not answered by a dyno, or not completely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HCode {
    /// Every dyno crashed.
    H10,
    /// Too many requests are being answered already.
    H11,
    /// The dyno did not begin an answer in time.
    H12,
    /// The dyno closed the connection without an answer.
    H13,
    /// No dyno of the process type is supposed to run.
    H14,
    /// The dyno sent nothing for too long.
    H15,
    /// The dyno answered with something that is not HTTP.
    H17,
    /// The dyno closed the connection in the middle of an answer.
    H18,
    /// The dyno did not accept the connection in time.
    H19,
    /// No dyno was up in time.
    H20,
    /// Every dyno refused the connection.
    H21,
    /// The head of the answer is not allowed on the platform.
    H25(AnswerFault),
    /// The client closed the connection before the answer was complete.
    H27,
    /// The client sent or accepted nothing for too long.
    H28,
    /// Anything else.
    H99,
}

/// What is wrong with the head of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AnswerFault {
    /// A `Set-Cookie` is too long.
    Cookie,
    /// A header is too long.
    Header,
    /// The status line is too long.
    StatusLine,
    /// `Content-Length` is not one number.
    ContentLength,
}

/// How a line of the router is marked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum EntryLevel {
    /// `at=info`.
    #[default]
    Info,
    /// `at=warning`.
    Warning,
    /// `at=error`.
    Error,
}

impl HCode {
    /// The code, such as `H12`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::H10 => "H10",
            Self::H11 => "H11",
            Self::H12 => "H12",
            Self::H13 => "H13",
            Self::H14 => "H14",
            Self::H15 => "H15",
            Self::H17 => "H17",
            Self::H18 => "H18",
            Self::H19 => "H19",
            Self::H20 => "H20",
            Self::H21 => "H21",
            Self::H25(_) => "H25",
            Self::H27 => "H27",
            Self::H28 => "H28",
            Self::H99 => "H99",
        }
    }

    /// What it means, in the words of the platform.
    #[must_use]
    pub fn description(self) -> &'static str {
        match self {
            Self::H10 => "App crashed",
            Self::H11 => "Backlog too deep",
            Self::H12 => "Request timeout",
            Self::H13 => "Connection closed without response",
            Self::H14 => "No web processes running",
            Self::H15 => "Idle connection",
            Self::H17 => "Poorly formatted HTTP response",
            Self::H18 => "Server Request Interrupted",
            Self::H19 => "Backend connection timeout",
            Self::H20 => "App boot timeout",
            Self::H21 => "Backend connection refused",
            Self::H25(AnswerFault::Cookie) => "HTTP restriction: oversized cookie",
            Self::H25(AnswerFault::Header) => "HTTP restriction: oversized header",
            Self::H25(AnswerFault::StatusLine) => "HTTP restriction: oversized status line",
            Self::H25(AnswerFault::ContentLength) => "HTTP restriction: invalid content length",
            Self::H27 => "Client Request Interrupted",
            Self::H28 => "Client Connection Idle",
            Self::H99 => "Platform error",
        }
    }

    /// The status that the client gets, or that is logged if the client has gone.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::H25(_) => 502,
            Self::H27 | Self::H28 => 499,
            Self::H10
            | Self::H11
            | Self::H12
            | Self::H13
            | Self::H14
            | Self::H15
            | Self::H17
            | Self::H18
            | Self::H19
            | Self::H20
            | Self::H21
            | Self::H99 => 503,
        }
    }

    /// Whether the client is the reason, so that no one is there for an answer.
    #[must_use]
    pub fn is_of_client(self) -> bool {
        matches!(self, Self::H27 | Self::H28)
    }

    /// How its line in the log is marked.
    #[must_use]
    pub fn level(self) -> EntryLevel {
        match self {
            Self::H27 | Self::H28 => EntryLevel::Warning,
            Self::H10
            | Self::H11
            | Self::H12
            | Self::H13
            | Self::H14
            | Self::H15
            | Self::H17
            | Self::H18
            | Self::H19
            | Self::H20
            | Self::H21
            | Self::H25(_)
            | Self::H99 => EntryLevel::Error,
        }
    }

    /// The side whose connection broke, for the two codes whose line begins with it.
    #[must_use]
    pub fn sock(self) -> Option<&'static str> {
        if self == Self::H27 {
            return Some("client");
        }
        (self == Self::H18).then_some("backend")
    }
}

impl fmt::Display for EntryLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

impl fmt::Display for HCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code(), self.description())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s16_5_each_code_has_the_words_and_the_status_of_the_platform() {
        let all: [(HCode, &str, &str, u16); 18] = [
            (HCode::H10, "error", "H10 App crashed", 503),
            (HCode::H11, "error", "H11 Backlog too deep", 503),
            (HCode::H12, "error", "H12 Request timeout", 503),
            (HCode::H13, "error", "H13 Connection closed without response", 503),
            (HCode::H14, "error", "H14 No web processes running", 503),
            (HCode::H15, "error", "H15 Idle connection", 503),
            (HCode::H17, "error", "H17 Poorly formatted HTTP response", 503),
            (HCode::H18, "error", "H18 Server Request Interrupted", 503),
            (HCode::H19, "error", "H19 Backend connection timeout", 503),
            (HCode::H20, "error", "H20 App boot timeout", 503),
            (HCode::H21, "error", "H21 Backend connection refused", 503),
            (HCode::H25(AnswerFault::Cookie), "error", "H25 HTTP restriction: oversized cookie", 502),
            (HCode::H25(AnswerFault::Header), "error", "H25 HTTP restriction: oversized header", 502),
            (HCode::H25(AnswerFault::StatusLine), "error", "H25 HTTP restriction: oversized status line", 502),
            (HCode::H25(AnswerFault::ContentLength), "error", "H25 HTTP restriction: invalid content length", 502),
            (HCode::H27, "warning", "H27 Client Request Interrupted", 499),
            (HCode::H28, "warning", "H28 Client Connection Idle", 499),
            (HCode::H99, "error", "H99 Platform error", 503),
        ];
        for (code, level, text, status) in all {
            assert_eq!((code.level().to_string().as_str(), code.to_string().as_str()), (level, text));
            assert_eq!(code.status(), status, "{text}");
            let sock = match code.code() {
                "H18" => Some("backend"),
                "H27" => Some("client"),
                _ => None,
            };
            assert_eq!(code.sock(), sock, "{text}");
        }
    }
}
