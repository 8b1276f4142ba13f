//! Whether `web` listens on the port that it is given, and which other types listen.

use super::server::{Server, fixed_port};
use super::shell_line::ShellCommand;
use super::{MoveFinding, MoveTarget, MovedType};

/// Options that most programs use for a port or an address.
const USUAL_OPTIONS: [&str; 9] =
    ["-p", "--port", "--http-port", "--server.port", "--bind", "--listen", "--addr", "--address", "--http-address"];

/// Programs with such options that do not listen.
pub(super) const NO_SERVERS: [&str; 8] = ["mkdir", "cp", "ssh", "psql", "mysql", "redis-cli", "nc", "rsync"];

pub(super) fn find(target: MoveTarget, moved: &MovedType<'_>) -> Option<MoveFinding> {
    if moved.process_type.is_release() {
        return None;
    }
    if moved.is_web() { of_web(target, moved) } else { of_another(target, moved) }
}

fn of_web(target: MoveTarget, moved: &MovedType<'_>) -> Option<MoveFinding> {
    // On one machine, the port that a proxy knows may be any.
    let is_certain = target != MoveTarget::Systemd;
    let consequence = consequence(target);
    let commands = &moved.read.commands;
    if let Some(port) = commands.iter().find_map(assigned_port) {
        let message = format!("`web` gets port {port} from `PORT={port}` in its command; {consequence}");
        let hint = format!("remove `PORT={port}` from the command");
        return Some(moved.finding(is_certain, message, hint));
    }
    let servers = || commands.iter().filter_map(Server::of);
    let fixed = |port: u16| format!("`web` listens on port {port}, not on `$PORT`; {consequence}");
    if let Some((port, instead)) = servers().find_map(|server| server.fixed_port()) {
        return Some(moved.finding(is_certain, fixed(port), write(target, &instead)));
    }
    if mentions_port(&moved.command) {
        return None;
    }
    if let Some(server) = servers().find(Server::ignores_port) {
        let name = server.name();
        let message =
            format!("`web` does not listen on `$PORT`, which `{name}` does not read by itself; {consequence}");
        return Some(moved.finding(is_certain, message, add(moved, &name, server.known.fix)));
    }
    if servers().next().is_some() {
        return None;
    }
    // What these options mean to an unknown program is not sure.
    let may_listen =
        |command: &&ShellCommand| command.words.first().is_none_or(|program| !NO_SERVERS.contains(&program.as_str()));
    let (port, instead) =
        commands.iter().filter(may_listen).find_map(|command| fixed_port(&command.words, &USUAL_OPTIONS))?;
    let message = format!("`web` seems to listen on port {port}, not on `$PORT`; {consequence}");
    Some(moved.finding(false, message, write(target, &instead)))
}

/// What to write instead. Requests from outside do not reach a server on the loopback interface.
fn write(target: MoveTarget, instead: &str) -> String {
    let is_behind_proxy = target == MoveTarget::Systemd;
    let local = ["127.0.0.1:", "localhost:"].into_iter().find(|host| instead.contains(host) && !is_behind_proxy);
    format!("write `{}`", local.map_or_else(|| instead.to_owned(), |host| instead.replace(host, "0.0.0.0:")))
}

/// `PORT=3000 web`, `env PORT=3000 web`, `export PORT=3000`.
fn assigned_port(command: &ShellCommand) -> Option<u16> {
    let given = command.assignments.iter().filter(|(name, _)| name == "PORT").map(|(_, value)| value.as_str());
    let is_prefix = command.words.first().is_some_and(|word| word == "env" || word == "export");
    let words = command.words.iter().filter(|_| is_prefix).filter_map(|word| word.strip_prefix("PORT="));
    given.chain(words).find_map(|value| value.parse().ok())
}

fn consequence(target: MoveTarget) -> &'static str {
    match target {
        MoveTarget::Heroku => "heroku stops a web dyno that does not listen on `$PORT` within 60 seconds (R10)",
        MoveTarget::Dokku => "dokku sends requests to `$PORT`, which it chooses",
        MoveTarget::Kubernetes => "the Service and the probes of `dyno export kubernetes` lead to `$PORT`",
        MoveTarget::Compose => "the port that `dyno export compose` publishes leads to `$PORT`",
        MoveTarget::Systemd => "two dynos cannot share a port, and each has a `$PORT` of its own",
        MoveTarget::Cnb => "the user of an image chooses its port with `PORT`",
    }
}

/// How to tell the server which port or address to use.
pub(super) fn add(moved: &MovedType<'_>, server: &str, fix: &str) -> String {
    let has_host = ["--host", "--bind", "-b ", "0.0.0.0"].iter().any(|option| moved.command.contains(option));
    let at = ["--port", "-p ", "--server.port"].iter().filter_map(|option| fix.find(option)).min();
    let fix = at.filter(|_| has_host).and_then(|at| fix.get(at..)).unwrap_or(fix);
    if moved.read.commands.len() == 1 && !moved.command.contains('#') {
        format!("write `web: {} {fix}`", moved.command)
    } else {
        format!("add `{fix}` to `{server}`")
    }
}

/// Whether a command uses `PORT` in any way but to set it.
pub(super) fn mentions_port(command: &str) -> bool {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    command.match_indices("PORT").any(|(at, _)| {
        let before = command.get(..at).and_then(|before| before.chars().next_back());
        let after = command.get(at + "PORT".len()..).and_then(|after| after.chars().next());
        let is_whole = !before.is_some_and(is_name) && !after.is_some_and(is_name);
        is_whole && after != Some('=')
    })
}

fn of_another(target: MoveTarget, moved: &MovedType<'_>) -> Option<MoveFinding> {
    let listens =
        mentions_port(&moved.command) || moved.read.commands.iter().any(|command| Server::of(command).is_some());
    if !listens {
        return None;
    }
    let name = moved.process_type;
    let (fact, hint) = match target {
        MoveTarget::Heroku => (
            "heroku sends requests only to `web`".to_owned(),
            "let `web` pass requests on, or make it an app of its own: `heroku create`".to_owned(),
        ),
        MoveTarget::Dokku => (
            "dokku sends requests only to `web`".to_owned(),
            format!("let `web` pass requests on, or make it an app of its own: `dokku apps:create {name}`"),
        ),
        MoveTarget::Kubernetes => (
            format!(
                "the Ingress of `dyno export kubernetes` leads only to `web`, and `{name}` has a Service inside the cluster"
            ),
            "if clients need it, add a rule: `kubectl edit ingress`".to_owned(),
        ),
        MoveTarget::Compose => (
            format!("`dyno export compose` publishes only `web`, and the other services reach `{name}` by its name"),
            format!(
                "if clients need it, add `ports` to it in a file of your own: `docker compose -f compose.yaml -f {name}.yaml up`"
            ),
        ),
        MoveTarget::Cnb => (
            "a container of the image runs one process type".to_owned(),
            format!("run another container for it: `docker run --entrypoint {name} IMAGE`"),
        ),
        MoveTarget::Systemd => return None,
    };
    Some(moved.finding(false, format!("`{name}` listens as well; {fact}"), hint))
}
