//! Options of `dyno completions`.

use clap::{Args, ValueEnum};

/// Options of `dyno completions`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  echo '. <(dyno completions bash)' >> ~/.bashrc\n  echo 'autoload -U compinit; compinit; . <(dyno completions zsh)' >> ~/.zshrc\n  mkdir -p ~/.config/fish/completions ~/.config/elvish\n  echo 'dyno completions fish | source' > ~/.config/fish/completions/dyno.fish\n  echo 'eval (dyno completions elvish | slurp)' >> ~/.config/elvish/rc.elv\n\nEach takes effect in the next shell and needs no change when `dyno` is updated."
)]
pub struct CompletionsArgs {
    /// The shell to print the script for
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: CompletionShell,
}

/// A shell with completion for `dyno`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CompletionShell {
    /// 4.4 and later.
    Bash,
    /// With `compinit`.
    Zsh,
    /// 3.1 and later.
    Fish,
    /// 0.18 and later.
    Elvish,
}
