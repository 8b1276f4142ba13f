//! Which of the places that can set a value wins, and which ones it overrides (S1.7, S3.1, S5.2).
//!
//! The only file that knows this order. What a value means is decided by the caller.

use std::fmt;

use crate::app::{Layers, Origin, SourcedValue};
use crate::model::Secret;

/// What sets a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SetBy {
    /// Nothing: it has its default.
    Default,
    /// An option, such as `-p`.
    Option(&'static str),
    /// A line of `.foreman`.
    Foreman {
        file: String,
        /// 1-based.
        line: usize,
        key: &'static str,
    },
    /// A variable of `--set`, a file or the shell.
    Variable { name: &'static str, origin: Origin },
}

impl SetBy {
    /// File, line and key, if it is a line of a file.
    pub(crate) fn line(&self) -> Option<(&str, usize, &'static str)> {
        match self {
            Self::Foreman { file, line, key } => Some((file, *line, key)),
            Self::Variable { name, origin: Origin::File { name: file, line } } => Some((file, *line, name)),
            Self::Variable { origin: Origin::Shell | Origin::Default | Origin::Option | Origin::Dyno, .. }
            | Self::Default
            | Self::Option(_) => None,
        }
    }

    /// Whether it depends on the shell in which `dyno` was started.
    pub(crate) fn is_shell(&self) -> bool {
        matches!(self, Self::Variable { origin: Origin::Shell, .. })
    }
}

impl fmt::Display for SetBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the default of `dyno`"),
            Self::Option(name) => write!(f, "`{name}`"),
            Self::Foreman { file, line, .. } => write!(f, "{file}:{line}"),
            Self::Variable { origin, .. } => origin.fmt(f),
        }
    }
}

/// A value and what sets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given<T> {
    pub(crate) value: T,
    pub(crate) by: SetBy,
}

/// Where `.foreman` comes among the variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ForemanRank {
    /// After `--set`, before the variables of files and the shell, because it is the default of an option.
    AboveFiles,
    /// After all of them.
    Last,
}

/// Everything that sets a value, the strongest first: the option, `--set`, the files or with `--prefer-shell` the shell,
/// then the other, and `.foreman` at its rank. A place whose last value is blank sets
/// nothing. `read`: the value for the text of a variable.
pub(crate) fn ranked<T>(
    option: Option<Given<T>>,
    variable: &'static str,
    layers: &Layers,
    foreman: Option<(ForemanRank, Given<T>)>,
    read: impl Fn(&[u8]) -> T,
) -> Vec<Given<T>> {
    let mut all: Vec<Given<T>> = option.into_iter().collect();
    let by_option = all.len();
    for of_one_place in layers.explain(variable.as_bytes(), None).chunk_by(is_same_place) {
        let is_blank = |value: &Secret| value.reveal().trim_ascii().is_empty();
        if of_one_place.first().and_then(|given| given.value.as_ref()).is_none_or(is_blank) {
            continue;
        }
        all.extend(of_one_place.iter().filter_map(|given| {
            let by = SetBy::Variable { name: variable, origin: given.origin.clone() };
            Some(Given { value: read(given.value.as_ref()?.reveal()), by })
        }));
    }
    if let Some((rank, given)) = foreman {
        let is_set_option = |one: &Given<T>| matches!(one.by, SetBy::Variable { origin: Origin::Option, .. });
        let at = match rank {
            ForemanRank::AboveFiles => by_option + all.iter().filter(|one| is_set_option(one)).count(),
            ForemanRank::Last => all.len(),
        };
        all.insert(at, given);
    }
    all
}

/// All files are one place: the last of their lines decides, and so does the last `--set`.
fn is_same_place(one: &SourcedValue, other: &SourcedValue) -> bool {
    std::mem::discriminant(&one.origin) == std::mem::discriminant(&other.origin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::EnvFile;
    use crate::model::Environment;

    fn layers(prefer_shell: bool) -> Layers {
        let mut shell = Environment::default();
        shell.set("PORT", "6000");
        let mut layers = Layers::new(shell, prefer_shell);
        let file = EnvFile::parse(b"A=1\nPORT=7000\n", &layers.scope()).unwrap();
        layers.add_file(".env", file);
        layers.add_setting(b"PORT=8500").unwrap();
        layers
    }

    fn origins(layers: &Layers, rank: ForemanRank) -> String {
        let option = Some(Given { value: "9000".to_owned(), by: SetBy::Option("-p") });
        let by = SetBy::Foreman { file: ".foreman".to_owned(), line: 3, key: "port" };
        let foreman = Given { value: "8000".to_owned(), by };
        let read = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
        let all = ranked(option, "PORT", layers, Some((rank, foreman)), read);
        all.iter().map(|one| format!("{} {}", one.by, one.value)).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn s5_2_option_then_set_then_foreman_then_files_then_shell() {
        assert_eq!(
            origins(&layers(false), ForemanRank::AboveFiles),
            "`-p` 9000, `--set` 8500, .foreman:3 8000, .env:2 7000, the shell 6000"
        );
    }

    #[test]
    fn s3_1_with_prefer_shell_the_shell_comes_before_the_files() {
        assert_eq!(
            origins(&layers(true), ForemanRank::AboveFiles),
            "`-p` 9000, `--set` 8500, .foreman:3 8000, the shell 6000, .env:2 7000"
        );
    }

    #[test]
    fn s1_7_foreman_names_the_procfile_only_if_no_variable_does() {
        assert_eq!(
            origins(&layers(false), ForemanRank::Last),
            "`-p` 9000, `--set` 8500, .env:2 7000, the shell 6000, .foreman:3 8000"
        );
    }

    #[test]
    fn s5_2_a_place_whose_last_value_is_blank_sets_nothing() {
        let mut layers = layers(false);
        layers.add_setting(b"PORT=").unwrap();
        let blank = EnvFile::parse(b"PORT=\" \"\n", &layers.scope()).unwrap();
        layers.add_file(".env.local", blank);

        assert_eq!(origins(&layers, ForemanRank::AboveFiles), "`-p` 9000, .foreman:3 8000, the shell 6000");
    }
}
