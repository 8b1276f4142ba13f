//! `dyno smoke`: runs the app for a test and ends with one line about the result.
//!
//! `supervisor::Smoke` decides the result, `request` the environment of the command, and `end` the output at the
//! end.

mod end;
mod report_files;
mod request;

use jiff::Timestamp;

use self::end::SmokeEnd;
use self::report_files::ReportFiles;
use super::start::look::{self, ShownOn};
use super::start::{self, Scope};
use crate::cli::{Cli, SmokeArgs};
use crate::error::Error;
use crate::reports::github;
use crate::reports::last_words::Reader;
use crate::runtime;
use crate::supervisor::Outcome;

pub(super) use self::request::SmokeRequest;

/// `dyno smoke`.
pub(super) fn run(cli: &Cli, args: &SmokeArgs) -> Result<Outcome, Error> {
    let github = look::is_read_by_github();
    carry_out(cli, args, github).inspect_err(|error| {
        if github {
            runtime::write_diagnostics(github::refusal(&error.to_string(), error.status().code()).as_bytes());
        }
    })
}

fn carry_out(cli: &Cli, args: &SmokeArgs, github: bool) -> Result<Outcome, Error> {
    let request = SmokeRequest::new(args, &cli.project(&args.project))?;
    let files = ReportFiles::open(args.junit.as_deref(), args.json.as_deref())?;
    let started = Timestamp::now();
    let ending = match start::carry_out(Scope::Smoke(&request), None, cli) {
        Ok(ending) => ending,
        Err(error) => {
            files.discard();
            return Err(error);
        }
    };
    if github {
        runtime::write_diagnostics(github::END_OF_GROUP.as_bytes());
    }
    start::report::report(&ending);
    let Some(report) = &ending.smoke else { return Ok(ending.outcome()) };
    let colors = look::has_colors(cli.color(), ShownOn::StderrForSmoke);
    let end = SmokeEnd { tails: &request.tails, files, started, reader: Reader { colors, github } };
    Ok(end.report(&ending, report))
}
