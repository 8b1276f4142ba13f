//! Commands that need a shell, or bash, where there may be none.

use super::{MoveFinding, MoveTarget, MovedType};
use crate::app::{bash_word, some_in_words};

/// Syntax that bash has, but other shells may not have.
const BASH_SYNTAX: [&str; 5] = ["<<<", "<(", "&>", "|&", "(("];

/// Where the command runs with `/bin/sh`, which may be dash or that of busybox.
pub(super) fn bash(target: MoveTarget, moved: &MovedType<'_>) -> Option<MoveFinding> {
    match target {
        MoveTarget::Kubernetes | MoveTarget::Compose | MoveTarget::Systemd => {}
        // They run bash.
        MoveTarget::Heroku | MoveTarget::Dokku | MoveTarget::Cnb => return None,
    }
    let command = outside_quotes(&moved.command);
    let syntax = || BASH_SYNTAX.into_iter().find(|syntax| command.contains(syntax));
    let word = bash_word(command.as_bytes()).or_else(syntax)?;
    let message = format!("`{}` uses `{word}` of bash, but {target} runs it with `/bin/sh`", moved.process_type);
    Some(moved.finding(false, message, "write `bash -c '…'` around the command"))
}

/// The line without what is in quotes: another program may read that.
fn outside_quotes(line: &str) -> String {
    let mut quote = None;
    let outside = |c: &char| {
        if let Some(open) = quote {
            if *c == open {
                quote = None;
            }
            return false;
        }
        quote = Some(*c).filter(|c| *c == '\'' || *c == '"');
        quote.is_none()
    };
    line.chars().filter(outside).collect()
}

/// One note for all process types: most apps need a shell, and most images have one.
pub(super) fn without_shell(target: MoveTarget, types: &[MovedType<'_>]) -> Option<MoveFinding> {
    let hint = match target {
        MoveTarget::Cnb => "choose an image with a shell: `pack build IMAGE --run-image heroku/heroku:24`",
        MoveTarget::Kubernetes | MoveTarget::Compose => {
            "see whether the image has one: `docker run --rm --entrypoint /bin/sh IMAGE -c true`"
        }
        MoveTarget::Heroku | MoveTarget::Dokku | MoveTarget::Systemd => return None,
    };
    let needing: Vec<&MovedType<'_>> = types.iter().filter(|moved| moved.read.needs_shell.is_some()).collect();
    let (first, others) = needing.split_first()?;
    let names: Vec<&str> = needing.iter().map(|moved| moved.process_type.as_str()).collect();
    let verb = if others.is_empty() { "needs" } else { "need" };
    let why = first.read.needs_shell.as_deref().unwrap_or_default();
    let message = format!("{} {verb} a shell (`{why}`), which small images do not have", some_in_words(&names));
    Some(first.finding(false, message, hint))
}
