//! Parses `app.json`, with which Heroku and dokku set an app up (S18.4).
//!
//! Only what means something here is read; other keys are fine, and so is the `app.json` of another tool. A key of the right
//! name with a value of another shape is a problem.

mod health_check;
mod json_value;
mod reader;
#[cfg(test)]
mod tests;

use self::json_value::{JsonMember, JsonText, JsonValue};
use self::reader::AppJsonReader;
use super::foreman_file::Setting;
use super::formation::MAX_QUANTITY;
use super::text::problem::{Problem, Severity};
use super::text::source::{SourceText, part};
use crate::model::Secret;
pub use health_check::{HealthCheck, HealthCheckKind};

/// What an `app.json` declares, each list in the order of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AppJson {
    /// The whole object, as JSON. Empty: there is none.
    pub text: String,
    /// The config vars that the app knows.
    pub env: Vec<DeclaredVariable>,
    /// How many dynos of each process type run.
    pub formation: Vec<DeclaredQuantity>,
    /// How to see that a dyno works.
    pub health_checks: Vec<HealthCheck>,
    /// The scripts by name, such as `postdeploy` or `dokku.predeploy`, with their command lines.
    pub scripts: Vec<(String, Setting<String>)>,
    /// The add-ons, such as `heroku-postgresql:mini`.
    pub addons: Vec<Setting<String>>,
    /// The URLs or names of the buildpacks.
    pub buildpacks: Vec<Setting<String>>,
    /// The stack, such as `heroku-24`.
    pub stack: Option<Setting<String>>,
    /// The problems of the file. What has one is left out.
    pub problems: Vec<Problem>,
}

/// A config var that an `app.json` declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredVariable {
    /// Its name.
    pub key: String,
    /// 1-based line.
    pub line: usize,
    /// Whether the app cannot do without it. This is the default.
    pub is_required: bool,
    /// The value that a new app gets.
    pub value: Option<Secret>,
    /// What it is for.
    pub description: Option<String>,
    /// What makes up the value of a new app, such as `secret`.
    pub generator: Option<String>,
}

/// A process type in the formation of an `app.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredQuantity {
    /// The name of the process type.
    pub process_type: String,
    /// 1-based line.
    pub line: usize,
    /// How many dynos run. None: the file does not say it.
    pub quantity: Option<u16>,
    /// How large they are, such as `standard-1x`.
    pub size: Option<String>,
}

impl AppJson {
    /// Parses an `app.json`.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        let text = match SourceText::new(bytes) {
            Ok(text) => part(text.bytes(), text.begin()..text.bytes().len()),
            Err(problem) => return Self { problems: vec![problem], ..Self::default() },
        };
        if is_of_expo(text) {
            return Self::default();
        }
        let text = match std::str::from_utf8(text) {
            Ok(text) => text,
            Err(error) => {
                let before = part(text, 0..error.valid_up_to());
                let line = 1 + memchr::memchr_iter(b'\n', before).count();
                return Self::unreadable(line, "the JSON cannot be read: it has a byte that is not UTF-8");
            }
        };
        let file = JsonText::new(text);
        match file.value() {
            Ok(value) => match value.members() {
                Some(members) => Self { text: text.to_owned(), ..Self::of_members(&members) },
                None => Self::unreadable(value.line(), &format!("the file has {}, not an object", value.kind())),
            },
            Err((line, fault)) => Self::unreadable(line, &format!("the JSON cannot be read: {fault}")),
        }
    }

    fn unreadable(line: usize, message: &str) -> Self {
        let hint = "fix it, or move the file elsewhere if it belongs to another tool";
        Self { problems: vec![Problem::new(Severity::Error, line, message, hint)], ..Self::default() }
    }

    fn of_members(members: &[JsonMember<'_>]) -> Self {
        let mut reader = AppJsonReader::default();
        let mut file = Self::default();
        // Of two members with the same name, the last one counts, as everywhere in JSON.
        for member in members {
            match member.name.as_str() {
                "env" => file.env = env(member.value, &mut reader),
                "formation" => file.formation = formation(member.value, &mut reader),
                "healthchecks" => file.health_checks = health_check::read(member.value, &mut reader),
                "scripts" => file.scripts = scripts(member, &mut reader),
                "addons" => file.addons = names(member, "plan", "heroku-postgresql", &mut reader),
                "buildpacks" => file.buildpacks = names(member, "url", "heroku/nodejs", &mut reader),
                "stack" => file.stack = stack(member, &mut reader),
                _ => {}
            }
        }
        file.problems = reader.into_problems();
        file
    }

    /// The config vars that the app requires, but that nothing gives it: no value, no generator, and `is_set` denies them.
    pub fn missing(&self, is_set: impl Fn(&str) -> bool) -> impl Iterator<Item = &DeclaredVariable> {
        let is_open = |one: &&DeclaredVariable| one.is_required && one.value.is_none() && one.generator.is_none();
        self.env.iter().filter(is_open).filter(move |one| !is_set(&one.key))
    }

    /// The health check that tells when a dyno of a process type is ready: of several, that for the readiness, then that for
    /// the start.
    #[must_use]
    pub fn readiness(&self, process_type: &str) -> Option<&HealthCheck> {
        let checks = self.health_checks.iter().filter(|check| check.process_type == process_type);
        checks.filter_map(|check| Some((check.rank()?, check))).min_by_key(|(rank, _)| *rank).map(|(_, check)| check)
    }

    /// The size of the dynos of a process type.
    #[must_use]
    pub fn size(&self, process_type: &str) -> Option<&str> {
        let known = self.formation.iter().rfind(|known| known.process_type == process_type);
        known.and_then(|known| known.size.as_deref())
    }
}

/// Whether the file belongs to Expo, which also reads what is not quite JSON.
fn is_of_expo(text: &[u8]) -> bool {
    let text = text.trim_ascii_start().strip_prefix(b"{").unwrap_or_default().trim_ascii_start();
    let name = text.strip_prefix(b"\"").or_else(|| text.strip_prefix(b"'")).unwrap_or(text);
    name.strip_prefix(b"expo").is_some_and(|rest| rest.first().is_some_and(|byte| b"\"': \t".contains(byte)))
}

fn env(value: JsonValue<'_>, reader: &mut AppJsonReader) -> Vec<DeclaredVariable> {
    let hint = "write `\"env\": {\"KEY\": {\"description\": \"what it is for\"}}`";
    let mut variables: Vec<DeclaredVariable> = Vec::new();
    for member in reader.members("env", value, hint) {
        let mut variable = DeclaredVariable {
            key: member.name.clone(),
            line: member.line,
            is_required: true,
            value: member.value.scalar().map(Secret::new),
            description: None,
            generator: None,
        };
        if variable.value.is_none() {
            let Some(members) = member.value.members() else {
                let what = format!("`{}` in `env`", member.name);
                reader.refuse(&member, &what, "an object or a string", hint);
                continue;
            };
            for member in &members {
                variable.set(member, reader);
            }
        }
        variables.retain(|known| known.key != variable.key);
        variables.push(variable);
    }
    variables
}

impl DeclaredVariable {
    fn set(&mut self, member: &JsonMember<'_>, reader: &mut AppJsonReader) {
        let value = member.value;
        match member.name.as_str() {
            "required" => {
                if value.switch().is_none() {
                    let what = format!("`required` of `{}`", self.key);
                    reader.refuse(member, &what, "`true` or `false`", "write `true` or `false`, without quotes");
                }
                self.is_required = value.switch().unwrap_or(self.is_required);
            }
            "value" => {
                self.value = value.scalar().map(Secret::new);
                if self.value.is_none() && !value.is_null() {
                    let what = format!("`value` of `{}`", self.key);
                    reader.refuse(member, &what, "a string", "write the value in double quotes");
                }
            }
            "description" => self.description = value.text(),
            // dokku also accepts the command line of a program here.
            "generator" => self.generator = value.scalar(),
            _ => {}
        }
    }
}

fn formation(value: JsonValue<'_>, reader: &mut AppJsonReader) -> Vec<DeclaredQuantity> {
    let hint = "write `\"formation\": {\"web\": {\"quantity\": 1}}`";
    let mut quantities = Vec::new();
    for member in reader.members("formation", value, hint) {
        let Some(members) = member.value.members() else {
            let what = format!("`{}` in `formation`", member.name);
            reader.refuse(&member, &what, "an object", hint);
            continue;
        };
        let (process_type, line) = (member.name.clone(), member.line);
        let mut declared = DeclaredQuantity { process_type, line, quantity: None, size: None };
        for member in members {
            let of = |key: &str| format!("`{key}` of `{}`", declared.process_type);
            match member.name.as_str() {
                "quantity" => {
                    let number = member.value.number().and_then(|number| u16::try_from(number).ok());
                    declared.quantity = number.filter(|number| *number <= MAX_QUANTITY);
                    if declared.quantity.is_none() {
                        let message = format!("{} is not a number from 0 to {MAX_QUANTITY}", of("quantity"));
                        reader.refuse_text(&member, &message, "write a number without quotes, such as 1");
                    }
                }
                "size" => {
                    if member.value.text().is_none() {
                        let message = of("size");
                        reader.refuse(&member, &message, "a string", "write it in double quotes, such as `\"basic\"`");
                    }
                    declared.size = member.value.text();
                }
                _ => {}
            }
        }
        quantities.push(declared);
    }
    quantities
}

fn scripts(member: &JsonMember<'_>, reader: &mut AppJsonReader) -> Vec<(String, Setting<String>)> {
    let mut scripts = Vec::new();
    let hint = "write `\"scripts\": {\"postdeploy\": \"bin/setup\"}`";
    let Some(members) = member.value.members() else {
        not_listed(member, "an object", hint, reader);
        return scripts;
    };
    for script in members {
        let setting = |value| Setting { value, line: script.line };
        if let Some(command) = script.value.text() {
            scripts.push((script.name.clone(), setting(command)));
            continue;
        }
        // `{"command": …, "size": …}`, or those of dokku below its name.
        let inner = script.value.members().unwrap_or_default();
        if inner.is_empty() && script.value.members().is_none() {
            let message = format!("the script `{}` is {}, not a string", script.name, script.value.kind());
            reader.skip((script.line, &script.name), message, hint);
        }
        for member in inner {
            let Some(command) = member.value.text() else { continue };
            match member.name.as_str() {
                "command" => scripts.push((script.name.clone(), setting(command))),
                "size" => {}
                name => {
                    let line = member.line;
                    scripts.push((format!("{}.{name}", script.name), Setting { value: command, line }));
                }
            }
        }
    }
    scripts
}

/// The items of a list of names, each of which may be an object with the name at `key`.
fn names(member: &JsonMember<'_>, key: &str, example: &str, reader: &mut AppJsonReader) -> Vec<Setting<String>> {
    let hint = format!("write `\"{}\": [\"{example}\"]`", member.name);
    let Some(items) = member.value.items() else {
        not_listed(member, "a list", &hint, reader);
        return Vec::new();
    };
    let mut names = Vec::new();
    for item in items {
        let of_object = || item.members()?.into_iter().rfind(|member| member.name == key)?.value.text();
        if let Some(value) = item.text().or_else(of_object) {
            names.push(Setting { value, line: item.line() });
        } else {
            let message = format!("an item of `{}` has no `{key}`", member.name);
            reader.skip((item.line(), &member.name), message, &hint);
        }
    }
    names
}

fn stack(member: &JsonMember<'_>, reader: &mut AppJsonReader) -> Option<Setting<String>> {
    let name = member.value.text();
    if name.is_none() {
        not_listed(member, "a string", "write `\"stack\": \"heroku-24\"`", reader);
    }
    name.map(|value| Setting { value, line: member.line })
}

/// The value of a key that is only listed has another shape.
fn not_listed(member: &JsonMember<'_>, expected: &str, hint: &str, reader: &mut AppJsonReader) {
    if !member.value.is_null() {
        let message = format!("`{}` is {}, not {expected}", member.name, member.value.kind());
        reader.skip((member.line, &member.name), message, hint);
    }
}
