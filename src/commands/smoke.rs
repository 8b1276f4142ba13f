//! `dyno smoke`: a start that is there to be tested, and ends with one sentence that says how it went.
//!
//! Decides what the command gets and what is said at the end. How it goes is decided by `supervisor::Smoke`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use super::diagnostics::warn;
use super::project::Project;
use super::start::{self, Scope};
use super::{platform, size};
use crate::app::{DynoName, DynoSpec, DynoVariables, Io, PortVariable, ProcessType, join_words, shell_line};
use crate::cli::{Cli, SmokeArgs, StartArgs};
use crate::error::{Complaint, Error, Status};
use crate::runtime::{self, Ending, SmokeStart, Tails};
use crate::supervisor::{Outcome, Policy, SmokeReport, SmokeRules};

/// The process type whose address the command gets.
const WEB: &str = "web";
/// The type of the command's own name, as of every one-off dyno.
const ONE_OFF: &str = "run";

/// What a smoke needs besides the options of a start.
pub(super) struct Request<'a> {
    args: &'a SmokeArgs,
    tails: Tails,
}

/// `dyno smoke`.
pub(super) fn run(cli: &Cli, args: &SmokeArgs) -> Result<Outcome, Error> {
    let request = Request { args, tails: Tails::default() };
    let ending = start::carry_out(Scope::Smoke(&request), cli, &args.as_start())?;
    start::tell(&ending);
    let outcome = ending.outcome();
    if let Some(report) = &ending.smoke {
        runtime::write_last_words(verdict(&final_report(report, &ending, outcome)).as_bytes());
    }
    Ok(outcome)
}

/// What came after the end of the formation may be worse than what was known before.
fn final_report(report: &SmokeReport, ending: &Ending, outcome: Outcome) -> SmokeReport {
    let reason = if ending.guardian_lost {
        "the guardian process was lost"
    } else if !ending.survivors.is_empty() {
        "a process could not be killed"
    } else if outcome != report.outcome {
        "the log could not be written"
    } else {
        return report.clone();
    };
    SmokeReport { outcome, reason: reason.to_owned(), ..report.clone() }
}

/// The last line of all.
fn verdict(report: &SmokeReport) -> String {
    let reason = &report.reason;
    match report.outcome {
        Outcome::Code(0) => format!("smoke passed: {reason}\n"),
        Outcome::Code(code) => format!("smoke failed: {reason} (status {code})\n"),
        Outcome::Signal(signal) => {
            format!("smoke failed: {reason} (status {})\n", 128 + runtime::signal_number(signal))
        }
    }
}

impl Request<'_> {
    /// What the runtime needs of it.
    pub(super) fn smoke_start(&self) -> SmokeStart {
        let words = self.args.command.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let rules = SmokeRules { settle: self.args.settle(), http: self.args.http.clone(), words };
        SmokeStart { rules, tails: self.tails.clone(), phase_mark: None }
    }

    /// Says that nobody is waited for.
    ///
    /// # Errors
    /// Status 2: there is nobody to be asked for an answer.
    pub(super) fn check_ready(&self, policy: &Policy, ports: &[(DynoName, u16)]) -> Result<(), Error> {
        if ports.iter().any(|(dyno, _)| policy.ready.contains(&dyno.process_type)) {
            return Ok(());
        }
        let hint = "name the types that listen on `$PORT` with `--ready`";
        if self.args.http.is_some() {
            let fact = "`--http` has nobody to ask: no process type that runs is waited for to listen";
            return Err(Error::new(Status::Usage, fact, hint));
        }
        let fact = "no process type that runs is waited for to listen: all count as up when they are started";
        warn(&Complaint::new(fact, hint));
        Ok(())
    }

    /// The command as one more dyno: the environment of the formation, and where `web.1` is.
    pub(super) fn command(
        &self,
        args: &StartArgs,
        project: &Project,
        ports: &[(DynoName, u16)],
        session: &str,
    ) -> Result<Option<Arc<DynoSpec>>, Error> {
        let Some(line) = line(&self.args.command) else { return Ok(None) };
        let dyno = own_name(ports)?;
        let web = ports.iter().find(|(dyno, _)| dyno.process_type.as_str() == WEB && dyno.index == 1);
        let port = web.map(|(_, port)| *port);
        let variables =
            DynoVariables { dyno: &dyno, port: port.map_or(PortVariable::Kept, PortVariable::Assigned), session };
        let mut environment = project.layers.environment(&variables);
        if let Some(port) = port {
            environment.set("WEB_PORT", port.to_string());
            environment.set("BASE_URL", format!("http://127.0.0.1:{port}"));
        }
        size::check(&environment)?;
        let (shell, shell_line) = platform::shell(start::reads_profile(args), shell_line(&line));
        Ok(Some(Arc::new(DynoSpec {
            dyno,
            command_line: String::from_utf8_lossy(&line).into_owned(),
            shell,
            shell_line: shell_line.line,
            own_shell: shell_line.own_shell,
            environment,
            awaited_port: None,
            directory: project.directory.clone(),
            io: Io::Inherit,
        })))
    }
}

/// One word is a line for the shell, several are words kept apart, as in `dyno run` (S9.1).
fn line(words: &[OsString]) -> Option<Vec<u8>> {
    match words {
        [] => None,
        [line] => Some(line.as_bytes().to_vec()),
        words => Some(join_words(&words.iter().map(|word| word.as_bytes()).collect::<Vec<_>>())),
    }
}

/// `run.1`, or the next one that the formation has not.
fn own_name(ports: &[(DynoName, u16)]) -> Result<DynoName, Error> {
    let process_type = ProcessType::new(ONE_OFF)
        .map_err(|error| Error::new(Status::Internal, format!("cannot name the command: {error}"), ""))?;
    let taken = ports.iter().filter(|(dyno, _)| dyno.process_type == process_type).map(|(dyno, _)| dyno.index).max();
    Ok(DynoName::new(process_type, taken.unwrap_or(0).saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::UserSignal;

    fn report(outcome: Outcome) -> SmokeReport {
        let reason = "the command exited with code 3".to_owned();
        SmokeReport { outcome, reason, phases: Vec::new(), dynos: Vec::new(), command: None, culprit: None }
    }

    fn name(process_type: &str, index: u32) -> DynoName {
        DynoName::new(ProcessType::new(process_type).expect("a name"), index)
    }

    #[test]
    fn the_last_line_names_the_reason_and_the_status() {
        for (outcome, line) in [
            (Outcome::Code(0), "smoke passed: the command exited with code 3\n"),
            (Outcome::Code(3), "smoke failed: the command exited with code 3 (status 3)\n"),
            (Outcome::Signal(UserSignal::Term), "smoke failed: the command exited with code 3 (status 143)\n"),
        ] {
            assert_eq!(verdict(&report(outcome)), line);
        }
    }

    #[test]
    fn s11_what_goes_wrong_after_the_end_is_the_reason_then() {
        let ending = |outcome| {
            let mut ending = Ending::plain(Outcome::Code(0));
            ending.guardian_lost = outcome == Outcome::Code(70);
            ending
        };
        let told = |outcome| final_report(&report(Outcome::Code(0)), &ending(outcome), outcome).reason;

        assert_eq!(told(Outcome::Code(0)), "the command exited with code 3");
        assert_eq!(told(Outcome::Code(70)), "the guardian process was lost");
        assert_eq!(told(Outcome::Code(74)), "the log could not be written");
    }

    #[test]
    fn the_command_has_a_name_that_no_dyno_has() {
        assert_eq!(own_name(&[(name("web", 1), 5000)]).expect("a name"), name("run", 1));
        assert_eq!(own_name(&[(name("run", 1), 5000), (name("run", 2), 5001)]).expect("a name"), name("run", 3));
    }

    #[test]
    fn s9_1_one_word_is_a_line_and_several_are_kept_apart() {
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();

        assert_eq!(line(&words(&[])), None);
        assert_eq!(line(&words(&["a && b"])), Some(b"a && b".to_vec()));
        assert_eq!(line(&words(&["a", "&&", "b c"])), Some(b"a '&&' 'b c'".to_vec()));
    }
}
