//! What a start refuses, a check reports, in the same words.

use std::fmt::Write;

use super::*;
use crate::app::EnvFile;
use crate::cli::StartArgs;
use crate::error::Complaint;
use crate::model::Environment;

/// The text of an app's files, and `PORT` of the shell.
#[derive(Debug, Default)]
struct AppText {
    procfile: String,
    env: String,
    foreman: String,
    shell_port: &'static str,
}

impl AppText {
    /// The plan of a start without options, or of a check.
    fn plan(&self, purpose: Purpose) -> StartPlan {
        let places = Places::with_foreman(self.foreman.as_bytes());
        let mut inherited = Environment::default();
        inherited.set("PORT", self.shell_port);
        let mut layers = Layers::new(inherited, false);
        layers.add_file(".env", EnvFile::parse(self.env.as_bytes(), &layers.scope()).expect("a readable .env"));
        let procfile = Procfile::parse(self.procfile.as_bytes()).expect("a readable Procfile");
        let files = PlanFiles::new(&places, "Procfile", procfile, layers);
        let settings = match purpose {
            Purpose::Check => Settings::of_files(&places.foreman),
            Purpose::Start | Purpose::Release | Purpose::Reload => {
                Settings::of_start(&StartArgs::default(), clap::ColorChoice::Auto, &places.foreman)
            }
        };
        StartPlan::build(&settings, files, purpose, Surroundings::none())
    }

    /// The errors of a plan: status and text.
    fn errors(&self, purpose: Purpose) -> Vec<(Status, Complaint)> {
        let plan = self.plan(purpose);
        let errors = plan.findings.iter().filter(|finding| finding.severity == Severity::Error);
        let errors: Vec<_> = errors.map(|finding| (finding.status, finding.complaint())).collect();
        assert_eq!(plan.dynos.is_none(), !errors.is_empty(), "{self:?}");
        errors
    }
}

fn app(procfile: &str, foreman: &str) -> AppText {
    AppText { procfile: procfile.to_owned(), foreman: foreman.to_owned(), ..AppText::default() }
}

fn facts(errors: &[(Status, Complaint)]) -> Vec<&str> {
    errors.iter().map(|(_, complaint)| complaint.fact.as_str()).collect()
}

#[test]
fn a_plan_has_the_dynos_their_ports_and_specifications() {
    let app = app("release: true\nweb: a\nworker: b\n", "formation: web=2\nport: 7000\n");
    let plan = app.plan(Purpose::Start);

    let dynos = plan.dynos.expect("nothing prevents the start");
    let shown = |dyno: &DynoName| {
        let spec = plan.blueprint.spec(dyno).expect("a specification");
        format!("{dyno} {} {:?}", spec.command_line, spec.port)
    };
    assert_eq!(dynos.release.as_ref().map(shown), Some("release.1 true None".to_owned()));
    let formation: Vec<String> = dynos.ports.iter().map(|(dyno, _)| shown(dyno)).collect();
    assert_eq!(formation, ["web.1 a Some(7000)", "web.2 a Some(7001)"]);
}

#[test]
fn a_start_stops_at_the_first_step_that_fails_and_a_check_goes_on() {
    let long = "x".repeat(140_000);
    let app = AppText { env: "PORT=abc\n".to_owned(), ..app(&format!("web: {long}\n"), "formation: wbe=1\n") };
    let fact = ".foreman:1: the Procfile has no process type `wbe`";
    let port = ".env:1: `PORT` is not a port number from 1 to 65535";
    let line = "Procfile:1: the command of `web` is 140006 bytes long, and the system allows 131072";

    assert_eq!(facts(&app.errors(Purpose::Start)), [fact]);
    assert_eq!(facts(&app.errors(Purpose::Check)), [fact, port, line]);
}

#[test]
fn a_check_also_measures_the_commands_that_do_not_run_yet() {
    let app = app(&format!("web: a\nbig: {}\n", "x".repeat(140_000)), "formation: web=1\n");

    assert_eq!(app.errors(Purpose::Start), []);
    let fact = "Procfile:2: the command of `big` is 140006 bytes long, and the system allows 131072";
    assert_eq!(facts(&app.errors(Purpose::Check)), [fact]);
}

/// The generator splitmix64, which gives the same numbers on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    fn one_in(&mut self, odds: u64) -> bool {
        self.below(odds) == 0
    }

    fn one_of(&mut self, choices: &[&'static str]) -> &'static str {
        usize::try_from(self.below(choices.len() as u64)).ok().and_then(|at| choices.get(at)).expect("a choice")
    }

    fn app(&mut self) -> AppText {
        let mut app = AppText::default();
        for name in ["release", "web", "worker", "css", "web"] {
            if !self.one_in(2) {
                continue;
            }
            let length = if self.one_in(60) { 131_060 + usize::try_from(self.below(20)).unwrap_or(0) } else { 1 };
            let _ = writeln!(app.procfile, "{name}: {}", "x".repeat(length));
        }
        if app.procfile.is_empty() || self.one_in(40) {
            // With the default base only 606 process types can have a port.
            for number in 0..605 + self.below(4) {
                let _ = writeln!(app.procfile, "t{number}: a");
            }
        }
        if self.one_in(3) {
            let port = self.one_of(&["abc", "0", "65500", "65535", "7000", "''"]);
            let _ = writeln!(app.env, "PORT={port}");
        }
        if self.one_in(200) {
            let value = "x".repeat(100_000);
            for number in 0..70 {
                let _ = writeln!(app.env, "K{number}={value}");
            }
        }
        for key in ["formation", "concurrency"] {
            if self.one_in(3) {
                let mut item = || {
                    let name = self.one_of(&["web", "worker", "css", "all", "release", "wbe"]);
                    format!("{name}={}", self.one_of(&["0", "0", "1", "2", "101", "1001", "x"]))
                };
                let _ = writeln!(app.foreman, "{key}: {},{}", item(), item());
            }
        }
        if self.one_in(4) {
            let _ = writeln!(app.foreman, "port: {}", self.one_of(&["65500", "65435", "8000"]));
        }
        app
    }
}

#[test]
fn s4_5_whatever_a_start_refuses_a_check_reports() {
    let mut random = Random(1);
    let (mut refused, mut started) = (0, 0);
    for _ in 0..400 {
        let mut app = random.app();
        let of_start = app.errors(Purpose::Start);
        // Another shell can have another value, so a check must not depend on it.
        app.shell_port = "65535";
        let of_check = app.errors(Purpose::Check);

        let shown = || format!("{app:?}\nstart: {of_start:#?}\ncheck: {of_check:#?}");
        for (at, (status, error)) in of_start.iter().enumerate() {
            // Only the hints can differ: a check has no options to suggest.
            let is_reported = of_check.iter().any(|(other, known)| (other, &known.fact) == (status, &error.fact));
            assert!(is_reported && !of_start.iter().take(at).any(|(_, known)| known == error), "{}", shown());
        }
        let is_once =
            |(at, error): (usize, &(Status, Complaint))| !of_check.iter().take(at).any(|known| known == error);
        assert!(of_check.iter().enumerate().all(is_once), "{}", shown());
        // Only the length of a command matters before its type runs.
        let may_run = |(_, error): &(Status, Complaint)| error.fact.contains("the system allows");
        assert!(!of_start.is_empty() || of_check.iter().all(may_run), "{}", shown());
        *if of_start.is_empty() { &mut started } else { &mut refused } += 1;
    }

    assert!(refused > 80 && started > 80, "{refused} refused, {started} started");
}
