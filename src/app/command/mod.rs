//! Command lines as the shell reads them: which can do without a shell or get `exec`, and how words are quoted (S1.6, S9).

mod line;
mod profile;
pub(super) mod scan;
pub(super) mod shell_words;
mod without_shell;

pub use line::{
    AppendError, ShellLine, append_words, bash_word, join_words, program_word, quote_word, shell_line, shown_words,
};
pub use profile::with_profile;
pub use scan::Construct;
pub use without_shell::{Direct, without_shell};
