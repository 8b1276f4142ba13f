//! Whether `web` listens on the loopback interface alone, where nothing outside its container can reach it.

use super::ports::{NO_SERVERS, add, mentions_port};
use super::server::{Server, given_values, port_of};
use super::shell_line::ShellCommand;
use super::{MoveFinding, MoveTarget, MovedType};

/// Options that most programs use for an address.
const USUAL_OPTIONS: [&str; 11] = [
    "-b",
    "--bind",
    "--binding",
    "-H",
    "--host",
    "--hostname",
    "--listen",
    "--addr",
    "--address",
    "--http-address",
    "--server.address",
];

/// Variables that many servers read.
const USUAL_VARIABLES: [&str; 2] = ["HOST", "BINDING"];

pub(super) fn find(target: MoveTarget, moved: &MovedType<'_>) -> Option<MoveFinding> {
    // There a proxy on the same machine can reach it.
    if target == MoveTarget::Systemd || !moved.is_web() {
        return None;
    }
    let place = if target == MoveTarget::Heroku { "dyno" } else { "container" };
    let unreachable = format!("where nothing outside its {place} can reach it");
    let commands = &moved.read.commands;
    let servers = || commands.iter().filter_map(Server::of);
    if let Some((host, instead)) = servers().find_map(|server| server.local_address()) {
        let message = format!("`web` listens on `{host}`, {unreachable}");
        return Some(moved.finding(true, message, format!("write `{instead}`")));
    }
    if let Some((host, instead)) = commands.iter().find_map(usual_address) {
        let message = format!("`web` seems to listen on `{host}`, {unreachable}");
        return Some(moved.finding(false, message, format!("write `{instead}`")));
    }
    let has_variable = commands.iter().flat_map(|command| &command.assignments).any(|(name, _)| name.ends_with("HOST"));
    let server = servers().find(Server::is_local_by_default).filter(|_| !has_variable)?;
    // Otherwise it does not use the port either, and the words that it lacks have an address, too.
    if !mentions_port(&moved.command) && server.fixed_port().is_none() {
        return None;
    }
    let name = server.name();
    let message = format!("`{name}` listens on `127.0.0.1` by default, {unreachable}");
    let public = server.known.public;
    let hint = if server.known.is_argument { format!("write `{public}`") } else { add(moved, &name, public) };
    // Its configuration may name one, too.
    Some(moved.finding(false, message, hint))
}

/// A loopback address that a program probably listens on, and what to write instead.
fn usual_address(command: &ShellCommand) -> Option<(String, String)> {
    let of_variable = command.assignments.iter().find_map(|(name, value)| {
        let host = loopback_host(value).filter(|_| USUAL_VARIABLES.contains(&name.as_str()))?;
        Some((host.to_owned(), format!("{name}={}", value.replacen(host, EVERYWHERE, 1))))
    });
    let is_server = command.words.first().is_some_and(|program| !NO_SERVERS.contains(&program.as_str()));
    of_variable.or_else(|| local_address(&command.words, &USUAL_OPTIONS).filter(|_| is_server))
}

/// The address with which a server listens on every interface.
const EVERYWHERE: &str = "0.0.0.0";

/// The loopback address that one of these options names, and the words to write instead. None for one with a fixed port, which is
/// found by that.
pub(super) fn local_address(words: &[String], options: &[&str]) -> Option<(String, String)> {
    given_values(words, options).find_map(|given| {
        let host = loopback_host(given.value).filter(|_| port_of(given.value).is_none())?;
        let value = given.value.replacen(host, EVERYWHERE, 1);
        Some((host.to_owned(), format!("{}{}{value}", given.option, given.between)))
    })
}

/// The host of an address such as `tcp://127.0.0.1:$PORT?x`, if it is this machine alone.
pub(super) fn loopback_host(text: &str) -> Option<&str> {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let address = rest.split(['/', '?', '$']).next()?;
    let host = match address.strip_prefix('[') {
        Some(_) => address.split_inclusive(']').next()?,
        None if address.matches(':').count() == 1 => address.split(':').next()?,
        None => address,
    };
    let is_number = host.strip_prefix("127.").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
    (is_number || ["localhost", "::1", "[::1]"].contains(&host)).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loopback_address_is_found_in_every_way_to_write_one() {
        for (text, host) in [
            ("127.0.0.1", "127.0.0.1"),
            ("localhost:$PORT", "localhost"),
            ("tcp://127.0.0.1:${PORT:-3000}?x=y", "127.0.0.1"),
            ("[::1]:$PORT", "[::1]"),
            ("::1", "::1"),
        ] {
            assert_eq!(loopback_host(text), Some(host), "{text}");
        }
        for text in
            ["0.0.0.0", "::", "$HOST", ":$PORT", "unix:/tmp/127.0.0.1", "127.example.com", "localhost.example.com"]
        {
            assert_eq!(loopback_host(text), None, "{text}");
        }
    }
}
