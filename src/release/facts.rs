//! What a release consists of: its commands, its config vars and the rules about its process types.

use std::collections::BTreeMap;

use super::Release;
use crate::app::{StartOrder, WatchList};
use crate::model::{ProcessType, Secret};

/// What a release consists of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReleaseFacts {
    /// The command of each process type, in the order of the Procfile.
    pub commands: Vec<(ProcessType, Vec<u8>)>,
    /// The variables that files or `--set` define, with the values that dynos get.
    pub config_vars: BTreeMap<String, Secret>,
    /// Which process types start after others.
    pub order: StartOrder,
    /// Which process types restart when files change.
    pub watch: WatchList,
}

impl ReleaseFacts {
    /// The facts about this release.
    #[must_use]
    pub fn of(release: &Release) -> Self {
        let entries = release.procfile.entries().iter();
        let given = release.layers.config_vars().into_iter();
        Self {
            commands: entries.map(|entry| (entry.process_type.clone(), entry.command.clone())).collect(),
            config_vars: given.filter_map(|(key, given)| Some((key, given.value?))).collect(),
            order: release.order.clone(),
            watch: release.watch.clone(),
        }
    }

    /// The command of a process type as text; empty if there is no such type.
    #[must_use]
    pub fn command(&self, process_type: &ProcessType) -> String {
        let found = self.commands.iter().find(|(known, _)| known == process_type);
        found.map_or_else(String::new, |(_, command)| String::from_utf8_lossy(command).into_owned())
    }

    /// What is different in `later`, by name and without values: `.env: + API_KEY, ~ LEVEL; Procfile: - clock; .foreman:
    /// ~ watch`. Empty: nothing is different.
    #[must_use]
    pub fn difference(&self, later: &Self) -> String {
        let parts = self.differences(later);
        parts.map(|(file, changes)| format!("{file}: {}", changes.join(", "))).collect::<Vec<_>>().join("; ")
    }

    /// The files that say something different in `later`: `.env` for the config vars, `Procfile` for the commands.
    #[must_use]
    pub fn different_files(&self, later: &Self) -> Vec<&'static str> {
        self.differences(later).map(|(file, _)| file).collect()
    }

    /// What is different in `later`, in the words of the platform: `Set API_KEY config vars`. None: not only config vars are.
    #[must_use]
    pub fn config_change(&self, later: &Self) -> Option<String> {
        let mut differences = self.differences(later);
        let (Some((".env", changes)), None) = (differences.next(), differences.next()) else { return None };
        let names = |is_set: bool| -> String {
            let wanted = changes.iter().filter(|change| change.starts_with("- ") != is_set);
            wanted.filter_map(|change| change.get(2..)).collect::<Vec<_>>().join(", ")
        };
        let (set, removed) = (names(true), names(false));
        Some(match (set.is_empty(), removed.is_empty()) {
            (true, _) => format!("Remove {removed} config vars"),
            (false, true) => format!("Set {set} config vars"),
            (false, false) => format!("Set {set}, remove {removed} config vars"),
        })
    }

    fn differences(&self, later: &Self) -> impl Iterator<Item = (&'static str, Vec<String>)> {
        let types = |facts: &Self| -> BTreeMap<String, Vec<u8>> {
            facts.commands.iter().map(|(name, command)| (name.to_string(), command.clone())).collect()
        };
        let (vars, commands) = (changes(&self.config_vars, &later.config_vars), changes(&types(self), &types(later)));
        let rules = [("after", self.order != later.order), ("watch", self.watch != later.watch)];
        let rules = rules.iter().filter(|(_, differs)| *differs).map(|(key, _)| format!("~ {key}")).collect();
        let parts = [(".env", vars), ("Procfile", commands), (".foreman", rules)];
        parts.into_iter().filter(|(_, changes)| !changes.is_empty())
    }
}

/// `+ NEW`, `~ CHANGED`, `- GONE`, sorted by name.
fn changes<T: PartialEq>(before: &BTreeMap<String, T>, after: &BTreeMap<String, T>) -> Vec<String> {
    let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let change = |name: &String| match (before.get(name), after.get(name)) {
        (None, Some(_)) => Some(format!("+ {name}")),
        (Some(_), None) => Some(format!("- {name}")),
        (Some(before), Some(after)) if before != after => Some(format!("~ {name}")),
        (Some(_), Some(_)) | (None, None) => None,
    };
    names.into_iter().filter_map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(vars: &[(&str, &str)], commands: &[(&str, &str)]) -> ReleaseFacts {
        ReleaseFacts {
            commands: commands
                .iter()
                .map(|(name, command)| (ProcessType::new(name).unwrap(), command.as_bytes().to_vec()))
                .collect(),
            config_vars: vars.iter().map(|(key, value)| ((*key).to_owned(), Secret::new(*value))).collect(),
            ..ReleaseFacts::default()
        }
    }

    #[test]
    fn s14_1_a_difference_names_what_was_added_changed_and_removed() {
        let before = facts(&[("LEVEL", "1"), ("OLD", "x"), ("SAME", "s")], &[("web", "./web"), ("clock", "./clock")]);
        let after = facts(&[("API_KEY", "k"), ("LEVEL", "2"), ("SAME", "s")], &[("api", "./api"), ("web", "./web 2")]);

        assert_eq!(before.difference(&after), ".env: + API_KEY, ~ LEVEL, - OLD; Procfile: + api, - clock, ~ web");
        assert_eq!(before.difference(&before), "");
        assert_eq!(before.config_change(&after), None);
        assert_eq!(before.config_change(&before), None);
        assert_eq!(before.different_files(&after), [".env", "Procfile"]);
        assert_eq!(
            before.different_files(&facts(&[("LEVEL", "1")], &[("web", "./web"), ("clock", "./clock")])),
            [".env"]
        );
    }

    #[test]
    fn s14_1_a_difference_names_the_rules_that_have_changed() {
        let types = ["web", "worker"].map(|name| ProcessType::new(name).unwrap());
        let order = StartOrder::parse(["worker=web"], &types).unwrap();
        let watch = WatchList::parse(["web=src"], &types).unwrap();
        let before = facts(&[("LEVEL", "1")], &[("web", "./web")]);
        let ordered = ReleaseFacts { order, ..before.clone() };

        assert_eq!(before.difference(&ordered), ".foreman: ~ after");
        assert_eq!(ordered.difference(&before), ".foreman: ~ after");
        let after = ReleaseFacts { watch, ..facts(&[], &[("web", "./web")]) };
        assert_eq!(ordered.difference(&after), ".env: - LEVEL; .foreman: ~ after, ~ watch");
    }

    #[test]
    fn s15_3_a_change_of_config_vars_is_described_like_on_the_platform() {
        let before = facts(&[("LEVEL", "1"), ("OLD", "1")], &[]);

        let set = facts(&[("API_KEY", "1"), ("LEVEL", "2"), ("OLD", "1")], &[]);
        assert_eq!(before.config_change(&set).as_deref(), Some("Set API_KEY, LEVEL config vars"));
        assert_eq!(before.config_change(&facts(&[], &[])).as_deref(), Some("Remove LEVEL, OLD config vars"));
        let both = facts(&[("LEVEL", "2")], &[]);
        assert_eq!(before.config_change(&both).as_deref(), Some("Set LEVEL, remove OLD config vars"));
        assert_eq!(before.config_change(&facts(&[("LEVEL", "1")], &[("web", "./web")])), None);
    }

    #[test]
    fn s1_1_commands_that_differ_only_in_bytes_that_are_not_text_differ() {
        let command = |byte: u8| ReleaseFacts {
            commands: vec![(ProcessType::new("web").unwrap(), vec![b'x', byte])],
            ..ReleaseFacts::default()
        };

        assert_eq!(command(0xff).difference(&command(0xfe)), "Procfile: ~ web");
    }
}
