//! The topics of `dyno help`: names and one-line descriptions. The pages themselves are in `docs/`.

use clap::{Command, ValueEnum};

/// A page that `dyno help TOPIC` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Topic {
    /// How a Procfile is read
    Procfile,
    /// Config vars, `.env` files and what each dyno gets
    Environment,
    /// Which port each dyno gets
    Ports,
    /// Debuggers, consoles and full-screen programs
    Keyboard,
    /// Ctrl-C, stopping and restarting
    Signals,
    /// Exit statuses and what causes them
    Statuses,
    /// Smoke tests in CI
    Ci,
    /// Coming from foreman, heroku local, honcho, overmind or hivemind
    Migrating,
    /// Every rule, with its number
    Semantics,
}

impl Topic {
    /// The topic of that name.
    pub(super) fn named(word: &str) -> Option<Self> {
        Self::from_str(word, false).ok()
    }

    /// The names as the user types them: `dyno help environment`.
    pub(super) fn names() -> Vec<String> {
        lines().map(|(name, _)| name).collect()
    }
}

/// Adds the list of topics to the help, between the options and the examples.
pub(super) fn with_topics(command: Command) -> Command {
    let width = lines().map(|(name, _)| name.len()).max().unwrap_or_default();
    let list: Vec<String> = lines().map(|(name, about)| format!("  {name:width$}  {about}")).collect();
    let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    command.after_help(format!("Topics (`dyno help TOPIC` prints a page):\n{}\n\n{examples}", list.join("\n")))
}

fn lines() -> impl Iterator<Item = (String, String)> {
    let values = Topic::value_variants().iter().filter_map(ValueEnum::to_possible_value);
    values.map(|value| (value.get_name().to_owned(), value.get_help().map(ToString::to_string).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_topic_has_the_name_of_a_command() {
        let commands = super::super::whole_command();
        for name in Topic::names() {
            assert!(commands.find_subcommand(&name).is_none(), "{name}");
        }
    }
}
