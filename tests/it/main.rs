//! Tests of the binary from the outside: processes, signals, terminals, bytes and exit statuses.
//!
//! Each file tests one behaviour. `app` prepares a temporary directory and starts `dyno` in it; `harness` watches the
//! run and has the only sleep; `process_table` finds every process of a run; `terminal` is a terminal that the test
//! controls.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may panic, and it starts the binary under test"
)]

mod addresses;
mod adopted;
mod api_faults;
mod api_replay;
mod api_schema;
mod api_tcp;
mod app;
mod app_json;
mod app_names;
mod attach;
mod attach_ends;
mod attach_faults;
mod attach_input;
#[cfg(feature = "attached-run")]
mod attached_run;
#[cfg(feature = "attached-run")]
mod attached_run_hard;
mod bad_input;
mod bad_input_hard;
mod binary;
#[cfg(feature = "browser")]
mod browser;
mod check_config;
mod check_for;
mod checkouts;
mod checkouts_many;
mod checkouts_odd;
mod comfort;
mod completions;
mod config_faults;
mod config_live;
mod config_set;
mod detached;
mod detached_faults;
mod docs_examples;
mod docs_quickstart;
mod drop_in;
mod env_values;
mod every_state;
mod explain;
mod export;
mod export_containers;
mod export_faults;
mod file_messages;
mod first_hour_cli;
mod first_hour_files;
mod first_hour_run;
mod first_hour_words;
mod focus;
mod focus_ends;
#[cfg(feature = "real-apps")]
mod focus_real_apps;
mod front_door;
mod front_door_ends;
mod front_door_odd;
mod guardian_killed;
mod harness;
mod held_back;
mod help_topics;
mod heroku;
mod json;
mod json_answers;
mod left_running;
mod log_files;
mod logs;
mod ls;
mod mcp;
mod messages;
mod migration;
mod mix;
mod odd_env_files;
mod one_off;
mod orphans;
mod other_names;
mod other_users;
mod output;
mod output_ends;
mod output_flow;
mod output_streams;
mod packages;
mod pid_reuse;
mod places;
mod ports;
mod ports_auto;
mod precedence;
mod process_table;
mod profile;
mod read_only;
#[cfg(feature = "real-apps")]
mod real_apps;
#[cfg(feature = "real-apps")]
mod real_apps_attach;
#[cfg(feature = "real-apps")]
mod real_apps_checkouts;
#[cfg(feature = "real-apps")]
mod real_apps_clients;
#[cfg(feature = "real-apps")]
mod real_apps_daemons;
#[cfg(feature = "real-apps")]
mod real_apps_databases;
#[cfg(feature = "real-apps")]
mod real_apps_editors;
#[cfg(feature = "real-apps")]
mod real_apps_export_containers;
#[cfg(feature = "real-apps")]
mod real_apps_export_engines;
#[cfg(feature = "real-apps")]
mod real_apps_export_hosts;
#[cfg(feature = "real-apps")]
mod real_apps_export_life;
#[cfg(feature = "real-apps")]
mod real_apps_export_probe;
#[cfg(feature = "real-apps")]
mod real_apps_formation;
#[cfg(feature = "real-apps")]
mod real_apps_heroku;
#[cfg(feature = "real-apps")]
mod real_apps_kernel;
#[cfg(feature = "real-apps")]
mod real_apps_reload;
#[cfg(feature = "real-apps")]
mod real_apps_router;
#[cfg(feature = "real-apps")]
mod real_apps_router_web;
#[cfg(feature = "real-apps")]
mod real_apps_shells;
#[cfg(feature = "real-apps")]
mod real_apps_smoke;
#[cfg(feature = "real-apps")]
mod real_apps_ssh;
mod release;
mod releases;
mod reload;
mod reload_faults;
mod reload_files;
mod reload_other_files;
mod reload_ports;
mod reload_races;
mod reload_starts;
mod reload_watch;
mod resources;
mod restart;
mod router;
mod router_hold;
mod router_limits;
mod router_log;
mod router_memory;
mod router_shortage;
mod router_start;
mod router_stop;
mod router_tunnels;
mod run_detached;
#[cfg(feature = "real-apps")]
mod run_terminal;
mod running;
mod scaling;
mod screen;
mod secrets;
mod several_starts;
mod signals;
mod signals_hard;
mod smoke;
mod smoke_address;
mod smoke_ci;
mod smoke_failures;
mod smoke_options;
mod smoke_progress;
mod smoke_report_files;
mod smoke_reports;
mod smoke_signals;
mod smoke_stdin;
mod start;
mod start_and_check;
mod start_http;
mod start_order;
mod stop_order;
mod storm;
mod system_messages;
mod tcp_client;
mod terminal;
mod texts;
mod umask;
mod usage;
mod version;
mod wait;
mod watch;
mod watch_places;
mod watch_rules;
mod why;
#[cfg(feature = "real-apps")]
mod window;
mod without_shell;
mod without_terminal;
