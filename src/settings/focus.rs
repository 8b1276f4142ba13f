//! `--focus`: which dyno has the keyboard (S6.8), and which options it excludes.

use super::life::known_type;
use super::{Look, StreamSettings};
use crate::cli::{LogFormatName, PtyMode};
use crate::error::Error;
use crate::model::{DynoName, ProcessType};

/// The dyno that has the keyboard, if one is named.
///
/// `types`: the process types in the Procfile; `dynos`: all that will run, including the release command.
///
/// # Errors
/// Status 2: there is no such dyno, or another option forbids what it needs.
pub(crate) fn focused(
    streams: &StreamSettings,
    look: &Look,
    types: &[ProcessType],
    dynos: &[DynoName],
    stdin_is_terminal: bool,
) -> Result<Option<DynoName>, Error> {
    let Some(text) = &streams.focus else { return Ok(None) };
    let dyno = named(text, types, dynos)?;
    if look.quiet.iter().any(|name| name == dyno.process_type.as_str()) {
        let hint = format!("leave out `--quiet {}`: `--focus` shows the output of `{dyno}`", dyno.process_type);
        return Err(Error::usage(
            format!("`--focus {text}` cannot be used with `--quiet {}`", dyno.process_type),
            hint,
        ));
    }
    if look.format == LogFormatName::Json {
        let fact = format!("`--focus {text}` shows the raw output of `{dyno}`, which is not JSON");
        return Err(Error::usage(fact, "leave out `--log-format json`"));
    }
    if streams.procfile_is_stdin {
        let fact = format!("`--focus {text}` gives stdin to `{dyno}`, but `-f -` reads the Procfile from stdin");
        return Err(Error::usage(fact, "name a file with `-f`"));
    }
    if streams.pty == PtyMode::Never && stdin_is_terminal {
        let fact = format!("`--focus {text}` needs a terminal for `{dyno}`, but `--pty never` forbids it");
        return Err(Error::usage(fact, "leave out `--pty never`"));
    }
    Ok(Some(dyno))
}

fn named(text: &str, types: &[ProcessType], dynos: &[DynoName]) -> Result<DynoName, Error> {
    if let Some((name, _)) = text.split_once(['=', ',']) {
        let fact = format!("`--focus {text}` must name a single dyno");
        let process_type = name.split('.').next().unwrap_or(name);
        let hint =
            format!("write `--focus {process_type}`, which is `{process_type}.1`, or `--focus {process_type}.2`");
        return Err(Error::usage(fact, hint));
    }
    let (name, index) = match text.rsplit_once('.') {
        // Spelled as in the log: `web.01` does not name a dyno.
        Some((name, index)) => (name, index.parse().ok().filter(|_| !index.starts_with(['0', '+']))),
        None => (text, Some(1)),
    };
    let process_type = match dynos.iter().find(|dyno| dyno.process_type.as_str() == name) {
        Some(dyno) => dyno.process_type.clone(),
        None => known_type("--focus", name, types)?,
    };
    let mut of_type = dynos.iter().filter(|dyno| dyno.process_type == process_type);
    if let Some(found) = of_type.clone().find(|dyno| Some(dyno.index) == index) {
        return Ok(found.clone());
    }
    Err(match of_type.next_back() {
        None => {
            let fact = format!("`--focus {text}`: the formation has no dyno of type `{name}`");
            Error::usage(fact, format!("give it a quantity: `{name}=1`"))
        }
        Some(last) if last.index == 1 => {
            Error::usage(format!("`--focus {text}`: there is no such dyno"), format!("write `--focus {name}`"))
        }
        Some(last) => {
            let hint = format!("the dynos are `{name}.1` to `{last}`");
            Error::usage(format!("`--focus {text}`: there is no such dyno"), hint)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dyno(name: &str, index: u32) -> DynoName {
        DynoName::new(ProcessType::new(name).expect("a name"), index)
    }

    /// The dyno that `text` names among web.1, web.2, job.1 and release.1, or what is wrong.
    fn find(text: &str) -> String {
        let types = ["web", "job", "worker"].map(|name| ProcessType::new(name).expect("a name"));
        let dynos = [dyno("release", 1), dyno("web", 1), dyno("web", 2), dyno("job", 1)];
        match named(text, &types, &dynos) {
            Ok(dyno) => dyno.to_string(),
            Err(error) => format!("{error} ({})", error.complaints()[0].hint),
        }
    }

    #[test]
    fn s6_8_a_type_means_its_first_dyno() {
        assert_eq!(["web", "web.1", "web.2", "release"].map(find), ["web.1", "web.1", "web.2", "release.1"]);
    }

    #[test]
    fn s6_8_an_unknown_dyno_suggests_an_existing_one() {
        let none = "there is no such dyno";
        assert_eq!(find("wbe"), "`--focus`: the Procfile has no process type `wbe` (did you mean `web`?)");
        assert_eq!(
            find("worker"),
            "`--focus worker`: the formation has no dyno of type `worker` (give it a quantity: `worker=1`)"
        );
        assert_eq!(find("web.3"), format!("`--focus web.3`: {none} (the dynos are `web.1` to `web.2`)"));
        assert_eq!(find("web.x"), format!("`--focus web.x`: {none} (the dynos are `web.1` to `web.2`)"));
        assert_eq!(find("job.2"), format!("`--focus job.2`: {none} (write `--focus job`)"));
        for text in ["web=2", "web,job", "web.2,job"] {
            assert_eq!(
                find(text),
                format!(
                    "`--focus {text}` must name a single dyno \
                     (write `--focus web`, which is `web.1`, or `--focus web.2`)"
                )
            );
        }
    }
}
