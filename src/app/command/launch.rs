//! Decides what is executed for a command line: a shell, or the program itself (S1.6).
//!
//! `sh -c "exec puma -C config/puma.rb"` only looks up `puma` and becomes it. If that is clearly all the shell would
//! do, the guardian does it itself and saves one exec. The dyno must not be able to tell the difference. In case of
//! doubt, or if none of the candidate programs can be executed, the shell gets the line and prints its own error
//! message.

use super::line::{ShellLine, shell_line};
use super::profile::with_profile;
use crate::app::text::source::is_blank;
use crate::model::{Environment, Launch, Shell};

/// Maximum number of `PATH` entries that are searched. A longer `PATH` is left to the shell.
const MAX_PATH_ENTRIES: usize = 256;

/// Longest program that is looked up: `PATH_MAX`, longer than any path. With many `PATH` entries, a longer one would make
/// the request to the guardian too large.
const MAX_PROGRAM_BYTES: usize = 4096;

/// Variables that change what a shell does, or that a shell changes.
const SHELL_VARIABLES: [&[u8]; 5] = [b"BASHOPTS", b"IFS", b"OPTIND", b"PPID", b"SHELLOPTS"];

/// The paths to try and the words of a command.
type PathsAndWords = (Vec<Vec<u8>>, Vec<Vec<u8>>);

/// What is executed for a command line. `environment`: that of the dyno. With bash the profile of the app is sourced first
/// (S3.3).
#[must_use]
pub fn launch(command_line: &[u8], shell: Shell, environment: &Environment) -> Launch {
    let ShellLine { line, command, leads } = shell_line(command_line);
    match (shell, command.and_then(|command| program(command, environment))) {
        (Shell::Sh, Some((paths, words))) => Launch::Program { paths, words, line },
        (Shell::Sh, None) => Launch::Shell { shell, line, leads },
        (Shell::Bash, _) => Launch::Shell { shell, line: with_profile(&line), leads },
    }
}

/// The line that the shell gets for a command line.
#[must_use]
pub fn line_for_shell(command_line: &[u8], shell: Shell) -> Vec<u8> {
    let line = shell_line(command_line).line;
    match shell {
        Shell::Sh => line,
        Shell::Bash => with_profile(&line),
    }
}

/// The paths and words of a command that follows `exec`, if the shell would do nothing but execute it.
fn program(command: &[u8], environment: &Environment) -> Option<PathsAndWords> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-./:=@%+,".contains(byte) || is_blank(*byte);
    if !command.iter().all(plain) {
        return None;
    }
    let words: Vec<Vec<u8>> =
        command.split(|byte| is_blank(*byte)).filter(|word| !word.is_empty()).map(<[u8]>::to_vec).collect();
    let program = words.first().filter(|word| !word.starts_with(b"-") && word.len() <= MAX_PROGRAM_BYTES)?;
    if !environment.iter().all(|(name, _)| passes_shell(name)) {
        return None;
    }
    let paths = if program.contains(&b'/') {
        vec![program.clone()]
    } else {
        candidates(environment.get(b"PATH")?.reveal(), program)?
    };
    Some((paths, words))
}

/// Whether every shell passes on a variable of this name unchanged. dash drops names that it could not use itself.
fn passes_shell(name: &[u8]) -> bool {
    let is_name_byte = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    !name.first().is_none_or(u8::is_ascii_digit) && name.iter().all(is_name_byte) && !SHELL_VARIABLES.contains(&name)
}

fn candidates(path: &[u8], program: &[u8]) -> Option<Vec<Vec<u8>>> {
    let entries = || path.split(|byte| *byte == b':');
    // In dash, `%` has a special meaning in a `PATH` entry.
    if path.contains(&b'%') || entries().nth(MAX_PATH_ENTRIES).is_some() {
        return None;
    }
    // An empty entry is the working directory.
    Some(
        entries()
            .map(|entry| if entry.is_empty() { program.to_vec() } else { [entry, b"/", program].concat() })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Paths and words, if no shell is needed.
    fn direct_in(line: &str, variables: &[(&str, &str)]) -> Option<PathsAndWords> {
        let mut environment = Environment::default();
        for (name, value) in variables {
            environment.set(*name, *value);
        }
        match launch(line.as_bytes(), Shell::Sh, &environment) {
            Launch::Program { paths, words, .. } => Some((paths, words)),
            Launch::Shell { .. } => None,
        }
    }

    fn direct(line: &str) -> Option<PathsAndWords> {
        direct_in(line, &[("PATH", "/bin:/usr/bin"), ("LANG", "C")])
    }

    fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
        texts.iter().map(|text| text.as_bytes().to_vec()).collect()
    }

    #[test]
    fn a_plain_command_is_looked_up_in_the_path_of_the_dyno() {
        let found = direct("exec  puma -C\tconfig/puma.rb -b tcp://0.0.0.0:80 a=b@c%d+e,f ").unwrap();
        assert_eq!(found.0, texts(&["/bin/puma", "/usr/bin/puma"]));
        assert_eq!(found.1, texts(&["puma", "-C", "config/puma.rb", "-b", "tcp://0.0.0.0:80", "a=b@c%d+e,f"]));
        assert_eq!(direct("exec bin/web").unwrap().0, texts(&["bin/web"]));
        assert_eq!(direct_in("exec web", &[("PATH", ":bin:")]).unwrap().0, texts(&["web", "bin/web", "web"]));
    }

    #[test]
    fn a_line_with_shell_syntax_needs_the_shell() {
        for line in [
            "exec web $PORT",
            "exec web 'a b'",
            "exec web \"a\"",
            "exec web a\\ b",
            "exec web ~",
            "exec web *.rb",
            "exec web a?",
            "exec web [ab]",
            "exec web {a,b}",
            "exec web # why",
            "exec web >log",
            "exec web 2>&1",
            "exec web; true",
            "exec web & true",
            "exec web | cat",
            "exec `web`",
            "exec (web)",
            "exec web !",
            "exec web\nexec other",
            "exec web ^a",
            "exec wéb",
            "exec web a\u{0}",
            &format!("exec {}", "x".repeat(MAX_PROGRAM_BYTES + 1)),
        ] {
            assert_eq!(direct(line), None, "{line}");
        }
    }

    #[test]
    fn a_line_that_is_not_a_plain_exec_needs_the_shell() {
        for line in ["", "exec", "exec ", "exec\u{b}web", "exec -a name web", "exec -- web", "PORT=1 exec web"] {
            assert_eq!(direct(line), None, "{line}");
        }
    }

    #[test]
    fn a_variable_that_a_shell_drops_or_changes_needs_the_shell() {
        let path = ("PATH", "/bin");
        assert!(direct_in("exec web", &[path, ("a_1", "x"), ("_", "x")]).is_some());
        for name in ["a.b", "a-b", "1a", "BASH_FUNC_f%%", "", "IFS", "OPTIND", "PPID", "SHELLOPTS"] {
            assert_eq!(direct_in("exec web", &[path, (name, "x")]), None, "{name}");
        }
    }

    #[test]
    fn a_path_that_is_missing_odd_or_very_long_needs_the_shell() {
        assert_eq!(direct_in("exec web", &[]), None);
        assert_eq!(direct_in("exec web", &[("PATH", "/bin:/lib%func")]), None);
        assert!(direct_in("exec web", &[("PATH", &["/bin"; MAX_PATH_ENTRIES].join(":"))]).is_some());
        assert_eq!(direct_in("exec web", &[("PATH", &["/bin"; MAX_PATH_ENTRIES + 1].join(":"))]), None);
        // A program with a slash needs no lookup.
        assert!(direct_in("exec ./web", &[]).is_some());
    }

    #[test]
    fn s1_6_exec_makes_no_difference_to_a_plain_command() {
        assert_eq!(direct("puma -p 1"), direct("exec puma -p 1"));
        assert_eq!(direct("execweb").unwrap().1, texts(&["execweb"]));
    }

    #[test]
    fn s3_3_bash_gets_every_line_to_source_the_profile_first() {
        let launched = launch(b"web", Shell::Bash, &Environment::default());

        assert!(launched.line().ends_with(b"\nexec web") && !launched.shell_leads());
        assert_eq!(launched.shell(), Shell::Bash);
    }
}
