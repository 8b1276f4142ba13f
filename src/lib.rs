//! `dynorun`, the library behind the binary `dyno`: the Heroku runtime on a developer's machine.
//!
//! # The idea
//!
//! 1. A [`supervisor::Supervisor`] is a plain value: `handle(event, now)` changes it and returns effects;
//!    `next_deadline()` says when to call it again with `Tick`. It has no clock, no channel, no file, no process.
//! 2. A [`guardian`] process, tiny and single-threaded, is the only one that spawns. It exists so that no process outlives
//!    the run, whoever dies first.
//! 3. A thin [`runtime`] turns the world into events and effects into system calls. It decides nothing.
//! 4. Log bytes never pass through the supervisor: dyno -> pipe or pty -> [`logs::Lines`] -> hub thread. Decisions never
//!    wait for bytes, bytes never wait for decisions.
//! 5. What is pure stays pure: text in, values out ([`app`]); bytes in, bytes out ([`logs`]); event in, effects out
//!    ([`supervisor`]). So nearly everything is tested without a process, a port or a sleep.
//!
//! # Who may import whom
//!
//! ```text
//! error: the exit statuses, for any layer but app and logs   pure
//! app  <-  logs                                      pure
//! app  <-  supervisor                                pure
//! app, logs, supervisor  <-  reports                 pure
//! app  <-  guardian                                  nix and libc only: no tokio, no threads
//! app, logs, supervisor, guardian  <-  runtime  <-  commands  <-  main
//! cli: commands and main only; reports: commands only
//! ```
//!
//! No arrow back, none between `logs` and `supervisor`. `tests/tidy.rs` keeps this by machine.
//!
//! # Flow of a start
//!
//! `main` blocks all signals, `commands::start` forks the guardian before any thread exists, reads the files into a
//! [`supervisor::Plan`] and a [`supervisor::Policy`] and calls [`runtime::run`]. The loop feeds `Boot`; each
//! `Effect::Spawn` makes a pipe or a pty whose other side travels to the guardian over a socket (`SCM_RIGHTS`); the
//! guardian forks and reports `Spawned` when the program runs: an error comes back over a pipe that the exec closes, so that
//! a program on a dead file system blocks nothing. It reports `Exited` and, when the last process of the run is gone,
//! `Gone`. Only `Gone` lets a dyno start again. Which processes a run consists of is decided by `guardian::finder` over a
//! table of all descendants: a process belongs to the run of its parent, and an orphan shows where it comes from (S6.10).
//! What it executes is the shell with the line; where the shell would do nothing but execute one program, it is that
//! program (S1.6): [`app::without_shell`].
//!
//! When `dyno` is killed, the guardian reads the end of its socket and kills every descendant until the system says there
//! is none. When the guardian is killed, its descendants fall to `dyno` (both are subreapers), which does the same.
//!
//! # A smoke
//!
//! [`supervisor::Smoke`] stands between the runtime and a supervisor: it holds back readiness until a dyno has answered
//! over HTTP, waits until all were up for a moment, has the command started, and says in the end with which status and
//! for which reason it was over. The command runs through the guardian like a dyno, on the streams of `dyno`.
//!
//! # The rules
//!
//! `S6.2` in a comment or a test name is a rule of `docs/semantics.md`: what `dyno` does, with the reasons.
//!
//! # Where do I add X?
//!
//! | I want to add | go to |
//! |---|---|
//! | a subcommand | `cli`, one file in `commands`, a test in `tests/it` |
//! | something a dyno can do or suffer | `supervisor::Event` or `Effect`, then follow the compiler |
//! | a log format | `logs`, next to `text` |
//! | a form in which a smoke is reported, or a field of one | `reports`, one file for each |
//! | a rule of the Procfile or of `.env` | its reader in `app` |
//! | a topic of `dyno help` | `cli::Topic`, a page in `docs`, `commands::topic` |
//! | a limit | the constant at the top of the file that enforces it |
//!
//! # Other systems
//!
//! What is Linux alone stands in `guardian` (`proc_table`, `spawn`, `sys`) and `runtime`. Elsewhere only the pure layers
//! are built, and the binary refuses to start.

pub mod app;
pub mod error;
pub mod logs;
pub mod reports;
pub mod supervisor;

#[cfg(target_os = "linux")]
pub mod cli;
#[cfg(target_os = "linux")]
pub mod commands;
#[cfg(target_os = "linux")]
pub mod guardian;
#[cfg(target_os = "linux")]
pub mod runtime;
