//! Writes the source of a line as the platform does: `+00:00 app[web.1]:` (S7.3).
//!
//! A dyno's output is `app[web.1]`; a notice about that dyno is `heroku[web.1]`. Lines about the whole formation are
//! `app[api]`, the source under which the platform logs scaling, releases and everything else a user asked for. A request is
//! a line of `heroku[router]`.
//! Called by `format`.

use std::io::Write;

use super::Source;

/// Writes the part between the time and the text.
pub(super) fn write_source(source: &Source, out: &mut Vec<u8>) {
    let _ = match source {
        Source::App(dyno) => write!(out, "+00:00 app[{dyno}]:"),
        Source::Notice(dyno) => write!(out, "+00:00 heroku[{dyno}]:"),
        Source::System => write!(out, "+00:00 app[api]:"),
        Source::Router => write!(out, "+00:00 heroku[{}]:", Source::ROUTER),
    };
}
