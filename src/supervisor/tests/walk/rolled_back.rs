//! Rollbacks: which are accepted, what each must run, and when a saved file undoes one.

use super::deployed::Deployed;
use super::dyno::Kind;
use super::model::Model;
use super::new_release::NewRelease;
use super::scenario::TYPES;
use super::*;

impl Model {
    /// A rollback to any release, and sometimes to one that does not exist.
    pub(super) fn some_rollback(&self, pick: usize, elsewhere: usize) -> Command {
        let version = u32::try_from(pick % (self.deployed.releases.len() + 2)).unwrap();
        let elsewhere = TYPES.iter().enumerate().filter(|(place, _)| elsewhere >> place & 7 == 1);
        Command::Rollback { version, elsewhere: elsewhere.map(|(_, name)| process_type(name)).collect() }
    }

    pub(super) fn on_rollback(&mut self, version: u32, elsewhere: &[ProcessType], now: Now) -> Result<Reply, Refusal> {
        let last = u32::try_from(self.deployed.releases.len()).unwrap();
        if version == 0 || version > last {
            return Err(Refusal::UnknownRelease { version, known: (1..=last).collect() });
        }
        let earlier = self.deployed.releases[version as usize - 1];
        if earlier.status != ReleaseStatus::Succeeded {
            return Err(Refusal::NeverRan { version, status: earlier.status });
        }
        let mut added = earlier.release.added;
        for place in (0..3).filter(|place| elsewhere.contains(&process_type(TYPES[*place]))) {
            added[place] = 0;
        }
        self.on_deploy(NewRelease { added, ..earlier.release }, DeployOrigin::Rollback { to: version }, now)
    }

    /// A dyno runs exactly what its release says: the command, and the environment.
    pub(super) fn compare_program(&self, index: usize, spec: &DynoSpec) -> Result<(), Broken> {
        let dyno = &self.dynos[index];
        let variable = spec.environment.get(b"LEVEL").map(|level| String::from_utf8_lossy(level.reveal()).into_owned());
        let line = &*spec.command_line;
        let expected = match dyno.kind {
            Kind::Formation => {
                let name = dyno.name.process_type.as_str();
                (dyno.program.command_line(name), dyno.program.variable())
            }
            Kind::Release => ("./release".to_owned(), self.deployed.to_come().variable()),
            Kind::OneOff => return Ok(()),
        };
        rule!(
            (line, variable.as_ref()) == (&*expected.0, expected.1.as_ref()),
            "{} must run {expected:?}, not `{line}` with {variable:?}",
            dyno.name
        );
        Ok(())
    }
}

impl Deployed {
    /// The release whose command runs.
    fn to_come(&self) -> NewRelease {
        self.deploying.map_or(self.running, |accepted| accepted.release)
    }

    /// Whether these files are saved as they were before a rollback.
    pub(super) fn keeps_rollback(&self, files: NewRelease, origin: DeployOrigin) -> bool {
        let last = self.last().map_or(self.current, |accepted| accepted.version);
        let is_rollback = matches!(self.releases[last as usize - 1].origin, DeployOrigin::Rollback { .. });
        origin == DeployOrigin::SavedFile && is_rollback && self.files.difference(files).is_empty()
    }

    /// The formation runs on the release that is current now.
    pub(super) fn must_say_rolled_back(&mut self) {
        let DeployOrigin::Rollback { to } = self.releases[self.current as usize - 1].origin else { return };
        let difference = self.running.difference(self.files);
        if !difference.is_empty() {
            let files =
                [".env", "Procfile", ".foreman"].into_iter().filter(|file| difference.contains(&format!("{file}: ")));
            self.must_say(format!("v{to} runs, not {}", files.collect::<Vec<_>>().join(" or ")));
        }
    }

    /// What was deployed, and how that is shown, at any time.
    pub(super) fn compare_infos(&mut self, snapshot: &Snapshot) -> Result<(), Broken> {
        rule!(snapshot.release >= self.last_current, "release {} must not come back", snapshot.release);
        self.last_current = snapshot.release;
        let numbers: Vec<u32> = snapshot.releases.iter().map(|info| info.version).collect();
        rule!(numbers.is_sorted_by(|before, after| before < after), "versions must only grow: {numbers:?}");
        for info in &*snapshot.releases {
            let is_current = info.version == snapshot.release;
            let has_failed = matches!(info.status, ReleaseStatus::Failed | ReleaseStatus::Superseded);
            rule!(!is_current || !has_failed || info.version == 1, "what failed must not be current: {info:?}");
            let description = match self.releases[info.version as usize - 1].origin {
                DeployOrigin::Rollback { to } => Some(format!("Rollback to v{to}")),
                DeployOrigin::Files | DeployOrigin::SavedFile if info.version == 1 => None,
                DeployOrigin::Files | DeployOrigin::SavedFile => {
                    info.config_change.clone().or_else(|| Some(info.difference.clone()))
                }
            };
            rule!(info.description() == description.as_deref(), "it is {description:?}: {info:?}");
        }
        Ok(())
    }
}
