//! A random mix of what can happen to a run: crashes, restarts, forks, sessions, daemons, stopped processes, slow readers
//! and every way to end, including `kill -9` of `dyno` or its guardian. No process may be left, and no line may be missing
//! from the output or from the log files.
//!
//! `DYNO_MIX_ROUNDS` makes the test longer; `DYNO_MIX_SEED` repeats a failure.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::process::{Child, Command, Stdio};

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::app::fork;
use crate::harness::{App, Finished, Running};
use crate::process_table::{self, MARK};

/// Rounds in an ordinary test run.
const ROUNDS: u64 = 12;

/// Lines that each run of a dyno writes.
const LINES: usize = 200;

/// Writes `LINES` lines, `line PID NUMBER`, numbered from 1. Then it creates the file `done-PID`.
const CHATTER: &str = "i=0; while [ $i -lt 200 ]; do i=$((i+1)); echo \"line $$ $i$PAD\"; done; >done-$$\n";

/// What makes the lines of one run longer than its pipe can hold.
const PAD_BYTES: usize = 400;

/// Starts its own successor in a session of its own, and ends.
const WALK: &str = "[ $1 = 0 ] || setsid sh ./walk $(($1 - 1)) </dev/null >/dev/null 2>&1 &\n";

/// What a dyno does after its lines. `CLEARED` is a command whose environment has only the mark by which the harness
/// finds it.
const HABITS: [&str; 13] = [
    "exec sleep 1000",
    "exit 3",
    "kill -9 $$",
    "kill -34 $$",
    "setsid sleep 1000 & exit 4",
    "CLEARED setsid sleep 1000 </dev/null >/dev/null 2>&1 & exec sleep 1000",
    "sleep 1000 & kill -STOP $! $$",
    "trap '' TERM; sleep 1000; sleep 1000",
    "setsid sh ./walk 100000 & exec sleep 1000",
    "setsid sh ./walk 100000 & exit 5",
    "CLEARED setsid sh ./walk 100000 & exec sleep 1000",
    "(CLEARED setsid sh -c \"trap '' TERM; sleep 1000; sleep 1000\" </dev/null >/dev/null 2>&1 &); exit 6",
    "(CLEARED setsid sh -c '. ./chatter; exec sleep 1000' </dev/null &); exec sleep 1000",
];

/// Copies the output, byte by byte, as the `read` of a shell does.
const BY_BYTE: &str = "while IFS= read -r line; do printf '%s\\n' \"$line\"; done";

/// Copies the output in pieces that end anywhere.
const BY_PIECE: &str = "exec dd bs=600 2>/dev/null";

/// Copies one line and then reads nothing until it is released.
const STANDING_STILL: &str = "IFS= read -r line && printf '%s\\n' \"$line\"; read -r _ <go; exec cat";

const READERS: [&str; 3] = [BY_BYTE, BY_PIECE, STANDING_STILL];

/// How a round ends.
const ENDS: [End; 7] = [
    End::Signal(Signal::SIGTERM),
    End::Signal(Signal::SIGINT),
    End::Signal(Signal::SIGHUP),
    End::Signal(Signal::SIGQUIT),
    End::MainKilled,
    End::GuardianKilled,
    End::GuardianStopped,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Signal(Signal),
    MainKilled,
    GuardianKilled,
    GuardianStopped,
}

/// xorshift64*: the same rounds for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let mixed = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32;
        usize::try_from(mixed).unwrap() % end
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().map_or(default, |text| text.parse().unwrap())
}

#[test]
fn a_random_mix_leaves_no_process_and_loses_no_line() {
    let (first, rounds) = (number("DYNO_MIX_SEED", 1), number("DYNO_MIX_ROUNDS", ROUNDS));
    for seed in first..first + rounds {
        let round = std::panic::catch_unwind(|| round(&mut Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)));
        assert!(round.is_ok(), "DYNO_MIX_SEED={seed} DYNO_MIX_ROUNDS=1 repeats this");
    }
}

fn round(random: &mut Random) {
    let types = 1 + random.below(4);
    let habits: Vec<&str> = (0..types).map(|_| random.pick(&HABITS)).collect();
    let end = random.pick(&ENDS);
    let reader = random.pick(&READERS);
    let pad = if reader == BY_BYTE { String::new() } else { format!(" {}", "x".repeat(PAD_BYTES)) };
    let line = |(index, habit): (usize, &&str)| format!("t{index}: . ./chatter; >ready-$DYNO; {habit}\n");
    let procfile: String = habits.iter().enumerate().map(line).collect();
    let app = App::new(&procfile.replace("CLEARED", &format!("env -i {MARK}=${MARK}")))
        .file("chatter", CHATTER.replace("$PAD", &pad))
        .file("walk", WALK)
        .fifo("shown")
        .fifo("go");
    let mut call = app.dyno(["start", "-t", "0.5", "--no-timestamps", "--log-dir", "log"]);
    if random.below(2) == 0 {
        call = call.args(&["--restart"]);
    }
    let shown = app.path("shown.txt");
    let mut copy = copy(&app, reader);
    let stdout = File::options().write(true).open(app.path("shown")).unwrap();
    if reader != BY_BYTE {
        fcntl(&stdout, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
    }
    let dyno = call.stdout_to(stdout).spawn();

    // Not whether it has processes: before its exec it has none that can be recognised.
    let has_ended = || process_table::stat(dyno.main()).is_none_or(|(state, _)| state == 'Z');
    // A dyno that exits by itself may stop everything before another one has started.
    let is_ready = |index: usize| app.has(&format!("ready-t{index}.1")) || has_ended();
    if reader == STANDING_STILL {
        let waits = || dyno.of_dynos().iter().any(|process| process_table::waits_to_write(process.pid));
        dyno.until("a dyno waits for the reader, or is ready", || waits() || (0..types).any(is_ready));
        app.release("go");
    }
    for index in 0..types {
        dyno.until(&format!("t{index}.1 is ready, or `dyno` has ended"), || is_ready(index));
    }
    let finished = stop(dyno, end);
    copy.wait().unwrap();

    let text = fs::read_to_string(&shown).unwrap();
    let context = format!("{habits:?} ended with {:?}, {}", finished.ended, finished.stderr());
    let (of_dynos, of_all) = log_files(&app);
    let lost = bytes_lost(&finished.stderr());
    if lost > 0 {
        // The signal came after all dynos had ended. Then it means that `dyno` must not wait for the reader.
        assert!(matches!(end, End::Signal(_)), "{context}\n{text}");
        assert_eq!(text.len() + lost, of_all.len(), "{context}\n{text}");
        lines_of_runs(&text, &context);
    } else {
        assert_complete(&app, end, &text, &format!("the output, {context}\n{text}"));
    }
    for (place, text) in [("the files of the dynos", of_dynos), ("all.log", of_all)] {
        assert_complete(&app, end, &text, &format!("{place}, {context}\n{text}"));
    }
}

/// How many bytes of output were lost, as reported.
fn bytes_lost(stderr: &str) -> usize {
    let report = stderr.lines().find_map(|line| line.strip_prefix("error: ")?.split_once(" bytes of output were lost"));
    report.map_or(0, |(bytes, _)| bytes.parse().unwrap())
}

/// Asserts that every run which has written all its lines is complete in this text, and that no other run has a gap.
fn assert_complete(app: &App, end: End, text: &str, context: &str) {
    let shown = lines_of_runs(text, context);
    if end != End::MainKilled {
        for entry in fs::read_dir(app.path("")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let Some(pid) = name.strip_prefix("done-") else { continue };
            assert_eq!(shown.get(pid), Some(&LINES), "run {pid} in {context}");
        }
    }
}

/// The log files of all dynos, one after another, and `all.log`.
fn log_files(app: &App) -> (String, String) {
    let (mut of_dynos, mut of_all) = (String::new(), String::new());
    for entry in fs::read_dir(app.path("log")).into_iter().flatten() {
        let entry = entry.unwrap();
        let text = fs::read_to_string(entry.path()).unwrap();
        if entry.file_name() == "all.log" { &mut of_all } else { &mut of_dynos }.push_str(complete_lines(&text));
    }
    (of_dynos, of_all)
}

/// The text without a last line that has no end: `kill -9` of `dyno` may interrupt a write.
fn complete_lines(text: &str) -> &str {
    text.rfind('\n').map_or("", |end| &text[..=end])
}

/// Copies the output to a file.
fn copy(app: &App, reader: &str) -> Child {
    let mut sh = Command::new("sh");
    let script = format!("exec <shown >shown.txt; {reader}");
    fork(sh.args(["-c", &script]).current_dir(app.path("")).stdin(Stdio::null()))
}

fn stop(dyno: Running, end: End) -> Finished {
    let guardian = || process_table::children(dyno.main()).first().copied();
    let signal = |pid: i32, signal: Signal| {
        let _ = kill(Pid::from_raw(pid), signal);
    };
    match end {
        End::Signal(sent) => signal(dyno.main(), sent),
        End::MainKilled => signal(dyno.main(), Signal::SIGKILL),
        End::GuardianKilled => {
            if let Some(pid) = guardian() {
                signal(pid, Signal::SIGKILL);
            }
        }
        End::GuardianStopped => {
            if let Some(pid) = guardian() {
                signal(pid, Signal::SIGSTOP);
            }
            signal(dyno.main(), Signal::SIGTERM);
        }
    }
    dyno.finish()
}

/// How many lines of each run were shown, by pid. Asserts that they are numbered 1, 2, 3 … without a gap.
fn lines_of_runs<'a>(text: &'a str, context: &str) -> BTreeMap<&'a str, usize> {
    let mut shown = BTreeMap::new();
    for (_, line) in complete_lines(text).lines().filter_map(|line| line.split_once("| line ")) {
        let mut words = line.split(' ');
        let (pid, number) = (words.next().unwrap(), words.next().unwrap());
        let count = shown.entry(pid).or_insert(0);
        *count += 1;
        assert_eq!(number.parse(), Ok(*count), "run {pid} in {context}");
    }
    shown
}
