//! What a command line can leave open at its end.

/// A part of a command line that goes on until its closing character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Construct {
    /// `'…'`.
    SingleQuotes,
    /// `"…"`.
    DoubleQuotes,
    /// A command substitution in backticks.
    Backticks,
    /// `$(…)`.
    Substitution,
    /// `(…)`.
    Parentheses,
    /// `${…}`.
    Braces,
    /// `${…}` in double quotes, even if nested in other braces.
    QuotedBraces,
}

impl Construct {
    /// What to do if it is never closed.
    pub(crate) fn hint(self) -> &'static str {
        match self {
            Self::SingleQuotes => "close the quote, or write an apostrophe as `\\'`",
            Self::DoubleQuotes => "close the quote",
            Self::Backticks => "close it with another backtick",
            Self::Substitution | Self::Parentheses => "close it with `)`",
            Self::Braces | Self::QuotedBraces => "close it with `}`",
        }
    }

    /// Whether the closing characters of other constructs have no effect in it.
    pub(super) fn quotes(self) -> bool {
        match self {
            Self::SingleQuotes | Self::DoubleQuotes | Self::Backticks => true,
            Self::Substitution | Self::Parentheses | Self::Braces | Self::QuotedBraces => false,
        }
    }
}

impl std::fmt::Display for Construct {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::SingleQuotes => "`'`",
            Self::DoubleQuotes => "`\"`",
            Self::Backticks => "backtick",
            Self::Substitution => "`$(`",
            Self::Parentheses => "`(`",
            Self::Braces | Self::QuotedBraces => "`${`",
        })
    }
}
