//! `dynorun`, the library behind the binary `dyno`: the Heroku runtime on a developer's machine.
//!
//! # The idea
//!
//! 1. A [`supervisor::Supervisor`] is a plain value: `handle(event, now)` changes it and returns effects;
//!    `next_deadline()` says when to call it again with `Tick`. It has no clock, no channel, no file, no process.
//! 2. A [`guardian`] process, tiny and single-threaded, is the only one that spawns. It makes sure that no process
//!    outlives the run, no matter which process dies first.
//! 3. A thin [`runtime`] turns what happens on the system into events, and effects into system calls. It decides
//!    nothing.
//! 4. Log bytes never pass through the supervisor: dyno -> pipe or pty -> [`logs::Lines`] -> hub thread. Decisions
//!    never wait for bytes, bytes never wait for decisions.
//! 5. The core is pure: text in, values out ([`app`]); bytes in, bytes out ([`logs`]); event in, effects out
//!    ([`supervisor`]). Nearly everything is therefore tested without a process, a port or a sleep.
//!
//! # Who may import whom
//!
//! ```text
//! model  <-  error, app, logs, terminal, watch                         pure
//! model, app  <-  release                                              pure
//! model, app, release, error  <-  supervisor                           pure
//! model, app, release, terminal, supervisor  <-  api                   pure
//! model, supervisor  <-  routing                                       pure
//! model, app, release, supervisor  <-  export                          pure
//! error  <-  mcp                                                       pure
//! model, supervisor, error  <-  smoke                                  pure
//! model, logs, supervisor, smoke  <-  reports                          pure
//! model, error  <-  guardian                                           nix and libc only: no tokio, no threads
//! model, app, terminal, export, error  <-  cli                               no tokio, no threads
//! model, app, release, logs, supervisor, cli, error  <-  settings      no tokio, no threads
//! model, app, release, settings, error  <-  project
//! model, error, release, logs, terminal, supervisor, watch, smoke, api, routing, guardian, project  <-  runtime
//! supervisor, project, runtime, error  <-  console
//! model, app, api, cli, error, supervisor, routing, project, runtime, console  <-  client
//! all of these  <-  commands  <-  main
//! ```
//!
//! There are no imports in the other direction, and none between `logs` and `supervisor`. `tests/tidy.rs` reads this table.
//! It also finds files of different folders that use each other in a circle, within a layer.
//!
//! # What happens at start-up
//!
//! `main` blocks all signals. `commands::start` forks the guardian before any thread exists, reads the files into a
//! [`release::Release`] (`project`), and turns options and `.foreman` into `settings::Settings`. From both, a
//! `project::StartPlan` decides which dynos run and on which ports, and finds what prevents the start;
//! `commands::check` builds the same plan and reports it. A [`release::Blueprint`] describes every dyno of the
//! [`supervisor::Plan`], and later every dyno that is added. Then [`runtime::run`] begins its loop with the event
//! `Boot`. For each `Effect::Spawn` the runtime creates a pipe or a pty and sends its other end to the guardian over a
//! socket (`SCM_RIGHTS`). The guardian forks, and reports `Spawned` once the program runs. An exec error comes back
//! over a pipe that a successful exec closes, so an exec that hangs, for example on a dead network file system, does
//! not block the guardian. The guardian reports `Exited`, and `Gone` when the last process of the run has ended. Only
//! after `Gone` may the dyno start again.
//!
//! `guardian::finder` decides which processes belong to a run, from a table of all descendants: a process belongs to
//! the run of its parent, and an orphan is assigned by the traces it carries (S6.10).
//!
//! The guardian executes the shell with the command line, or the program itself if the shell would do nothing but
//! execute it (S1.6): [`app::launch`] decides that once, in the specification of the dyno.
//!
//! When `dyno` is killed, the guardian sees the end of its socket and kills descendants until none is left. When the
//! guardian is killed, its descendants are reparented to `dyno` (both are subreapers), which does the same.
//!
//! `start --detach` forks once more, before everything else (`guardian::detach`): the new process becomes an ordinary
//! start that shows no log, and the one that was called waits for it. `runtime::launch` waits for the dynos like a
//! client of the API, gives the descriptors of the caller back and lets it return. If anything goes wrong before that,
//! everything is stopped.
//!
//! # Commands for a running app
//!
//! Each start leaves a locked description and a socket in the runtime directory (`runtime::start_registry`).
//! `client` reads the descriptions, [`api::meant_starts`] decides which starts are meant, and a blocking client
//! sends one HTTP request to each. In the start, `runtime::api_server` reads the request, [`api::ApiRequest`] decides what it
//! asks for, and the run loop answers: with a snapshot, or with the reply of the supervisor to a command. A client that waits
//! gets its answer as soon as a snapshot decides it; while it waits, `runtime::readiness` checks which dynos listen.
//! When it ends, a start leaves a summary ([`api::LastRun`]) for `dyno why`.
//!
//! With `--api` the same server listens on a TCP port as well, for the `heroku` CLI and other clients.
//! [`api::TcpAccess`] decides from the head of a request whether it is answered. A `runtime::client_socket` is a
//! connection of either kind.
//! For `heroku run`, `runtime::client_run` starts a one-off dyno (`api_run`), meets its client (`rendezvous`) over TLS (`tls`),
//! and connects the two (`attached_session`).
//!
//! `dyno attach` and `--focus` are one mechanism with different ends. A `runtime::run_input` carries keys to the terminal of a
//! run; a [`terminal::KeyReader`] decides with one of two tables what they mean. For `dyno attach`, in `runtime::attach`, the
//! output task of a dyno records what it writes in a `dyno_terminal`. The client (`commands::attach`, `attach_client`) asks for
//! it over HTTP (`terminal_requests`), and then reads from there at its own pace, in frames (`attach_session`).
//! [`terminal::ScreenRecord`] draws the last screenful when someone looks, not before, as `dyno screen` does
//! (`commands::screen`).
//!
//! `dyno router` is another process that finds the starts in the same way. It reads the head of each connection, and hands the
//! connection itself over to a start (`runtime::front_door`, `runtime::hand_over`), whose router then serves it.
//!
//! `dyno mcp` reads the requests of a program from stdin ([`mcp::read`]). Each tool is a command line that
//! `commands::mcp` runs with this binary, so that programs get the same answers as people.
//!
//! # A change while it runs
//!
//! `dyno reload` asks the start to read its files again. `commands::start` has given it a function for that, which
//! knows the options that were typed. `runtime::file_reading` calls that function in a thread, and
//! `runtime::api_reload` sends the release to the supervisor as a command. The root, the Procfile and the ports stay
//! those of the start (`project::StartOnly`, `release::Blueprint::succeeded_by`). `supervisor::deploy` runs the release
//! command while the formation goes on, then compares the specification of each dyno with the one that the new
//! [`release::Blueprint`] gives, and replaces only those that differ.
//!
//! `supervisor::releases` remembers what was deployed, and `supervisor::rollback` deploys it again.
//!
//! `dyno config:set` changes a `.env` file (`project::ConfigFile`, with the text from `app::edit_env`), and asks each start
//! that reads the file to do the same. `runtime::api_config` does both for a client of the API.
//!
//! `runtime::reload_watch` watches the same files for `--reload`, and `runtime::restart_watch` those of `--watch`. Both get
//! changes from `runtime::file_watcher`; [`watch`] decides when they have an effect.
//!
//! # A smoke test
//!
//! A [`smoke::Smoke`] is a client of the supervisor: it sees each event with its effects and the snapshot after it, and
//! sends commands. It waits until all dynos have stayed up for the settle time, has its command started as a one-off dyno,
//! has everything stopped, and reports the exit status and the reason for it. The guardian runs the command like a dyno,
//! but on the streams of `dyno` itself. When a dyno is up is decided as in any start: `model::Readiness` says whether it must
//! listen and answer over HTTP, and `runtime::readiness` checks it.
//!
//! # The rules
//!
//! `S6.2` in a comment or a test name is a rule of `docs/semantics.md`, which says what `dyno` does and why.
//!
//! # Where do I add X?
//!
//! | I want to add | go to |
//! |---|---|
//! | a subcommand | `cli`, one file in `commands`, a test in `tests/it` |
//! | an option | `cli`, its meaning in `settings` |
//! | a file of the app that is read | `project`, its parser in `app` |
//! | something on our own stdout or stderr | `console` |
//! | something that can happen to a dyno | `supervisor::Event` or `Effect`, then follow the compiler |
//! | something that can be asked of a running formation | `supervisor::Command`, then follow the compiler |
//! | a resource of the API | `api`, its path in `api::ApiRequest` |
//! | a mode of a terminal that clients must restore | `terminal::ScreenModes` |
//! | a tool for programs (`dyno mcp`) | `mcp::ToolKind` |
//! | something that a command asks of a running app | `client::RunningApp` |
//! | what a key means, or a frame of `dyno attach` | `terminal`: `KeyReader`, `TerminalFrame`, `AttachFrame` |
//! | a reason why an app cannot start | `project::StartPlan`, so that `check` reports it, too |
//! | a log format | `logs`, next to `text` |
//! | a report format of `smoke`, or a field in one | `reports`, one file for each format |
//! | what differs elsewhere (`dyno check --for`) | `export::moving` |
//! | a rule of the Procfile or of `.env` | its parser in `app` |
//! | a topic of `dyno help` | `cli::Topic`, a page in `docs`, `commands::topic` |
//! | a limit | the constant at the top of the file that enforces it |
//!
//! # Other systems
//!
//! Linux-only code is in `guardian` (`mapped_code`, `proc_mount`, `proc_table`, `spawn`, `sys`) and `runtime`. On other
//! systems only the pure layers are built, and the binary refuses to start.

pub mod api;
pub mod app;
pub mod error;
pub mod export;
pub mod logs;
pub mod mcp;
pub mod model;
pub mod release;
pub mod reports;
pub mod routing;
pub mod smoke;
pub mod supervisor;
pub mod terminal;
pub mod watch;

#[cfg(target_os = "linux")]
pub mod cli;
#[cfg(target_os = "linux")]
mod client;
#[cfg(target_os = "linux")]
pub mod commands;
#[cfg(target_os = "linux")]
mod console;
#[cfg(target_os = "linux")]
pub mod guardian;
#[cfg(target_os = "linux")]
mod project;
#[cfg(target_os = "linux")]
pub mod runtime;
#[cfg(target_os = "linux")]
mod settings;
