//! `dyno logs`: the last lines of the app that runs here, and new ones as they come (S10.4).
//!
//! The start sends the lines as they are; their look, and `--grep`, are decided here. Lines of several starts are shown in
//! the order of their times.

use std::collections::VecDeque;

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use regex_lite::Regex;

use super::start::look::formatter_of;
use crate::api::{LogLook, LogSessionRequest, LogSource, LookFormat, StartDescription};
use crate::cli::{Cli, LogSourceName, LogsArgs};
use crate::client::{Failure, RunningApp, finish};
use crate::console::diagnostics::print_line;
use crate::console::stdout;
use crate::error::{Error, Status};
use crate::logs::{Formatter, LogBlock, line_of_json, printable};
use crate::runtime::{self, ANSWERS_WITHIN, LogEvent, LogReader, LogState, await_logs};
use crate::supervisor::Outcome;

/// Lines without `-n`.
const DEFAULT_LINES: u64 = 100;

pub(super) fn run(cli: &Cli, args: &LogsArgs) -> Result<Outcome, Error> {
    runtime::unblock_all();
    match Log::open(cli, args) {
        Ok(log) => match log.show() {
            Ok(LogsEnd::Ended(outcome)) => Ok(outcome),
            Ok(LogsEnd::Failed(failure)) => Ok(finish(&args.running, Err(failure))),
            Err(error) => Err(error),
        },
        Err(failure) => Ok(finish(&args.running, Err(failure))),
    }
}

/// How it ended, if everything could be written.
enum LogsEnd {
    Ended(Outcome),
    Failed(Failure),
}

/// The logs of all starts of the app.
struct Log<'a> {
    args: &'a LogsArgs,
    starts: Vec<StartLog>,
    filter: Option<Regex>,
    formatter: Formatter,
}

/// The log of one start.
struct StartLog {
    start: StartDescription,
    reader: LogReader,
    /// What has arrived after the last whole line.
    partial: Vec<u8>,
    state: LogState,
    /// Whether it has sent everything that was kept.
    has_caught_up: bool,
}

impl<'a> Log<'a> {
    fn open(cli: &Cli, args: &'a LogsArgs) -> Result<Self, Failure> {
        let filter = args.grep.as_deref().map(regex).transpose()?;
        let request = request(args, filter.is_some())?;
        let app = RunningApp::find(cli.project_before(), &args.running)?;
        let mut starts = Vec::new();
        let mut look: Option<LogLook> = None;
        for (start, session) in app.log_sessions(&request)? {
            let reader = app.open_log(start, session.path().unwrap_or_default())?;
            match &mut look {
                None => look = Some(session.look),
                Some(look) => look.name_width = look.name_width.max(session.look.name_width),
            }
            let (partial, state, has_caught_up) = (Vec::new(), LogState::Open, false);
            starts.push(StartLog { start: start.clone(), reader, partial, state, has_caught_up });
        }
        let mut look = look.unwrap_or_default();
        if args.running.json {
            look.format = LookFormat::Json;
        }
        Ok(Self { args, starts, filter, formatter: formatter_of(&look, cli.color()) })
    }

    fn show(mut self) -> Result<LogsEnd, Error> {
        let mut lines = match self.kept_lines() {
            Ok(lines) => lines,
            Err(failure) => return Ok(LogsEnd::Failed(failure)),
        };
        loop {
            let written = self.write(&lines)?;
            if written != Outcome::Code(0) {
                return Ok(LogsEnd::Ended(written));
            }
            if let Some(cut) = self.starts.iter().find(|source| source.state == LogState::Cut) {
                return Ok(LogsEnd::Failed(Failure::log_was_cut(&cut.start)));
            }
            let open = || {
                let open = |(_, source): &(usize, &StartLog)| source.state == LogState::Open;
                self.starts.iter().enumerate().filter(open).map(|(at, source)| (at, &source.reader))
            };
            if open().next().is_none() {
                break;
            }
            lines.clear();
            match await_logs(open(), None) {
                Some(LogEvent::Logs(ready)) => {
                    for at in ready {
                        if let Some(source) = self.starts.get_mut(at) {
                            source.read(&mut lines);
                        }
                    }
                }
                Some(LogEvent::OutputClosed) => return Ok(LogsEnd::Ended(Outcome::Code(Status::OutputClosed.code()))),
                None => {}
            }
        }
        if self.args.tail && !self.args.running.json {
            print_line("the app has ended");
        }
        Ok(LogsEnd::Ended(Outcome::Code(0)))
    }

    /// The lines that were kept, of all starts, in the order of their times.
    fn kept_lines(&mut self) -> Result<Vec<LogBlock>, Failure> {
        let mut all = Vec::new();
        for source in &mut self.starts {
            while !source.has_caught_up && source.state == LogState::Open {
                match await_logs([(0, &source.reader)].into_iter(), Some(ANSWERS_WITHIN)) {
                    Some(_) => source.read(&mut all),
                    None => return Err(Failure::late(&source.start)),
                }
            }
        }
        if self.starts.len() > 1 {
            all.sort_by_key(|line| line.time);
        }
        let most = self.args.lines.or_else(|| self.args.since.is_none().then_some(DEFAULT_LINES));
        let mut last = VecDeque::new();
        for line in all.into_iter().filter(|line| matches(self.filter.as_ref(), line)) {
            last.push_back(line);
            if most.is_some_and(|most| last.len() as u64 > most) {
                last.pop_front();
            }
        }
        Ok(last.into())
    }

    fn write(&mut self, lines: &[LogBlock]) -> Result<Outcome, Error> {
        let mut out = Vec::new();
        for line in lines.iter().filter(|line| matches(self.filter.as_ref(), line)) {
            self.formatter.render(line, &mut out);
        }
        if out.is_empty() { Ok(Outcome::Code(0)) } else { stdout::write_bytes(&out) }
    }
}

impl StartLog {
    /// Reads what has arrived, and appends its whole lines to `lines`.
    fn read(&mut self, lines: &mut Vec<LogBlock>) {
        self.state = self.reader.read(&mut self.partial);
        let end = memchr::memrchr(b'\n', &self.partial).map_or(0, |at| at + 1);
        for line in self.partial.get(..end).unwrap_or_default().split_inclusive(|byte| *byte == b'\n') {
            if line == b"\n" {
                self.has_caught_up = true;
            } else {
                lines.extend(line_of_json(line));
            }
        }
        self.partial.drain(..end);
    }
}

/// Whether a line is shown.
fn matches(filter: Option<&Regex>, line: &LogBlock) -> bool {
    // Colours are not part of the text.
    filter.is_none_or(|filter| line.lines().any(|text| filter.is_match(&printable(text, false))))
}

/// What is asked of each start.
fn request(args: &LogsArgs, has_filter: bool) -> Result<LogSessionRequest, Failure> {
    let most = args.lines.or_else(|| args.since.is_none().then_some(DEFAULT_LINES));
    let since = args.since.as_deref().map(|text| moment(text, Timestamp::now())).transpose()?;
    Ok(LogSessionRequest {
        dyno: None,
        source: args.source.map(|source| match source {
            LogSourceName::App => LogSource::App,
            LogSourceName::Dyno => LogSource::Heroku,
        }),
        // Which lines match is only known here.
        lines: most.filter(|_| !has_filter).or(Some(u64::MAX)),
        tail: Some(args.tail),
        dynos: args.dynos.all().map(str::to_owned).collect(),
        since: since.map(|since| since.to_string()),
    })
}

fn regex(text: &str) -> Result<Regex, Failure> {
    Regex::new(text).map_err(|error| {
        let message = format!("`{text}` is not a regular expression: {error}");
        Failure::new(Status::Usage, "invalid_params", message, "write `\\` before a character such as `(` to find it")
    })
}

/// The moment that `5m` or a time means.
fn moment(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    let refused = || {
        let message = format!("`{text}` is neither a time span nor a time");
        Failure::new(
            Status::Usage,
            "invalid_params",
            message,
            "write `5m`, `2h`, `1d` or a time such as `2026-11-23T05:00:00Z`",
        )
    };
    if let Ok(moment) = text.parse() {
        return Ok(moment);
    }
    let span = text.parse::<Span>().map_err(|_| refused())?;
    let then = now.to_zoned(TimeZone::UTC).checked_sub(span.abs()).map_err(|_| refused())?;
    Ok(then.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_4_since_is_a_time_span_or_a_time() {
        let now: Timestamp = "2026-11-23T05:00:00Z".parse().expect("a time");
        let since = |text| moment(text, now).map(|moment| moment.to_string()).ok();

        for (text, expected) in [
            ("5m", "2026-11-23T04:55:00Z"),
            ("1h30m", "2026-11-23T03:30:00Z"),
            ("1d", "2026-11-22T05:00:00Z"),
            ("2026-11-23T06:00:00+02:00", "2026-11-23T04:00:00Z"),
        ] {
            assert_eq!(since(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "5", "soon", "99999y"] {
            assert_eq!(since(text), None, "{text}");
        }
        // A clock that was never set.
        let then = moment("5m", Timestamp::UNIX_EPOCH).map(|moment| moment.to_string()).ok();
        assert_eq!(then.as_deref(), Some("1969-12-31T23:55:00Z"));
        assert!(moment("5m", Timestamp::MIN).is_err());
    }
}
