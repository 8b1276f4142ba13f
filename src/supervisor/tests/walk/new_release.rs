//! Releases that a walk draws, and what each of them is.

use super::scenario::TYPES;
use super::*;
use crate::app::Formation;

/// A release that a front end asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NewRelease {
    pub(super) has_type: [bool; 3],
    /// Another number is another command.
    pub(super) commands: [u32; 3],
    /// The config var `LEVEL`, unless it is 0.
    pub(super) level: u32,
    /// The quantities of the types that are new.
    pub(super) added: [i64; 3],
    pub(super) has_command: bool,
    /// False with `--no-release`.
    pub(super) runs_command: bool,
    pub(super) order: NewOrder,
}

/// The order in which the process types of a release start: what each (the row) waits for, as an index of [`CONDITIONS`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct NewOrder([[usize; 3]; 3]);

/// What a type can wait for. The first one is nothing.
const CONDITIONS: [Option<&str>; 5] = [None, Some(""), Some(":5433"), Some(":done"), Some(":started")];

impl NewOrder {
    /// Each type may wait for types that come before it in some order, so that there is no circle.
    pub(super) fn random(random: &mut Random) -> Self {
        let ranked: [usize; 3] = random.one_of(&[[0, 1, 2], [2, 1, 0], [1, 0, 2]]);
        let mut order = Self::default();
        if random.one_in(2) {
            for (rank, left) in ranked.iter().enumerate() {
                for right in ranked.iter().take(rank) {
                    let condition = random.one_of(&[1, 1, 1, 2, 3, 4]);
                    order.0[*left][*right] = if random.one_in(2) { condition } else { 0 };
                }
            }
        }
        order
    }

    pub(super) fn start_order(self) -> StartOrder {
        let pairs = (0..3).flat_map(|left| (0..3).map(move |right| (left, right)));
        let item = |(left, right): (usize, usize)| {
            let condition = CONDITIONS[self.0[left][right]]?;
            Some(format!("{}={}{condition}", TYPES[left], TYPES[right]))
        };
        let items: Vec<String> = pairs.filter_map(item).collect();
        StartOrder::parse(items.iter().map(String::as_str), &TYPES.map(process_type)).unwrap()
    }
}

/// What a dyno runs: the number of its command, and its config var.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Program {
    command: u32,
    level: u32,
}

impl NewRelease {
    /// The release of the start.
    pub(super) fn first(added: [i64; 3], runs_command: bool, order: NewOrder) -> Self {
        Self { has_type: [true; 3], commands: [0; 3], level: 0, added, has_command: true, runs_command, order }
    }

    pub(super) fn random(random: &mut Random) -> Self {
        if random.one_in(8) {
            // Often as the first one, and perhaps the one that runs.
            return Self::first([1; 3], true, NewOrder::default());
        }
        let mut has_type = [(); 3].map(|()| !random.one_in(4));
        has_type[usize::try_from(random.below(3)).unwrap()] = true;
        Self {
            has_type,
            commands: [(); 3].map(|()| random.one_of(&[0, 0, 1, 2])),
            level: random.one_of(&[0, 0, 1, 2]),
            added: [(); 3].map(|()| i64::try_from(random.below(4)).unwrap()),
            has_command: random.one_in(2),
            runs_command: true,
            order: if random.one_in(3) { NewOrder::random(random) } else { NewOrder::default() },
        }
    }

    pub(super) fn command(self, listeners: &[ProcessType], origin: DeployOrigin) -> Command {
        let of_type = |place: usize| {
            let line = self.program(place).command_line(TYPES[place]);
            self.has_type[place].then(|| format!("{}: {line}\n", TYPES[place]))
        };
        let types: String = (0..3).filter_map(of_type).collect();
        let release = if self.has_command { "release: ./release\n" } else { "" };
        let procfile = Procfile::parse(format!("{release}{types}").as_bytes()).unwrap();
        let mut layers = Layers::default();
        if self.level > 0 {
            layers.add_setting(format!("LEVEL={}", self.level).as_bytes()).unwrap();
        }
        let names = TYPES.map(process_type);
        let dynos: Vec<&ProcessType> = (0..3)
            .flat_map(|place| std::iter::repeat_n(&names[place], usize::try_from(self.added[place]).unwrap()))
            .collect();
        Command::Deploy(Box::new(Deploy {
            release: Release {
                order: self.order.start_order(),
                ..Release::first("local".to_owned(), procfile, layers)
            },
            listeners: Listeners { expected: listeners.to_vec(), ready: listeners.to_vec() },
            added: Formation::counted(&names, dynos.into_iter()),
            runs_release_command: self.runs_command,
            spare_ports: std::collections::HashMap::new(),
            origin,
        }))
    }

    pub(super) fn program(self, place: usize) -> Program {
        Program { command: self.commands[place], level: self.level }
    }

    /// The config var of all its dynos, the release command included.
    pub(super) fn variable(self) -> Option<String> {
        self.program(0).variable()
    }

    /// What the log says if `after` replaces this release.
    pub(super) fn difference(self, after: Self) -> String {
        let level = |of: Self| (of.level > 0).then_some(of.level);
        let command = |of: Self, name: &str| match TYPES.iter().position(|known| *known == name) {
            Some(place) => of.has_type[place].then_some(of.commands[place]),
            None => of.has_command.then_some(0),
        };
        let names = ["job", "release", "web", "worker"];
        let types = names.iter().filter_map(|name| change(name, command(self, name), command(after, name)));
        let types = types.collect::<Vec<_>>().join(", ");
        let var = change("LEVEL", level(self), level(after)).unwrap_or_default();
        let order = if self.order == after.order { String::new() } else { "~ after".to_owned() };
        let parts = [(".env", var), ("Procfile", types), (".foreman", order)]
            .into_iter()
            .filter(|(_, changes)| !changes.is_empty());
        parts.map(|(file, changes)| format!("{file}: {changes}")).collect::<Vec<_>>().join("; ")
    }

    /// What made `after`, in the words of the platform, if only the config var is different.
    pub(super) fn config_change(self, after: Self) -> Option<&'static str> {
        match self.difference(after).as_str() {
            ".env: + LEVEL" | ".env: ~ LEVEL" => Some("Set LEVEL config vars"),
            ".env: - LEVEL" => Some("Remove LEVEL config vars"),
            _ => None,
        }
    }
}

fn change(name: &str, before: Option<u32>, after: Option<u32>) -> Option<String> {
    match (before, after) {
        (None, Some(_)) => Some(format!("+ {name}")),
        (Some(_), None) => Some(format!("- {name}")),
        (one, other) if one != other => Some(format!("~ {name}")),
        _ => None,
    }
}

impl Program {
    pub(super) fn command_line(self, name: &str) -> String {
        let argument = if self.command == 0 { String::new() } else { format!(" {}", self.command) };
        format!("./{name}{argument}")
    }

    pub(super) fn variable(self) -> Option<String> {
        (self.level > 0).then(|| self.level.to_string())
    }
}
