//! The tools, their arguments, and the `dyno` command line behind each.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

/// How long a question to a running app may take.
const QUESTION: Duration = Duration::from_secs(30);
/// How long a change may take by default, in seconds.
const CHANGE: u64 = 60;
/// The longest time that an argument can ask for, in seconds.
const LONGEST: u64 = 3_600;
/// How much longer than its own time limit a command may take to end.
const SPARE: Duration = Duration::from_secs(30);
/// The largest value of `lines`, and its default.
const MOST_LINES: u64 = 1_000;
const DEFAULT_LINES: u64 = 100;

/// A tool: something that a program can do with the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolKind {
    /// `dyno ps`.
    Status,
    /// `dyno why`.
    Why,
    /// `dyno logs`.
    Logs,
    /// `dyno start --detach`.
    Start,
    /// `dyno stop`.
    Stop,
    /// `dyno restart --wait`.
    Restart,
    /// `dyno scale`.
    Scale,
    /// `dyno run`.
    Run,
    /// `dyno check`.
    Check,
    /// `dyno smoke`.
    Smoke,
}

/// A command line of `dyno`, without its first word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall {
    /// The words.
    pub words: Vec<String>,
    /// How long it may take. Then it is stopped.
    pub limit: Duration,
}

/// What values an argument takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ArgumentKind {
    /// Names of dynos or process types.
    Names,
    /// Process types, or quantities such as `web=2`.
    Formation,
    /// Any text.
    Text,
    /// Words of a command.
    Words,
    /// A whole number up to this one.
    Number(u64),
}

use ArgumentKind::{Formation, Names, Number, Text, Words};

/// The arguments of a tool: name, kind, what it means.
type Arguments = &'static [(&'static str, ArgumentKind, &'static str)];

impl ToolKind {
    /// All tools.
    pub const ALL: [Self; 10] = [
        Self::Status,
        Self::Why,
        Self::Logs,
        Self::Start,
        Self::Stop,
        Self::Restart,
        Self::Scale,
        Self::Run,
        Self::Check,
        Self::Smoke,
    ];

    /// The tool with this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.name() == name)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.facts().0
    }

    /// Its entry in the list of tools.
    pub(super) fn description(self) -> Value {
        let (name, text, arguments) = self.facts();
        let properties: Map<String, Value> =
            arguments.iter().map(|(name, kind, text)| ((*name).to_owned(), kind.schema(text))).collect();
        let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
        let required: Vec<&str> = self.required().into_iter().collect();
        if let (Some(schema), false) = (schema.as_object_mut(), required.is_empty()) {
            schema.insert("required".to_owned(), required.into());
        }
        let is_read_only = match self {
            Self::Status | Self::Why | Self::Logs | Self::Check => true,
            Self::Start | Self::Stop | Self::Restart | Self::Scale | Self::Run | Self::Smoke => false,
        };
        let annotations =
            json!({ "readOnlyHint": is_read_only, "openWorldHint": matches!(self, Self::Run | Self::Smoke) });
        json!({ "name": name, "description": text, "inputSchema": schema, "annotations": annotations })
    }

    fn required(self) -> Option<&'static str> {
        match self {
            Self::Scale => Some("formation"),
            Self::Run => Some("command"),
            Self::Status
            | Self::Why
            | Self::Logs
            | Self::Start
            | Self::Stop
            | Self::Restart
            | Self::Check
            | Self::Smoke => None,
        }
    }

    fn facts(self) -> (&'static str, &'static str, Arguments) {
        const SOME: (&str, ArgumentKind, &str) =
            ("names", Names, "Dynos such as web.1, or process types; default: all");
        const SECONDS: (&str, ArgumentKind, &str) =
            ("timeout", Number(LONGEST), "Seconds to wait until the dynos are up; default: 60");
        const RUN_SECONDS: (&str, ArgumentKind, &str) =
            ("timeout", Number(LONGEST), "Seconds after which the command is stopped; default: 60");
        const TEST_SECONDS: (&str, ArgumentKind, &str) =
            ("timeout", Number(LONGEST), "Seconds after which the whole test is stopped; default: 3600");
        match self {
            Self::Status => {
                ("status", "Shows the dynos of the running app: state, pid, port, CPU, memory, restarts.", &[])
            }
            Self::Why => {
                ("why", "Explains why each dyno is or is not running, with its last lines of output.", &[SOME])
            }
            Self::Logs => (
                "logs",
                "Shows the last lines of the log of the running app.",
                &[
                    SOME,
                    ("lines", Number(MOST_LINES), "At most this many lines; default: 100"),
                    ("since", Text, "Only lines from this time on: a time, or an age such as 5m"),
                    ("grep", Text, "Only lines that match this regular expression"),
                ],
            ),
            Self::Start => (
                "start",
                "Starts the app in the background and waits until it is up. Returns its address, or the reason why it did not come \
                 up and the last lines of output.",
                &[
                    ("formation", Formation, "Process types, or quantities such as web=2; default: one of each"),
                    SECONDS,
                ],
            ),
            Self::Stop => ("stop", "Stops dynos, or the whole app, with all processes that they started.", &[SOME]),
            Self::Restart => ("restart", "Restarts dynos and waits until they are up again.", &[SOME, SECONDS]),
            Self::Scale => (
                "scale",
                "Changes how many dynos of a type run.",
                &[("formation", Formation, "Quantities such as web=2 or worker+1")],
            ),
            Self::Run => (
                "run",
                "Runs a shell command once with the environment of the app, and returns its output. Background processes that it \
                 leaves behind are killed.",
                &[("command", Text, "The command line, for /bin/sh"), RUN_SECONDS],
            ),
            Self::Check => {
                ("check", "Finds mistakes in the Procfile, .env and .foreman, with their line numbers.", &[])
            }
            Self::Smoke => (
                "smoke",
                "Starts the app on free ports, runs a test command and stops everything. The exit status is that of the command.",
                &[
                    ("command", Words, "The test command as a list of words; default: only start and stop"),
                    ("http", Text, "A path that `web` must answer before the test command runs, such as /health"),
                    TEST_SECONDS,
                ],
            ),
        }
    }

    /// The command line for these arguments.
    ///
    /// # Errors
    /// A sentence about the argument that is wrong.
    pub(super) fn call(self, arguments: &Map<String, Value>) -> Result<ToolCall, String> {
        let (name, _, known) = self.facts();
        if let Some(other) = arguments.keys().find(|key| known.iter().all(|(name, _, _)| name != key)) {
            let names: Vec<&str> = known.iter().map(|(name, _, _)| *name).collect();
            let other = other.escape_debug();
            return Err(if names.is_empty() {
                format!("`{name}` takes no arguments: leave out `{other}`")
            } else {
                format!("`{name}` has no argument `{other}`: use {}", names.join(", "))
            });
        }
        let mut given = BTreeMap::new();
        for (name, kind, _) in known {
            if let Some(value) = arguments.get(*name).filter(|value| !value.is_null()) {
                given.insert(*name, kind.words(name, value)?);
            }
        }
        if let Some(missing) = self.required().filter(|name| !given.contains_key(name)) {
            return Err(format!("the argument `{missing}` is missing"));
        }
        let all = |name: &str| given.get(name).cloned().unwrap_or_default();
        let one = |name: &str| given.get(name).and_then(|words| words.first());
        let seconds = |default: u64| one("timeout").and_then(|text| text.parse().ok()).unwrap_or(default);
        let option = |name: &str, argument: &str| one(argument).map(|value| format!("--{name}={value}"));
        let mut limit = QUESTION;
        let words: Vec<String> = match self {
            Self::Status => vec!["ps".to_owned()],
            Self::Why => [vec!["why".to_owned()], all("names")].concat(),
            Self::Logs => {
                let lines = one("lines").cloned().unwrap_or_else(|| DEFAULT_LINES.to_string());
                let options = option("since", "since").into_iter().chain(option("grep", "grep"));
                let logs = ["logs".to_owned(), "-n".to_owned(), lines].into_iter().chain(options);
                logs.chain(separated(all("names"))).collect()
            }
            Self::Start => {
                let wait = seconds(CHANGE);
                limit = Duration::from_secs(wait) + SPARE;
                [vec!["start".to_owned(), format!("--detach={wait}")], separated(all("formation"))].concat()
            }
            Self::Stop => {
                limit = Duration::from_secs(CHANGE) + SPARE;
                [vec!["stop".to_owned()], all("names")].concat()
            }
            Self::Restart => {
                let wait = seconds(CHANGE);
                limit = Duration::from_secs(wait) + SPARE;
                [vec!["restart".to_owned(), format!("--wait={wait}")], separated(all("names"))].concat()
            }
            Self::Scale => [vec!["scale".to_owned()], all("formation")].concat(),
            Self::Run => {
                limit = Duration::from_secs(seconds(CHANGE));
                [["run", "--", "/bin/sh", "-c"].map(str::to_owned).to_vec(), all("command")].concat()
            }
            Self::Check => vec!["check".to_owned()],
            Self::Smoke => {
                limit = Duration::from_secs(seconds(LONGEST));
                let options = option("http", "http").into_iter();
                ["smoke".to_owned()].into_iter().chain(options).chain(separated(all("command"))).collect()
            }
        };
        Ok(ToolCall { words, limit })
    }
}

/// The words after a `--`, so that none of them is read as an option. Without words there is no `--` either.
fn separated(words: Vec<String>) -> Vec<String> {
    if words.is_empty() { words } else { [vec!["--".to_owned()], words].concat() }
}

impl ArgumentKind {
    fn schema(self, text: &str) -> Value {
        match self {
            Names | Formation | Words => json!({ "type": "array", "items": { "type": "string" }, "description": text }),
            Text => json!({ "type": "string", "description": text }),
            Number(most) => json!({ "type": "integer", "minimum": 1, "maximum": most, "description": text }),
        }
    }

    /// The words for the command line.
    fn words(self, name: &str, value: &Value) -> Result<Vec<String>, String> {
        let words = match self {
            Names | Formation | Words => {
                let list = value.as_array().ok_or_else(|| format!("`{name}` must be a list of strings"))?;
                let texts: Option<Vec<String>> = list.iter().map(|item| item.as_str().map(str::to_owned)).collect();
                texts.ok_or_else(|| format!("`{name}` must be a list of strings"))?
            }
            Text => vec![value.as_str().ok_or_else(|| format!("`{name}` must be a string"))?.to_owned()],
            Number(most) => {
                let number = value.as_u64().filter(|number| (1..=most).contains(number));
                vec![number.ok_or_else(|| format!("`{name}` must be a whole number from 1 to {most}"))?.to_string()]
            }
        };
        if words.iter().any(|word| word.contains('\0')) {
            return Err(format!("`{name}` contains a NUL byte"));
        }
        let is_allowed = |char: char| match self {
            Names => char.is_ascii_alphanumeric() || "_-.".contains(char),
            Formation => char.is_ascii_alphanumeric() || "_-.=+".contains(char),
            Text | Words | Number(_) => true,
        };
        let is_name = matches!(self, Names | Formation);
        let is_wrong = |word: &&String| {
            word.is_empty() && self != Words || is_name && word.starts_with('-') || !word.chars().all(is_allowed)
        };
        let wrong = words.iter().find(is_wrong);
        let examples =
            if self == Names { "names such as web or web.1" } else { "process types, or quantities such as web=2" };
        match wrong {
            Some(wrong) if wrong.is_empty() => Err(format!("an empty string is not valid in `{name}`")),
            Some(wrong) => Err(format!("`{}` is not valid in `{name}`: use {examples}", wrong.escape_debug())),
            None => Ok(words),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(tool: ToolKind, arguments: &Value) -> Result<String, String> {
        tool.call(arguments.as_object().expect("an object")).map(|call| call.words.join(" "))
    }

    #[test]
    fn s17_2_each_tool_runs_its_command_line() {
        for (tool, arguments, expected) in [
            (ToolKind::Status, json!({}), "ps"),
            (ToolKind::Why, json!({ "names": ["web.1"] }), "why web.1"),
            (ToolKind::Logs, json!({}), "logs -n 100"),
            (
                ToolKind::Logs,
                json!({ "names": ["web", "worker.2"], "lines": 5, "since": "5m", "grep": "-x" }),
                "logs -n 5 --since=5m --grep=-x -- web worker.2",
            ),
            (ToolKind::Start, json!({ "formation": ["web=2", "worker"] }), "start --detach=60 -- web=2 worker"),
            (ToolKind::Start, json!({ "timeout": 5, "formation": null }), "start --detach=5"),
            (ToolKind::Stop, json!({}), "stop"),
            (ToolKind::Restart, json!({ "names": ["web"] }), "restart --wait=60 -- web"),
            (ToolKind::Scale, json!({ "formation": ["worker+1"] }), "scale worker+1"),
            (ToolKind::Run, json!({ "command": "ls -l" }), "run -- /bin/sh -c ls -l"),
            (ToolKind::Check, json!({}), "check"),
            (ToolKind::Smoke, json!({ "command": ["npm", "test"], "http": "/up" }), "smoke --http=/up -- npm test"),
        ] {
            assert_eq!(words(tool, &arguments), Ok(expected.to_owned()));
        }
    }

    #[test]
    fn s17_2_no_argument_can_become_an_option_or_name_another_app() {
        for (tool, arguments, message) in [
            (ToolKind::Stop, json!({ "app": "other" }), "`stop` has no argument `app`: use names"),
            (ToolKind::Check, json!({ "root": "/" }), "`check` takes no arguments: leave out `root`"),
            (
                ToolKind::Stop,
                json!({ "names": ["a b"] }),
                "`a b` is not valid in `names`: use names such as web or web.1",
            ),
            (
                ToolKind::Stop,
                json!({ "names": ["web\u{1b}"] }),
                "`web\\u{1b}` is not valid in `names`: use names such as web or web.1",
            ),
            (
                ToolKind::Scale,
                json!({ "formation": ["web 2"] }),
                "`web 2` is not valid in `formation`: use process types, or quantities such as web=2",
            ),
            (ToolKind::Run, json!({ "command": "" }), "an empty string is not valid in `command`"),
            (ToolKind::Stop, json!({ "names": "web" }), "`names` must be a list of strings"),
            (ToolKind::Scale, json!({}), "the argument `formation` is missing"),
            (ToolKind::Run, json!({ "command": "a\u{0}b" }), "`command` contains a NUL byte"),
            (ToolKind::Run, json!({ "command": 1 }), "`command` must be a string"),
            (ToolKind::Logs, json!({ "lines": 0 }), "`lines` must be a whole number from 1 to 1000"),
        ] {
            assert_eq!(words(tool, &arguments), Err(message.to_owned()));
        }
        // A word after `--` is never an option.
        for tool in [ToolKind::Why, ToolKind::Stop, ToolKind::Scale] {
            let key = if tool == ToolKind::Scale { "formation" } else { "names" };
            assert!(["--root=/", "-a", "--json"].iter().all(|word| words(tool, &json!({ key: [word] })).is_err()));
        }
    }
}
