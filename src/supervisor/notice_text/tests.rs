//! The full text of every notice, in both styles.

use super::*;
use crate::model::DynoName;
use crate::model::SpawnFailure;
use crate::supervisor::{PublicState, UserSignal};

const SECOND: Duration = Duration::from_secs(1);

fn assert_texts(kind: &NoticeKind, plain: Option<&str>, heroku: Option<&str>) {
    assert_eq!(kind.text(NoticeStyle::Plain).as_deref(), plain, "{kind:?}");
    assert_eq!(kind.text(NoticeStyle::Heroku).as_deref(), heroku, "{kind:?}");
}

fn web() -> ProcessType {
    ProcessType::new("web").unwrap()
}

#[test]
fn s7_4_the_default_format_uses_the_words_of_foreman() {
    for (kind, text) in [
        (NoticeKind::Started { pid: 42 }, "started with pid 42"),
        (NoticeKind::StopRequested(UserSignal::Int), "SIGINT received, starting shutdown"),
        (NoticeKind::Stopping { signal: 15 }, "sending SIGTERM to all processes"),
        (NoticeKind::Stopping { signal: 2 }, "sending SIGINT to all processes"),
        (NoticeKind::Killing, "sending SIGKILL to all processes"),
        (NoticeKind::Restarting { after: Duration::ZERO }, "restarting"),
        (NoticeKind::Restarting { after: 2 * SECOND }, "restarting in 2s"),
        (NoticeKind::Restarting { after: SECOND / 2 }, "restarting in 0.5s"),
    ] {
        assert_texts(&kind, Some(text), None);
    }
}

#[test]
fn s7_4_the_heroku_format_uses_the_words_of_the_platform() {
    let (command_line, user): (std::sync::Arc<str>, String) = ("node server.js --port $PORT".into(), "ada".to_owned());
    for (kind, text) in [
        (
            NoticeKind::Starting { command_line: command_line.clone() },
            "Starting process with command `node server.js --port $PORT`",
        ),
        (
            NoticeKind::OneOffRequested { command_line, user: user.clone() },
            "Starting process with command `node server.js --port $PORT` by user ada",
        ),
        (
            NoticeKind::ReleaseDescribed { description: "Deploy 60a874b3".into(), user: user.clone() },
            "Deploy 60a874b3 by user ada",
        ),
        (NoticeKind::ReleaseRunning { version: 7, user: user.clone() }, "Running release v7 commands by user ada"),
        (NoticeKind::ReleaseCreated { version: 7, user }, "Release v7 created by user ada"),
        (NoticeKind::StateChanged { from: PublicState::Up, to: PublicState::Down }, "State changed from up to down"),
        (
            NoticeKind::StateChanged { from: PublicState::Crashed, to: PublicState::Starting },
            "State changed from crashed to starting",
        ),
        (NoticeKind::Completed { from: PublicState::Up }, "State changed from up to complete"),
        (NoticeKind::StoppingProcesses { signal: 15 }, "Stopping all processes with SIGTERM"),
        (NoticeKind::KillingProcess, "Stopping process with SIGKILL"),
        (NoticeKind::KillingRemaining, "Stopping remaining processes with SIGKILL"),
    ] {
        assert_texts(&kind, None, Some(text));
    }
}

#[test]
fn s15_2_a_release_says_what_made_it_and_a_rollback_what_it_leaves() {
    let deploying = |description: Option<&str>| NoticeKind::Deploying {
        version: 3,
        description: description.map(str::to_owned),
        difference: ".env: ~ LEVEL".to_owned(),
    };
    assert_texts(&deploying(None), Some("release v3: .env: ~ LEVEL"), None);
    assert_texts(&deploying(Some("Rollback to v1")), Some("release v3: Rollback to v1 (.env: ~ LEVEL)"), None);
    for (files, names) in [
        (vec![".env"], ".env"),
        (vec!["Procfile"], "the Procfile"),
        (vec![".env", "Procfile"], ".env and the Procfile"),
    ] {
        let text = format!("running the config of v1, which differs from {names}; `dyno reload` goes back to {names}");
        assert_texts(&NoticeKind::RolledBack { to: 1, files }, Some(&text), Some(&text));
    }
}

#[test]
fn the_heroku_format_shows_the_exit_status_of_the_shell() {
    for (exit, plain, heroku) in [
        (ExitStatus::Code(1), "exited with code 1", "Process exited with status 1"),
        (ExitStatus::Signal(15), "terminated by SIGTERM", "Process exited with status 143"),
        (ExitStatus::Signal(40), "terminated by signal 40", "Process exited with status 168"),
    ] {
        assert_texts(&NoticeKind::Exited(exit), Some(plain), Some(heroku));
    }
}

#[test]
fn s6_10_processes_that_outlive_their_leader_are_named() {
    let process = |name: &str, pid, port| LeftRunning { pid, name: name.to_owned(), port };
    let nginx = process("nginx", 812, None);
    for (kind, text) in [
        (NoticeKind::LeftRunning(vec![nginx.clone()]), "left nginx (pid 812) running; stopped it too"),
        (
            NoticeKind::LeftRunning(vec![nginx, process("redis-server", 813, None)]),
            "left nginx (pid 812), redis-server (pid 813) running; stopped them too",
        ),
        (
            NoticeKind::LeftBehind {
                dynos: vec!["web.1".to_owned(), "worker.1".to_owned()],
                process: process("ssh-agent", 812, None),
            },
            "left behind by web.1 or worker.1: ssh-agent (pid 812), stopped at the end",
        ),
        (
            NoticeKind::LeftBehind {
                dynos: ["web.1", "web.2", "worker.1"].map(str::to_owned).into(),
                process: process("redis-server", 813, None),
            },
            "left behind by web.1, web.2 or worker.1: redis-server (pid 813), stopped at the end",
        ),
    ] {
        assert_texts(&kind, Some(text), Some(text));
    }
    let daemon =
        NoticeKind::ExitedListening { exit: ExitStatus::Code(0), process: process("python3", 812, Some(5000)) };
    let left = "and left a process listening on port 5000 (python3, pid 812), which was stopped: run the server in the \
                foreground";
    let (plain, heroku) = (format!("exited with code 0, {left}"), format!("Process exited with status 0, {left}"));
    assert_texts(&daemon, Some(&plain), Some(&heroku));
}

#[test]
fn s6_the_errors_of_the_platform_are_the_same_in_both_formats() {
    let worker = ProcessType::new("worker").unwrap();
    for (kind, text) in [
        (
            NoticeKind::BootTimeout { process_type: web(), after: 60 * SECOND },
            "Error R10 (Boot timeout) -> Web process failed to bind to $PORT within 60 seconds of launch",
        ),
        (
            NoticeKind::BootTimeout { process_type: worker, after: SECOND / 2 },
            "Error R10 (Boot timeout) -> Worker process failed to bind to $PORT within 0.5 seconds of launch",
        ),
        (
            NoticeKind::ExitTimeout { after: 30 * SECOND, signal: 15 },
            "Error R12 (Exit timeout) -> At least one process failed to exit within 30 seconds of SIGTERM",
        ),
    ] {
        assert_texts(&kind, Some(text), Some(text));
    }
}

#[test]
fn messages_that_help_the_user_are_the_same_in_both_formats() {
    for (kind, text) in [
        (NoticeKind::CommandNotFound, "command not found, see the line above"),
        (NoticeKind::SpawnFailed(SpawnFailure("cannot start /bin/sh".into())), "cannot start /bin/sh"),
        (NoticeKind::GuardianStuck, "`dyno`'s helper process (the guardian) does not respond; ending without it"),
        (NoticeKind::GaveUp { restarts: 3 }, "crashed again after 3 restarts in a row: not restarted"),
        (NoticeKind::GaveUp { restarts: 1 }, "crashed again after 1 restart: not restarted"),
        (NoticeKind::GaveUp { restarts: 0 }, "crashed: not restarted"),
        (
            NoticeKind::LoopbackOnly { address: [127, 0, 0, 1].into() },
            "listens on 127.0.0.1 only: on Heroku it must bind 0.0.0.0",
        ),
        (
            NoticeKind::NotListening { port: Some(5000), after: 60 * SECOND },
            "still not listening on port 5000 after 60 seconds; treated as up from now on",
        ),
        (NoticeKind::ListensElsewhere { port: 3000, given: Some(5000) }, "listens on port 3000, not on $PORT (5000)"),
        (
            NoticeKind::ReleaseFailed { version: 3, exit: ExitStatus::Signal(9), kept: None },
            "release v3 failed: its command exited with status 137; nothing was started",
        ),
    ] {
        assert_texts(&kind, Some(text), Some(text));
    }
}

fn dyno(name: &str, index: u32) -> DynoName {
    DynoName::new(ProcessType::new(name).unwrap(), index)
}

#[test]
fn s6_3_the_dyno_that_stops_the_others_is_named_with_the_reason() {
    let exited = |exit| StopCause::Exited(exit);
    for (cause, is_first, keys, text) in [
        (
            exited(ExitStatus::Code(3)),
            true,
            true,
            "web.1 exited first (code 3): stopping the others; press Ctrl-C to kill them",
        ),
        (exited(ExitStatus::Signal(11)), true, false, "web.1 exited first (SIGSEGV): stopping the others"),
        (exited(ExitStatus::Code(0)), false, false, "web.1 exited (code 0): stopping the others"),
        (StopCause::NotStarted, true, false, "web.1 could not be started: stopping the others"),
        (StopCause::NotUp, true, false, "web.1 was not up in time: stopping the others"),
    ] {
        let kind = NoticeKind::StoppingOthers { dyno: dyno("web", 1), cause, is_first, keys };
        assert_texts(&kind, Some(text), Some(text));
    }
}

#[test]
fn s6_3_the_hint_names_the_option_that_would_have_helped() {
    let (with_0, any) = (
        "hint: `--can-die web` or `--restart` keeps the others up",
        "hint: `--can-die web=any` or `--restart` keeps the others up",
    );
    for (rule, text) in [(CanDie::Success, with_0), (CanDie::Any, any)] {
        assert_texts(&NoticeKind::StopAvoidable { process_type: web(), rule }, Some(text), Some(text));
    }
}

#[test]
fn s6_6_the_default_format_names_the_dynos_that_have_not_exited() {
    let still = |index| StillRunning::Dyno(dyno("web", index));
    let rest = StillRunning::ProcessesOf(dyno("worker", 1));
    for (dynos, keys, text) in [
        (vec![still(1)], false, "waiting for web.1 to exit; SIGKILL in 4 seconds"),
        (
            vec![still(1), rest.clone()],
            true,
            "waiting for web.1 and processes of worker.1 to exit; SIGKILL in 4 seconds; Ctrl-C kills now",
        ),
        (
            vec![still(1), still(2), rest],
            false,
            "waiting for web.1, web.2 and processes of worker.1 to exit; SIGKILL in 4 seconds",
        ),
        (
            (1..=5).map(still).collect(),
            false,
            "waiting for web.1, web.2, web.3 and 2 more to exit; SIGKILL in 4 seconds",
        ),
    ] {
        assert_texts(&NoticeKind::WaitingForExit { dynos, kill_in: 4 * SECOND, keys }, Some(text), None);
    }
}

#[test]
fn s6_8_a_dyno_that_needs_the_keyboard_says_how_to_get_it() {
    for (dyno, sign, advice, text) in [
        (
            dyno("web", 1),
            KeyboardSign::DebuggerPrompt,
            FocusAdvice::Option,
            "web.1 waits at a debugger prompt: add `--focus web` to use it",
        ),
        (
            dyno("web", 2),
            KeyboardSign::FullScreen,
            FocusAdvice::Command,
            "web.2 draws a full screen: run `dyno start --focus web.2` to use it",
        ),
        (
            dyno("web", 1),
            KeyboardSign::DebuggerPrompt,
            FocusAdvice::None,
            "web.1 waits at a debugger prompt, and no key reaches it",
        ),
        (
            dyno("web", 1),
            KeyboardSign::WaitsForInput,
            FocusAdvice::Attach,
            "web.1 is waiting for input: type `dyno attach web.1`",
        ),
    ] {
        assert_texts(&NoticeKind::NeedsKeyboard { dyno, sign, advice }, Some(text), Some(text));
    }
}
