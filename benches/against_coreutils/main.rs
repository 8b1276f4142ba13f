//! Measures `dyno start` against `cat`, `sed`, a plain `sh` loop and nginx, and checks the results against limits.
//!
//! `cargo bench` runs everything; `cargo bench -- --quick idle stop` runs the named sections with fewer rounds. After a
//! warm-up, programs that are compared run alternately (A B A B …) and are compared pair by pair, so that a moment of
//! load on the machine slows down both. Exits with 1 if a limit is missed. The dynos are this program in another role.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a broken measurement should say where")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the table is the result")]

mod app;
mod background;
mod commands;
mod exec;
mod followers;
mod idle;
mod memory;
mod package;
mod placement;
mod ports;
mod processes;
mod roles;
mod router;
mod stop;
mod table;
mod throughput;
mod watch;

use std::process::ExitCode;
use std::time::SystemTime;

use table::Table;

/// How thoroughly to measure.
#[derive(Debug, Clone, Copy)]
struct Effort {
    /// Few rounds and little data, for rough figures.
    quick: bool,
}

impl Effort {
    /// `full` or `quick`, depending on the effort.
    fn of<T>(self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }
}

type Section = (&'static str, fn(Effort, &mut Table));

/// Throughput comes last: the system is still writing its files to disk for a while afterwards.
const SECTIONS: [Section; 12] = [
    ("idle", idle::measure),
    ("exec", exec::measure),
    ("ports", ports::measure),
    ("stop", stop::measure),
    ("commands", commands::measure),
    ("background", background::measure),
    ("watch", watch::measure),
    ("memory", memory::measure),
    ("followers", followers::measure),
    ("router", router::measure),
    ("package", package::measure),
    ("throughput", throughput::measure),
];

fn main() -> ExitCode {
    // Taken before anything else: one role reports it as the time of its exec.
    let begun = SystemTime::now();
    let words: Vec<String> = std::env::args().skip(1).collect();
    if roles::play(&words, begun) {
        return ExitCode::SUCCESS;
    }

    let mut effort = Effort { quick: false };
    let mut wanted = Vec::new();
    for word in words {
        match word.as_str() {
            // Added by cargo.
            "--bench" => {}
            "--quick" => effort.quick = true,
            name if SECTIONS.iter().any(|(section, _)| *section == name) => wanted.push(word),
            _ => {
                let names: Vec<&str> = SECTIONS.iter().map(|(name, _)| *name).collect();
                eprintln!("error: `{word}` is neither `--quick` nor one of {}", names.join(", "));
                return ExitCode::from(2);
            }
        }
    }
    let mut table = Table::default();
    for (name, measure) in SECTIONS {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            eprintln!("measuring {name} …");
            table.section(name);
            measure(effort, &mut table);
        }
    }
    println!("{table}");
    if table.all_met() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
