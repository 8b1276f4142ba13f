//! What `dyno why` knows about starts that have ended, from the summaries that they left.

use super::Explained;
use crate::api::{LastRun, StartDescription, WhyResource};
use crate::cli::{Cli, WhyArgs};
use crate::client::{Failure, whereabouts};
use crate::runtime::RuntimeDirectory;
use crate::supervisor::LifeStage;

/// The starts of this app that have ended, the latest one first.
pub(super) struct LastRuns(Vec<LastRun>);

impl LastRuns {
    pub(super) fn find(cli: &Cli, args: &WhyArgs) -> Self {
        Self(Self::remembered(cli, args).unwrap_or_default())
    }

    fn remembered(cli: &Cli, args: &WhyArgs) -> Option<Vec<LastRun>> {
        let directory = RuntimeDirectory::open_existing().ok().flatten()?;
        let place = whereabouts(cli.project_before(), &args.running).ok()?;
        let is_wanted = |run: &LastRun| {
            let start = &run.start;
            let is_here =
                place.directories.contains(&start.root) || place.directories.first() == Some(&start.directory);
            place.root.as_ref().map_or(is_here, |root| *root == start.root)
                && place.procfile.as_ref().is_none_or(|procfile| *procfile == start.procfile)
        };
        Some(directory.last_runs().into_iter().filter(is_wanted).collect())
    }

    /// The dynos with these names, or all dynos if there are no names. None: no start is remembered.
    ///
    /// # Errors
    /// Status 2: no start had a dyno or process type of this name.
    pub(super) fn explain(&self, names: &[&str]) -> Option<Result<Vec<Explained>, Failure>> {
        if self.0.is_empty() {
            return None;
        }
        if names.is_empty() {
            return Some(Ok(self.last_of_each()));
        }
        let mut all = Vec::new();
        for name in names {
            let found = self.named(name, |_| true);
            if found.is_empty() {
                let dynos = self.0.iter().flat_map(|run| &run.dynos);
                let known = dynos.flat_map(|why| [why.dyno.process_type.as_str(), why.dyno.name.as_str()]);
                return Some(Err(Failure::unknown_past_name(name, known)));
            }
            all.extend(found);
        }
        Some(Ok(all))
    }

    /// The dynos with this name, from the latest start that had any. Only starts that ended after `start` began are
    /// searched.
    pub(super) fn since(&self, start: &StartDescription, name: &str) -> Vec<Explained> {
        self.named(name, |run| run.ended_at_ms > start.started_at_ms)
    }

    fn named(&self, name: &str, is_wanted: impl Fn(&LastRun) -> bool) -> Vec<Explained> {
        let is_named = |why: &&WhyResource| why.dyno.name == name || why.dyno.process_type == name;
        let run = self.0.iter().filter(|run| is_wanted(run)).find(|run| run.dynos.iter().any(|why| is_named(&why)));
        let Some(run) = run else { return Vec::new() };
        run.dynos.iter().filter(is_named).map(|why| from_summary(why, run)).collect()
    }

    /// The dynos of all starts. Each process type is taken from the latest start that had it.
    fn last_of_each(&self) -> Vec<Explained> {
        let mut all = Vec::new();
        for (at, run) in self.0.iter().enumerate() {
            let later = || self.0.iter().take(at).flat_map(|later| &later.dynos);
            let is_last = |why: &&WhyResource| later().all(|known| known.dyno.process_type != why.dyno.process_type);
            all.extend(run.dynos.iter().filter(is_last).map(|why| from_summary(why, run)));
        }
        all
    }
}

fn from_summary(why: &WhyResource, run: &LastRun) -> Explained {
    let file = |directory: &String| StartDescription::path(directory).join(format!("{}.log", why.dyno.name));
    let log_file = run.start.log_directory.as_ref().filter(|_| run.killed_pid().is_none());
    let mut why = why.clone();
    (why.dyno.pid, why.stage) = (None, LifeStage::Down);
    Explained {
        log_file: log_file.map(|directory| file(directory).display().to_string()),
        why,
        ended_at: jiff::Timestamp::from_millisecond(run.ended_at_ms).ok().map(|at| at.to_string()),
        ended_with: Some(run.status),
        end_reason: run.reason.clone(),
        killed_pid: run.killed_pid(),
        ..Explained::default()
    }
}
