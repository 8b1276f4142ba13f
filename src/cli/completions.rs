//! Options of `dyno completions`, and of the question that its scripts ask.

use std::ffi::OsString;

use clap::{Args, ValueEnum};

/// Options of `dyno completions`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dyno completions bash > ~/.local/share/bash-completion/completions/dyno\n  dyno completions zsh > ~/.zfunc/_dyno            a directory of your `fpath`\n  dyno completions fish > ~/.config/fish/completions/dyno.fish\n  dyno completions elvish >> ~/.config/elvish/rc.elv\n  dyno completions powershell >> $PROFILE"
)]
pub struct CompletionsArgs {
    /// The shell that reads the script
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: Shell,
}

/// A shell that can ask what may stand at the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// 4.4 and later.
    Bash,
    /// With `compinit`.
    Zsh,
    /// 3.0 and later.
    Fish,
    /// 0.18 and later.
    Elvish,
    /// 7 and later.
    #[value(name = "powershell", alias = "pwsh")]
    PowerShell,
}

/// What a script asks: `dyno __complete`. Hidden from people, fixed for scripts that were made by an older version.
#[derive(Debug, Args)]
pub struct CursorArgs {
    /// The line up to the cursor, as it was typed
    #[arg(long, value_name = "LINE", conflicts_with = "words")]
    pub line: Option<OsString>,
    /// The words up to the cursor, the program first, without their quotes
    #[arg(value_name = "WORD", trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<OsString>,
}
