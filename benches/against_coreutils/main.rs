//! Measures `dyno start` against `cat`, `sed` and a plain `sh` loop, and says which limits are reached.
//!
//! `cargo bench` runs all of it; `cargo bench -- --quick idle stop` runs few rounds of the sections named. What is
//! compared runs in turn (A B A B …) after a warm-up and is compared pair by pair, so that a machine that is busy for
//! a moment slows both sides. Ends with 1 if a limit is missed. The dynos it starts are this program in another role.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a broken measurement should say where")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the table is the result")]

mod app;
mod exec;
mod idle;
mod memory;
mod processes;
mod roles;
mod stop;
mod table;
mod throughput;

use std::process::ExitCode;
use std::time::SystemTime;

use table::Table;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Effort {
    /// Few rounds and little data: the figures are rough.
    quick: bool,
}

impl Effort {
    /// One of two amounts: for a full run and for a quick one.
    fn of<T>(self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }
}

type Section = (&'static str, fn(Effort, &mut Table));

/// Quiet ones first: the writes of the last go on in the background for a while.
const SECTIONS: [Section; 5] = [
    ("idle", idle::measure),
    ("exec", exec::measure),
    ("stop", stop::measure),
    ("memory", memory::measure),
    ("throughput", throughput::measure),
];

fn main() -> ExitCode {
    // First of all: in one role this is the moment that is reported.
    let begun = SystemTime::now();
    let words: Vec<String> = std::env::args().skip(1).collect();
    if roles::play(&words, begun) {
        return ExitCode::SUCCESS;
    }

    let mut effort = Effort { quick: false };
    let mut wanted = Vec::new();
    for word in words {
        match word.as_str() {
            // What cargo adds.
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
    if table.all_reached() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
