//! Command lines as the shell reads them: which can do without a shell or get `exec`, and how words are quoted (S1.6, S9).

mod append;
mod construct;
mod ending;
mod launch;
mod line;
mod profile;
pub(super) mod scan;
pub(super) mod shell_words;

pub use append::{AppendError, append_text, append_words};
pub use construct::Construct;
pub use launch::{launch, line_for_shell};
pub use line::{bash_word, join_words, program_word, quote_word, shown_words};
