//! The few lines in which `dyno why` explains a dyno and says what to type next. Pure.

use std::fmt::Write as _;

use super::Explained;
use crate::api::{EndResource, WhyReason, WhyResource};
use crate::commands::ps::span;
use crate::console::table::cell;
use crate::supervisor::LifeStage;

/// All dynos, with a blank line between them.
pub(super) fn text(dynos: &[Explained], now: jiff::Timestamp) -> String {
    let texts: Vec<String> = dynos.iter().map(|dyno| about(dyno, now)).collect();
    texts.join("\n")
}

fn about(dyno: &Explained, now: jiff::Timestamp) -> String {
    let why = &dyno.why;
    let mut text = format!("{} {}\n", why.dyno.name, headline(dyno, now));
    let mut line = |label: &str, line: &str| {
        // A command from the Procfile, or the name of a program, must not control the terminal.
        let _ = writeln!(text, "  {label:<10} {}", cell(line));
    };
    if !why.dyno.command.is_empty() {
        line("command", &why.dyno.command);
    }
    if let Some(reason) = &dyno.end_reason {
        line("reason", reason);
    }
    if let Some(option) = &dyno.option {
        line("start", option);
    }
    if let Some(quantity) = why.quantity {
        line("formation", &format!("{}={quantity}", why.dyno.process_type));
    }
    if let Some(pid) = why.dyno.pid {
        line("process", &format!("pid {pid}"));
    }
    if let Some(port) = why.dyno.port.filter(|_| dyno.ended_at.is_none()) {
        line("port", &port_text(dyno, port));
    }
    if why.dyno.restarts > 0 {
        line("restarts", &why.dyno.restarts.to_string());
    }
    for (at, end) in why.ends.iter().enumerate() {
        line(if at == 0 { "ends" } else { "" }, &end_text(end, now));
    }
    if dyno.ended_at.is_none() && why.dyno.release.version > 0 {
        line("release", &release_text(dyno));
    }
    if let Some(file) = &dyno.log_file {
        line("log", file);
    }
    if !why.lines.is_empty() {
        text.push_str("  last lines:\n");
        for line in &why.lines {
            let _ = writeln!(text, "    {}", line.trim_end());
        }
    }
    let _ = writeln!(text, "next: {}", next(dyno));
    text
}

/// What it is doing and why, such as `is up, for 12m`.
fn headline(dyno: &Explained, now: jiff::Timestamp) -> String {
    let why = &dyno.why;
    if let Some(ended_at) = &dyno.ended_at {
        if let Some(pid) = dyno.killed_pid {
            return format!("is not running: `dyno` (pid {pid}), which ran it, was killed");
        }
        let ago = ended_at.parse().map_or_else(|_| String::new(), |at| format!(" {} ago", age(at, now)));
        let status = dyno.ended_with.map_or_else(String::new, |status| format!(" with status {status}"));
        let how = match why.reason {
            WhyReason::Ended => "this dyno ended by itself",
            WhyReason::ScaledDown => "the formation had been scaled down",
            WhyReason::Prevented => "this dyno was not started",
            WhyReason::Formation
            | WhyReason::OneOff
            | WhyReason::ReleasePhase
            | WhyReason::Shutdown
            | WhyReason::Stopped
            | WhyReason::Quantity => "this dyno was stopped",
        };
        return format!("is not running: its start ended{ago}{status}, and {how}");
    }
    let since = why.dyno.updated_at.parse::<jiff::Timestamp>().map(|since| age(since, now));
    let since = since.map_or_else(|_| String::new(), |since| format!(", for {since}"));
    match why.stage {
        LifeStage::Down if runs_once(why) && why.reason == WhyReason::Stopped => "is gone: it was stopped".to_owned(),
        LifeStage::Down => match &why.prevented {
            Some(prevented) if why.reason == WhyReason::Prevented => {
                format!("is down: not started because {prevented}")
            }
            Some(_) | None => at_rest(why).to_owned(),
        },
        LifeStage::Starting => format!("is starting{since}"),
        LifeStage::Waiting | LifeStage::Booting => match &why.not_up {
            Some(not_up) => format!("is starting{since}: it {not_up}"),
            None => format!("is starting{since}"),
        },
        LifeStage::Up => format!("is up{since}"),
        LifeStage::Draining => format!("is answering its last requests and is then stopped{since}"),
        LifeStage::Stopping => format!("is being stopped{since}"),
        LifeStage::Clearing => "has exited; what it left running is being stopped".to_owned(),
        LifeStage::Backoff => format!("has crashed and {}", restarts(why, now)),
        LifeStage::Crashed => format!("has crashed and is not restarted{since}"),
        LifeStage::Lost => "could not be killed, so it is not started again".to_owned(),
    }
}

/// Whether it is a one-off dyno, which cannot be restarted.
fn runs_once(why: &WhyResource) -> bool {
    why.quantity.is_none()
}

/// Why it is down.
fn at_rest(why: &WhyResource) -> &'static str {
    match why.reason {
        WhyReason::Formation => "is about to start",
        WhyReason::OneOff => "has ended",
        WhyReason::ReleasePhase => "is waiting for the release command to end",
        WhyReason::Shutdown => "is down: everything is being stopped",
        WhyReason::Stopped => "is down: it was stopped, and stays down until it is restarted",
        WhyReason::Prevented => "is down: a dyno that it waited for crashed, ended or did not start",
        WhyReason::Ended => "is down: it ended by itself",
        WhyReason::ScaledDown => "is gone: the formation was scaled down",
        WhyReason::Quantity => "does not exist: the quantity of its process type is too low",
    }
}

fn restarts(why: &WhyResource, now: jiff::Timestamp) -> String {
    let Some(next) = &why.next_restart else { return "restarts".to_owned() };
    let left = next.at.parse::<jiff::Timestamp>().map_or(0, |at| at.duration_since(now).as_secs());
    // The pause does not depend on the clock, which may have been changed in the meantime.
    let left = u64::try_from(left).unwrap_or(0).min(next.delay);
    format!("restarts in {}, after a pause of {} s", span(left), next.delay)
}

fn port_text(dyno: &Explained, port: u16) -> String {
    let expected = dyno.why.expected_port == Some(port);
    let others: Vec<String> = dyno.listens_on.iter().map(u16::to_string).collect();
    match &dyno.port_held_by {
        _ if dyno.listens_on.contains(&port) => format!("{port}, where it listens"),
        _ if !others.is_empty() => format!("listens on {}, PORT is {port}", others.join(", ")),
        Some(holder) => format!("{port}, held by {holder}"),
        None if expected && dyno.why.dyno.pid.is_some() => format!("{port}, where nothing listens"),
        None => port.to_string(),
    }
}

/// `12s ago, exited with code 1 after 3s`
fn end_text(end: &EndResource, now: jiff::Timestamp) -> String {
    let ago = end.at.parse::<jiff::Timestamp>().map_or_else(|_| String::new(), |at| format!("{} ago, ", age(at, now)));
    let after = if end.ran_for_ms < 10_000 {
        format!("{}.{} s", end.ran_for_ms / 1_000, end.ran_for_ms % 1_000 / 100)
    } else {
        span(end.ran_for_ms / 1_000)
    };
    let requested = if end.requested { ", as requested" } else { "" };
    let left = if end.left.is_empty() { String::new() } else { format!("; it left {} running", end.left.join(", ")) };
    format!("{ago}{} after {after}{requested}{left}", end.how)
}

fn release_text(dyno: &Explained) -> String {
    let mut text = format!("v{}", dyno.why.dyno.release.version);
    if !dyno.changed_files.is_empty() {
        let after = if dyno.why.reloaded.is_some() { "last reload" } else { "start" };
        let _ = write!(text, "; changed after the {after}: {}", dyno.changed_files.join(", "));
    }
    if !dyno.not_compared.is_empty() {
        let _ = write!(text, "; not compared: {}", dyno.not_compared.join(", "));
    }
    text
}

/// The command to type.
fn next(dyno: &Explained) -> String {
    let (name, process_type) = (&dyno.why.dyno.name, &dyno.why.dyno.process_type);
    let option = dyno.option.as_ref().map_or_else(String::new, |option| format!(" {option}"));
    match (&dyno.ended_at, dyno.why.stage, dyno.why.reason) {
        (Some(_), ..) => "dyno start".to_owned(),
        (None, ..) if dyno.is_smoke => format!("dyno logs -t {name}"),
        (None, LifeStage::Lost, _) => "dyno stop".to_owned(),
        (None, LifeStage::Waiting, _) => format!("dyno why {}", first_word(dyno.why.dyno.waits_for.as_deref())),
        (None, _, WhyReason::Prevented) => {
            format!("dyno restart {}, then dyno restart {name}", first_word(dyno.why.prevented.as_deref()))
        }
        (None, _, WhyReason::OneOff | WhyReason::Shutdown) => "dyno ps".to_owned(),
        (None, _, WhyReason::Stopped | WhyReason::Ended) if runs_once(&dyno.why) => "dyno ps".to_owned(),
        (None, _, WhyReason::ReleasePhase) => "dyno wait".to_owned(),
        (None, _, WhyReason::ScaledDown | WhyReason::Quantity) => {
            let index = name.rsplit_once('.').map_or("1", |(_, index)| index);
            format!("dyno scale {process_type}={index}{option}")
        }
        (None, _, _) if !dyno.changed_files.is_empty() => {
            format!("dyno reload{option}, to read the changed files")
        }
        (None, _, WhyReason::Formation | WhyReason::Stopped | WhyReason::Ended) => {
            format!("dyno restart {name}{option}")
        }
    }
}

/// The first word of a text such as `db.1 to listen`: the dyno.
fn first_word(text: Option<&str>) -> &str {
    text.and_then(|text| text.split(' ').next()).unwrap_or_default()
}

fn age(at: jiff::Timestamp, now: jiff::Timestamp) -> String {
    span(u64::try_from(now.duration_since(at).as_secs()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{DynoResource, NextRestartResource};

    const NOW: &str = "2026-11-23T05:10:00Z";

    fn web(public: &str, stage: LifeStage) -> WhyResource {
        let dyno = DynoResource {
            name: "web.1".to_owned(),
            process_type: "web".to_owned(),
            command: "npm start".to_owned(),
            state: public.to_owned(),
            updated_at: "2026-11-23T05:07:00Z".to_owned(),
            port: Some(5000),
            ..DynoResource::default()
        };
        WhyResource { dyno, stage, quantity: Some(1), expected_port: Some(5000), ..WhyResource::default() }
    }

    fn shown(dyno: Explained) -> String {
        text(&[dyno], NOW.parse().expect("a time"))
    }

    #[test]
    fn s10_2_why_shows_the_ends_of_a_crash_loop_and_the_next_restart() {
        let end = EndResource {
            at: "2026-11-23T05:09:57.000Z".to_owned(),
            how: "exited with code 1".to_owned(),
            exit_status: 1,
            ran_for_ms: 340,
            left: vec!["nginx (pid 812)".to_owned()],
            ..EndResource::default()
        };
        let next = NextRestartResource { at: "2026-11-23T05:10:04.000Z".to_owned(), delay: 8 };
        let mut why = web("crashed", LifeStage::Backoff);
        (why.dyno.restarts, why.dyno.release.version) = (3, 1);
        (why.ends, why.next_restart, why.lines) = (vec![end], Some(next), vec!["no database".to_owned()]);

        let expected = "\
web.1 has crashed and restarts in 4s, after a pause of 8 s
  command    npm start
  formation  web=1
  port       5000, held by python3 (pid 7)
  restarts   3
  ends       3s ago, exited with code 1 after 0.3 s; it left nginx (pid 812) running
  release    v1; changed after the start: .env; not compared: .env.local
  last lines:
    no database
next: dyno reload, to read the changed files
";
        let explained = Explained {
            why,
            port_held_by: Some("python3 (pid 7)".to_owned()),
            changed_files: vec![".env".to_owned()],
            not_compared: vec![".env.local".to_owned()],
            ..Explained::default()
        };
        assert_eq!(shown(explained), expected);
    }

    #[test]
    fn s10_2_why_shows_no_odd_times_after_the_clock_was_set() {
        let mut why = web("crashed", LifeStage::Backoff);
        let at = "2026-11-23T05:09:57.000Z".to_owned();
        why.ends = vec![EndResource { at, how: "exited with code 1".to_owned(), ..EndResource::default() }];
        why.next_restart = Some(NextRestartResource { at: "2026-11-23T05:10:04.000Z".to_owned(), delay: 8 });
        let lines = |now: &str| {
            let explained = Explained { why: why.clone(), ..Explained::default() };
            let text = text(&[explained], now.parse().expect("a time"));
            let lines = text.lines().filter(|line| line.contains("restarts in") || line.contains(" ago"));
            lines.map(|line| line.trim().to_owned()).collect::<Vec<_>>()
        };
        let headline = |left: &str| format!("web.1 has crashed and restarts in {left}, after a pause of 8 s");

        let set_back = [headline("8s"), "ends       0s ago, exited with code 1 after 0.0 s".to_owned()];
        assert_eq!(lines("2026-11-22T05:10:00Z"), set_back);
        let set_forward = [headline("0s"), "ends       1d 0h ago, exited with code 1 after 0.0 s".to_owned()];
        assert_eq!(lines("2026-11-24T05:10:00Z"), set_forward);
        let up = Explained { why: web("up", LifeStage::Up), ..Explained::default() };
        assert!(text(&[up], "2026-11-22T05:10:00Z".parse().expect("a time")).starts_with("web.1 is up, for 0s\n"));
    }

    #[test]
    fn s10_2_why_says_where_a_dyno_listens_instead() {
        let mut why = web("up", LifeStage::Up);
        why.dyno.pid = Some(4711);
        let port = |listens_on: &[u16]| {
            let text = shown(Explained { why: why.clone(), listens_on: listens_on.to_vec(), ..Explained::default() });
            text.lines().find(|line| line.starts_with("  port")).map(str::to_owned)
        };

        assert_eq!(port(&[3000]).as_deref(), Some("  port       listens on 3000, PORT is 5000"));
        assert_eq!(port(&[]).as_deref(), Some("  port       5000, where nothing listens"));
        assert_eq!(port(&[5000, 9229]).as_deref(), Some("  port       5000, where it listens"));
    }

    #[test]
    fn s10_2_why_names_the_reason_and_the_command_to_type() {
        for (stage, reason, headline, next) in [
            (LifeStage::Up, WhyReason::Formation, "web.1 is up, for 3m", "dyno restart web.1"),
            (
                LifeStage::Down,
                WhyReason::Stopped,
                "web.1 is down: it was stopped, and stays down until it is restarted",
                "dyno restart web.1",
            ),
            (
                LifeStage::Down,
                WhyReason::ScaledDown,
                "web.1 is gone: the formation was scaled down",
                "dyno scale web=1",
            ),
            (
                LifeStage::Lost,
                WhyReason::Formation,
                "web.1 could not be killed, so it is not started again",
                "dyno stop",
            ),
        ] {
            let why = WhyResource { reason, ..web("up", stage) };
            let text = shown(Explained { why, ..Explained::default() });
            assert_eq!(text.lines().next(), Some(headline));
            assert_eq!(text.lines().last(), Some(&*format!("next: {next}")));
        }
    }

    #[test]
    fn s10_2_why_does_not_offer_to_restart_a_one_off_dyno() {
        for (stage, headline) in
            [(LifeStage::Stopping, "is being stopped, for 3m"), (LifeStage::Down, "is gone: it was stopped")]
        {
            let why = WhyResource { reason: WhyReason::Stopped, quantity: None, ..web("down", stage) };
            let text = shown(Explained { why, ..Explained::default() });
            assert_eq!(text.lines().next(), Some(&*format!("web.1 {headline}")));
            assert_eq!(text.lines().last(), Some("next: dyno ps"));
        }
    }
}
