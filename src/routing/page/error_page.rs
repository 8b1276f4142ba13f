//! What a client sees if no dyno has answered: what happened, which dyno, its state, its last lines, and what to type.

use std::fmt::Write;

use serde::Serialize;

use super::app_list::url;
use super::html::{Escaped, WithCode, block, document, link, without_escapes};
use crate::model::{DynoName, ProcessType};
use crate::routing::{
    AnswerFault, BackendState, Backends, HCode, HostKind, HostName, Rejection, RouterRules, ServedTypes,
};
use crate::supervisor::{LifeStage, Row, Snapshot, WhyNotUp, ended};

/// How many lines of the dyno are shown.
const MOST_LINES: usize = 20;

/// What a page is made of. Its JSON has the fields in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorPage {
    /// The status of the answer.
    pub status: u16,
    /// The code, such as `H10`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// What the status or the code means.
    pub error: String,
    /// What happened.
    pub message: String,
    /// The dyno that is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dyno: Option<PageDyno>,
    /// The last lines of the dyno.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
    /// What to type to find out more, or to fix it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
}

/// A dyno on a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PageDyno {
    /// Its name.
    pub name: String,
    /// Its state, in words.
    pub state: String,
    /// How its last run ended, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_exit: Option<String>,
}

/// What is known when a page is made.
#[derive(Debug, Clone, Copy)]
pub struct PageFacts<'a> {
    /// The process type that the request was for.
    pub process_type: &'a ProcessType,
    /// The dyno that is meant, see [`PageFacts::row`].
    pub row: Option<&'a Row>,
    /// Its last lines, oldest first.
    pub lines: &'a [String],
    /// The rules of the router.
    pub rules: &'a RouterRules,
    /// The state of the dynos.
    pub snapshot: &'a Snapshot,
    /// The port that the client connected to.
    pub port: u16,
}

impl PageFacts<'_> {
    /// The dyno that a page is about: the one that had the request or, if none had it, the one that explains best why.
    #[must_use]
    pub fn row<'a>(snapshot: &'a Snapshot, process_type: &ProcessType, had: Option<&DynoName>) -> Option<&'a Row> {
        if let Some(had) = had {
            return snapshot.rows.iter().find(|row| row.dyno == *had);
        }
        let backends = Backends::new(snapshot, process_type);
        let rank = |state: BackendState| match state {
            BackendState::Crashed => 0,
            BackendState::Waiting => 1,
            BackendState::Starting => 2,
            BackendState::Leaving { .. } => 3,
            BackendState::Down => 4,
            BackendState::Up => 5,
        };
        let best = backends.0.iter().min_by_key(|backend| rank(backend.state))?;
        snapshot.rows.iter().find(|row| row.dyno == best.dyno)
    }

    /// Whether the Procfile has no such process type.
    fn lacks_type(&self) -> bool {
        self.snapshot.formation.iter().all(|quantity| quantity.process_type != *self.process_type)
    }
}

impl ErrorPage {
    /// The page for a code.
    #[must_use]
    pub fn of_code(code: HCode, facts: &PageFacts<'_>) -> Self {
        // Nothing is wrong with dynos that are only busy.
        let is_about_dyno = code != HCode::H11;
        let row = facts.row.filter(|_| is_about_dyno);
        let first = facts.lines.len().saturating_sub(MOST_LINES);
        let lines = facts.lines.iter().skip(first).filter(|_| row.is_some());
        Self {
            status: code.status(),
            code: Some(code.code()),
            error: code.description().to_owned(),
            message: message(code, facts),
            dyno: row.map(PageDyno::new),
            lines: lines.map(|line| without_escapes(line)).collect(),
            commands: commands(code, facts),
        }
    }

    /// The page for a request that is refused. `host`: its header `Host`, if that is a name.
    #[must_use]
    pub fn of_rejection(rejection: Rejection, host: &str, rules: &RouterRules) -> Self {
        let address = format!("http://localhost:{}", rules.port);
        let (message, commands) = match (rejection, HostName::parse(host.as_bytes()).as_ref().map(HostName::kind)) {
            (Rejection::Misdirected, Ok(HostKind::Other(name))) => (
                format!("`{name}` is not a name of this app unless `--hosts` allows it"),
                vec![format!("dyno start --router --hosts {name}"), address],
            ),
            (Rejection::Misdirected | Rejection::Tls, _) => (rejection.to_string(), vec![address]),
            _ => (rejection.to_string(), Vec::new()),
        };
        Self {
            status: rejection.status(),
            code: None,
            error: rejection.reason().to_owned(),
            message: sentence(&message),
            dyno: None,
            lines: Vec::new(),
            commands,
        }
    }

    /// The page for a person.
    #[must_use]
    pub fn html(&self) -> String {
        let mut body = format!("<p class=\"status\">{}", self.status);
        if let Some(code) = self.code {
            let _ = write!(body, " {code}");
        }
        let _ = writeln!(body, "</p>\n<h1>{}</h1>\n<p>{}</p>", Escaped(&self.error), WithCode(&self.message));
        if let Some(dyno) = &self.dyno {
            let _ = writeln!(body, "<dl>\n<dt>Dyno</dt><dd>{}</dd>", Escaped(&dyno.name));
            let _ = writeln!(body, "<dt>State</dt><dd>{}</dd>", Escaped(&dyno.state));
            if let Some(exit) = &dyno.last_exit {
                let _ = writeln!(body, "<dt>Last run</dt><dd>{}</dd>", Escaped(exit));
            }
            body.push_str("</dl>\n");
            if !self.lines.is_empty() {
                let _ = writeln!(body, "<h2>Last lines of {}</h2>", Escaped(&dyno.name));
                body.push_str(&block(self.lines.iter().map(|line| Escaped(line).to_string())));
            }
        }
        if !self.commands.is_empty() {
            let is_url = |command: &str| command.starts_with("http://");
            let html = |command: &String| if is_url(command) { link(command) } else { Escaped(command).to_string() };
            let _ = write!(body, "<h2>What to try</h2>\n{}", block(self.commands.iter().map(html)));
        }
        document(&format!("{} {}", self.status, self.error), &body)
    }
}

impl PageDyno {
    fn new(row: &Row) -> Self {
        let words = match (row.life.stage, &row.not_up) {
            (LifeStage::Waiting | LifeStage::Starting | LifeStage::Booting, Some(WhyNotUp::NotListening { .. })) => {
                format!("starting, but {}", not_listening(row))
            }
            (LifeStage::Waiting | LifeStage::Starting | LifeStage::Booting, Some(why)) => format!("starting: {why}"),
            (LifeStage::Waiting | LifeStage::Starting | LifeStage::Booting, None) => "starting".to_owned(),
            (LifeStage::Up, _) if !row.life.is_ready() => format!("running, but {}", not_listening(row)),
            (LifeStage::Up, _) => "up".to_owned(),
            (LifeStage::Draining | LifeStage::Stopping, _) => "stopping".to_owned(),
            (LifeStage::Clearing, _) => "exited; what it left running is being stopped".to_owned(),
            (LifeStage::Backoff, _) => "crashed, waits to be started again".to_owned(),
            (LifeStage::Crashed, _) => "crashed".to_owned(),
            (LifeStage::Lost, _) => "a process of its last run cannot be killed".to_owned(),
            (LifeStage::Down, _) => "down".to_owned(),
        };
        let state = match &row.prevented {
            Some(prevented) => format!("{words}: {prevented}"),
            None => words,
        };
        Self { name: row.dyno.to_string(), state, last_exit: row.last_exit.map(ended) }
    }
}

/// What happened, in a sentence.
fn message(code: HCode, facts: &PageFacts<'_>) -> String {
    let process_type = facts.process_type;
    let hold = facts.rules.hold.as_secs();
    let (name, port) = match facts.row {
        Some(row) => (row.dyno.to_string(), row.port.unwrap_or_default()),
        None => (format!("the `{process_type}` dyno"), 0),
    };
    let text = match code {
        HCode::H10 => format!("{name} is not running and will not be restarted"),
        HCode::H11 => "the dynos are answering too many other requests".to_owned(),
        HCode::H12 => format!("{name} did not begin its answer within 30 seconds"),
        HCode::H13 => format!("{name} closed the connection without an answer"),
        HCode::H14 if facts.lacks_type() => {
            format!("the Procfile has no process type `{process_type}`, which gets all requests to this address")
        }
        HCode::H14 => format!("no `{process_type}` dyno is running"),
        // After the request, it is H12, and during the answer there is no page.
        HCode::H15 => format!("{name} read nothing of the request for 55 seconds"),
        HCode::H17 => format!("{name} answered with something that is not HTTP"),
        HCode::H18 => format!("the connection to {name} broke before its answer was complete"),
        HCode::H19 => format!("{name} did not accept a connection on port {port} in time"),
        HCode::H20 => match facts.row.filter(|row| row.life.stage == LifeStage::Up && !row.life.is_ready()) {
            Some(row) => format!("{name} is {} after {hold} seconds", not_listening(row)),
            None => format!("no `{process_type}` dyno was up within {hold} seconds"),
        },
        HCode::H21 => format!("{name} does not listen on its PORT ({port})"),
        HCode::H25(AnswerFault::Cookie) => format!("{name} sent a cookie longer than 8192 bytes"),
        HCode::H25(AnswerFault::Header) => format!("{name} sent headers that are too long"),
        HCode::H25(AnswerFault::StatusLine) => format!("{name} sent a status line longer than 8192 bytes"),
        HCode::H25(AnswerFault::ContentLength) => format!("{name} sent an invalid `Content-Length`"),
        HCode::H27 => "the client closed the connection".to_owned(),
        HCode::H28 => "the client sent nothing for 55 seconds".to_owned(),
        HCode::H99 => format!("no connection to a `{process_type}` dyno could be made"),
    };
    sentence(&text)
}

fn not_listening(row: &Row) -> String {
    format!("not listening on its PORT ({})", row.port.unwrap_or_default())
}

/// What to type.
fn commands(code: HCode, facts: &PageFacts<'_>) -> Vec<String> {
    let process_type = facts.process_type;
    if code == HCode::H14 && facts.lacks_type() {
        let name = |other: &ProcessType| url(&format!("{}-{other}", facts.rules.app), facts.port);
        return ServedTypes::named(facts.snapshot).iter().map(name).collect();
    }
    let Some(row) = facts.row else {
        let scale = (code == HCode::H14).then(|| format!("dyno scale {process_type}=1"));
        return scale.into_iter().collect();
    };
    let dyno = &row.dyno;
    let (why, logs, restart) =
        (format!("dyno why {dyno}"), format!("dyno logs {dyno}"), format!("dyno restart {dyno}"));
    match code {
        HCode::H10 => vec![why, logs, restart],
        HCode::H14 => vec![why, restart],
        HCode::H19 | HCode::H20 | HCode::H21 | HCode::H99 => vec![why, logs],
        HCode::H12 | HCode::H13 | HCode::H15 | HCode::H17 | HCode::H18 if row.life.stage == LifeStage::Crashed => {
            vec![why, logs, restart]
        }
        HCode::H12 | HCode::H13 | HCode::H15 | HCode::H17 | HCode::H18 | HCode::H25(_) => vec![logs],
        HCode::H11 => vec![format!("dyno scale {process_type}+1")],
        HCode::H27 | HCode::H28 => Vec::new(),
    }
}

/// A text with a capital letter, unless it begins with a name, and a full stop.
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next();
    let begins_with_name = text.split(' ').next().is_some_and(|word| word.contains('.') || word.starts_with('`'));
    match first {
        Some(first) if !begins_with_name => format!("{}{}.", first.to_uppercase(), characters.as_str()),
        _ => format!("{text}."),
    }
}

#[cfg(test)]
mod tests;
