//! `dyno check`: checks the files of an app (S1.4, S1.5, S2.6, S2.8).
//!
//! Exits with 78 if something the user wrote has no effect, even if `start` only warns. Under the names of other tools
//! only an unusable file fails the check, as with those tools.

mod moving;

use serde::Serialize;

use super::start::checkout::{Checkout, Need};
use crate::app::{EnvEntry, Procfile, Severity};
use crate::cli::{CheckArgs, Cli};
use crate::console::diagnostics;
use crate::console::stdout;
use crate::error::{Error, Status};
use crate::model::Dialect;
use crate::project::files::{self, EnvText};
use crate::project::ports;
use crate::project::programs;
use crate::project::strict_reader::{self, Difference, difference};
use crate::project::{AppJsonFile, FileReader, Finding, Findings, Places, PlanFiles, Purpose, StartPlan, Surroundings};
use crate::release::Release;
use crate::settings::Settings;
use crate::supervisor::Outcome;

/// The result as JSON.
#[derive(Debug, Serialize)]
struct Report<'a> {
    process_types: Vec<Type<'a>>,
    problems: Vec<CheckedProblem<'a>>,
}

#[derive(Debug, Serialize)]
struct Type<'a> {
    name: &'a str,
    command: String,
    line: usize,
}

#[derive(Debug, Serialize)]
struct CheckedProblem<'a> {
    /// `error` fails the check, `note` does not.
    severity: &'static str,
    file: &'a str,
    /// 1-based; null: the file as a whole, or a directory.
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    message: &'a str,
    hint: &'a str,
}

pub(super) fn run(cli: &Cli, args: &CheckArgs) -> Result<Outcome, Error> {
    crate::runtime::unblock_all();
    let mut findings = Findings::default();
    let Some(places) = Places::find(cli.project(&args.project).into(), cli.dialect, &mut findings) else {
        findings.sort_by_line();
        let fails = |finding: &Finding| finding.severity.fails_check();
        if args.json {
            write_report(None, &findings, fails)?;
        } else {
            findings.iter().for_each(|finding| diagnostics::show_finding(fails(finding), &finding.complaint()));
        }
        return Ok(Outcome::Code(cli.dialect.status(Status::Config.code())));
    };
    let settings = Settings::of_check(args, &places.foreman);
    let reader = FileReader::announcing(&diagnostics::print_line);
    let (layers, texts) = files::layers_with_texts(&places, &settings.variables, &reader, &mut findings)?;
    let found = files::procfile_path(&places, &layers);
    if let Some(other) = files::procfile_dev(&places, &found) {
        findings.push(other);
    }
    let procfile = files::procfile(&places, &found, &mut findings);
    let plan = if let Some(procfile) = procfile {
        let files = PlanFiles::new(&places, &found.name, procfile, layers);
        let mut plan = StartPlan::build(&settings, files, Purpose::Check, Surroundings::none());
        findings.append(std::mem::take(&mut plan.findings));
        Some(plan)
    } else {
        ports::base(&settings.ports, &places, &layers, &mut findings);
        None
    };
    let release = plan.as_ref().map(|plan| plan.blueprint.release());
    let procfile = release.map(|release| &release.procfile);
    // Scripts that call another tool expect no notes.
    if cli.dialect == Dialect::Dyno {
        if let Some(Release { procfile, layers, .. }) = release {
            programs::find(&found.name, procfile, layers, places.dyno_directory(), &mut findings);
        }
        let app_json = AppJsonFile::read(&places, &mut findings);
        if let Some(Release { procfile, layers, .. }) = release {
            app_json.note_everything(&procfile.formation_types(), layers, args.strict, &mut findings);
        }
        note_names(&texts, &mut findings);
        compare(&texts, args.strict, &mut findings);
        if let (Some(target), Some(plan)) = (args.target, &plan) {
            let app = Checkout::of(&places, &found.path, &settings.names, Need::Look).app_name();
            let planned = (found.name.as_str(), &plan.blueprint, plan.dynos.as_ref());
            moving::find((target, args.strict), planned, (&settings, &app), &mut findings)?;
        }
    }
    findings.sort_by_line();

    let repeats = procfile.map(Procfile::repeats).unwrap_or_default();
    let repeats_name = |finding: &Finding| {
        let is_repeat = finding.line.is_some_and(|line| repeats.contains(&line));
        is_repeat && finding.file == found.name && finding.severity == Severity::Defect
    };
    let fails = |finding: &Finding| match cli.dialect {
        Dialect::Dyno | Dialect::HerokuLocal => finding.severity.fails_check(),
        Dialect::Foreman => finding.severity == Severity::Error,
        Dialect::Honcho => finding.severity == Severity::Error || repeats_name(finding),
    };
    let failed = findings.iter().any(fails);
    let written = if args.json {
        write_report(procfile, &findings, fails)?
    } else {
        findings.iter().for_each(|finding| diagnostics::show_finding(fails(finding), &finding.complaint()));
        if failed { Outcome::Code(0) } else { say_valid(cli.dialect, procfile)? }
    };
    Ok(if failed { Outcome::Code(cli.dialect.status(Status::Config.code())) } else { written })
}

/// The text that scripts look for, on the stream that they read.
fn say_valid(dialect: Dialect, procfile: Option<&Procfile>) -> Result<Outcome, Error> {
    let entries = procfile.map(Procfile::entries).unwrap_or_default();
    let names: Vec<&str> = entries.iter().map(|entry| entry.process_type.as_str()).collect();
    let names = names.join(", ");
    match dialect {
        Dialect::Dyno | Dialect::Foreman | Dialect::HerokuLocal => {
            stdout::write(&format!("valid procfile detected ({names})\n"))
        }
        Dialect::Honcho => {
            diagnostics::print_line(&format!("Valid procfile detected ({names})"));
            Ok(Outcome::Code(0))
        }
    }
}

/// Notes on variables that a dyno gets, but that its shell may not pass on to the program.
fn note_names(texts: &[EnvText], findings: &mut Findings) {
    for text in texts {
        let is_used = |entry: &&EnvEntry| text.file.get(&entry.key).is_some_and(|last| std::ptr::eq(last, *entry));
        let odd = text.file.entries().iter().filter(is_used).filter(|entry| !entry.passes_every_shell());
        findings.push_limited(odd.map(|entry| {
            let message =
                format!("`{}` is not a name that every shell accepts: `/bin/sh` may drop the variable", entry.key);
            let hint = "use A-Z a-z 0-9 _ and do not start with a digit";
            Finding::new(Severity::Warning, &text.name, entry.line, message, hint).about(&entry.key)
        }));
    }
}

/// Notes the entries that a strict reader treats differently. JSON files have no such entries.
fn compare(texts: &[EnvText], strict: bool, findings: &mut Findings) {
    let severity = if strict { Severity::Defect } else { Severity::Warning };
    for text in texts.iter().filter(|text| text.bytes.trim_ascii_start().first() != Some(&b'{')) {
        findings.push_limited(text.file.entries().iter().filter_map(|entry| {
            let message = match difference(&text.bytes, entry)? {
                Difference::Refuses => format!("a strict .env reader rejects `{}`", entry.key),
                Difference::ReadsAnotherValue => {
                    format!("a strict .env reader reads a different value for `{}`", entry.key)
                }
            };
            Some(Finding::new(severity, &text.name, entry.line, message, strict_reader::HINT).about(&entry.key))
        }));
    }
}

fn write_report(
    procfile: Option<&Procfile>,
    findings: &Findings,
    fails: impl Fn(&Finding) -> bool,
) -> Result<Outcome, Error> {
    let entries = procfile.map(Procfile::entries).unwrap_or_default();
    let process_types = entries.iter().map(|entry| Type {
        name: entry.process_type.as_str(),
        command: entry.command_line().into_owned(),
        line: entry.line,
    });
    let problems = findings.iter().map(|finding| CheckedProblem {
        severity: if fails(finding) { "error" } else { "note" },
        file: &finding.file,
        line: finding.line,
        key: finding.key.as_deref(),
        message: &finding.message,
        hint: &finding.hint,
    });
    let report = Report { process_types: process_types.collect(), problems: problems.collect() };
    stdout::write_json(&report)
}
