//! A command line as the shell reads it, as far as a move needs it: its commands with their words, and why it needs a shell.
//!
//! Nothing is expanded: `$PORT` stays in the word. In doubt, fewer commands are found.

/// A command line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ReadCommandLine {
    /// Its simple commands, also those of a `sh -c '…'`.
    pub(super) commands: Vec<ShellCommand>,
    /// The first thing in it that only a shell understands, such as `&&` or `$PORT`.
    pub(super) needs_shell: Option<String>,
}

/// A simple command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ShellCommand {
    /// `NAME=value` before its words.
    pub(super) assignments: Vec<(String, String)>,
    /// Its words without quotes.
    pub(super) words: Vec<String>,
    /// The files that it writes: `>` and `>>`.
    pub(super) written: Vec<String>,
}

/// Words after which another command begins.
const LEADING: [&str; 10] = ["!", "{", "if", "then", "else", "elif", "while", "until", "do", "time"];

/// Builtins: without a shell, there is no such program.
const BUILTINS: [&str; 14] =
    [".", "[[", "cd", "eval", "exec", "export", "for", "if", "set", "source", "trap", "ulimit", "umask", "while"];

impl ReadCommandLine {
    pub(super) fn read(line: &str) -> Self {
        let mut read = Self::without_scripts(line);
        let mut programs = read.commands.iter().filter_map(|command| command.words.first());
        let builtin = programs.find(|word| BUILTINS.contains(&word.as_str())).cloned();
        read.needs_shell = read.needs_shell.or(builtin);
        // One level is enough.
        let scripts = read.commands.iter().filter_map(script_of);
        let inner: Vec<ShellCommand> = scripts.flat_map(|script| Self::without_scripts(&script).commands).collect();
        read.commands.extend(inner);
        read
    }

    fn without_scripts(line: &str) -> Self {
        let mut reader = LineReader::default();
        let mut rest = line.chars().peekable();
        while let Some(c) = rest.next() {
            reader.step(c, &mut rest);
        }
        reader.end_command();
        reader.read
    }
}

/// The argument of `sh -c`.
fn script_of(command: &ShellCommand) -> Option<String> {
    let words = command.words.iter().skip_while(|word| *word == "exec").collect::<Vec<_>>();
    let shell = words.first()?.rsplit('/').next()?;
    let is_shell = ["sh", "bash", "dash", "zsh"].contains(&shell);
    let at = words.iter().position(|word| word.starts_with('-') && !word.starts_with("--") && word.ends_with('c'))?;
    words.get(at + 1).filter(|_| is_shell).map(|script| (*script).clone())
}

/// The characters after the current one.
type RestOfLine<'a> = std::iter::Peekable<std::str::Chars<'a>>;

#[derive(Debug, Default)]
struct LineReader {
    read: ReadCommandLine,
    command: ShellCommand,
    /// The word that is being read. Empty quotes are a word, too.
    word: Option<String>,
    /// The next word is a file that is written (`true`) or read (`false`).
    redirects: Option<bool>,
    in_comment: bool,
}

impl LineReader {
    fn step(&mut self, c: char, rest: &mut RestOfLine<'_>) {
        if self.in_comment {
            self.in_comment = c != '\n';
            return;
        }
        match c {
            ' ' | '\t' => self.end_word(),
            '\n' => {
                self.shell("a line break");
                self.end_command();
            }
            '#' if self.word.is_none() => self.in_comment = true,
            '\'' => {
                let word = self.word.get_or_insert_default();
                word.extend(rest.by_ref().take_while(|c| *c != '\''));
            }
            '"' => self.double_quotes(rest),
            '\\' => {
                let next = rest.next();
                self.word.get_or_insert_default().extend(next);
            }
            '$' => self.dollar(rest),
            '`' => {
                self.shell("`…`");
                let word = self.word.get_or_insert_default();
                word.push('`');
                word.extend(rest.by_ref().take_while(|c| *c != '`'));
                word.push('`');
            }
            '>' | '<' => self.redirection(c, rest),
            ';' | '&' | '|' | '(' | ')' => self.operator(c, rest),
            '*' | '?' => {
                self.shell(&c.to_string());
                self.word.get_or_insert_default().push(c);
            }
            _ => self.word.get_or_insert_default().push(c),
        }
    }

    fn double_quotes(&mut self, rest: &mut RestOfLine<'_>) {
        self.word.get_or_insert_default();
        while let Some(c) = rest.next() {
            match c {
                '"' => return,
                '$' => self.dollar(rest),
                '\\' => {
                    let next = rest.next();
                    self.word.get_or_insert_default().extend(next);
                }
                _ => self.word.get_or_insert_default().push(c),
            }
        }
    }

    /// `$NAME`, `${NAME…}`, `$(…)`, which stay in the word as they are written.
    fn dollar(&mut self, rest: &mut RestOfLine<'_>) {
        let mut text = String::from("$");
        match rest.peek() {
            Some(open @ ('{' | '(')) => {
                let open = *open;
                let close = if open == '{' { '}' } else { ')' };
                let mut depth = 0_usize;
                for c in rest.by_ref() {
                    text.push(c);
                    depth = if c == open {
                        depth + 1
                    } else if c == close {
                        depth.saturating_sub(1)
                    } else {
                        depth
                    };
                    if depth == 0 {
                        break;
                    }
                }
            }
            _ => {
                while let Some(c) = rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
                    text.push(c);
                }
            }
        }
        if text.len() > 1 {
            self.shell(&text);
        }
        self.word.get_or_insert_default().push_str(&text);
    }

    fn redirection(&mut self, c: char, rest: &mut RestOfLine<'_>) {
        // The number before it says which stream is meant.
        if self.word.as_ref().is_some_and(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())) {
            self.word = None;
        }
        self.end_word();
        self.shell(&c.to_string());
        rest.next_if(|next| *next == c || *next == '|');
        if rest.next_if_eq(&'&').is_some() {
            // `2>&1` names no file.
            while rest.next_if(|next| next.is_ascii_digit() || *next == '-').is_some() {}
            return;
        }
        if rest.peek() == Some(&'(') {
            return;
        }
        self.redirects = Some(c == '>');
    }

    fn operator(&mut self, c: char, rest: &mut RestOfLine<'_>) {
        if c == '&' && rest.peek() == Some(&'>') {
            // `&>` of bash: both streams.
            rest.next();
            self.end_word();
            self.shell("&>");
            rest.next_if_eq(&'>');
            self.redirects = Some(true);
            return;
        }
        let twice = rest.next_if_eq(&c).is_some();
        let text = if twice { format!("{c}{c}") } else { c.to_string() };
        self.shell(&text);
        self.end_command();
    }

    fn shell(&mut self, why: &str) {
        self.read.needs_shell.get_or_insert_with(|| why.to_owned());
    }

    fn end_word(&mut self) {
        let Some(word) = self.word.take() else { return };
        if let Some(writes) = self.redirects.take() {
            if writes {
                self.command.written.push(word);
            }
            return;
        }
        if self.command.words.is_empty() {
            if let Some((name, value)) = word.split_once('=').filter(|(name, _)| is_name(name)) {
                self.shell(&format!("{name}=…"));
                self.command.assignments.push((name.to_owned(), value.to_owned()));
                return;
            }
            if LEADING.contains(&word.as_str()) {
                self.shell(&word);
                return;
            }
        }
        self.command.words.push(word);
    }

    fn end_command(&mut self) {
        self.end_word();
        self.redirects = None;
        let command = std::mem::take(&mut self.command);
        if command != ShellCommand::default() {
            self.read.commands.push(command);
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|first: char| first.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Each command as `A=1|word|word|>file`.
    fn read(line: &str) -> Vec<String> {
        let shown = |command: ShellCommand| {
            let assignments = command.assignments.into_iter().map(|(name, value)| format!("{name}={value}"));
            let written = command.written.into_iter().map(|file| format!(">{file}"));
            assignments.chain(command.words).chain(written).collect::<Vec<_>>().join("|")
        };
        ReadCommandLine::read(line).commands.into_iter().map(shown).collect()
    }

    #[test]
    fn a_line_is_split_into_commands_and_words() {
        for (line, expected) in [
            ("npm start", &["npm|start"][..]),
            ("A=1 B='x y' web -p \"$PORT\" # -p 3", &["A=1|B=x y|web|-p|$PORT"]),
            ("cd app && exec ./web;./b & ./c|d", &["cd|app", "exec|./web", "./b", "./c", "d"]),
            ("web > log/a.log 2>>log/b 2>&1 < in", &["web|>log/a.log|>log/b"]),
            ("web &>all >&2", &["web|>all"]),
            ("if [ -f x ]; then ./web; fi", &["[|-f|x|]", "./web", "fi"]),
            ("web ${PORT:-$(echo 3)} a\\ b '' \"\"", &["web|${PORT:-$(echo 3)}|a b||"]),
            ("bash -lc 'exec web -p 3000'", &["bash|-lc|exec web -p 3000", "exec|web|-p|3000"]),
            ("a `b c` d", &["a|`b c`|d"]),
            ("a 'b", &["a|b"]),
            ("", &[]),
        ] {
            assert_eq!(read(line), expected, "{line}");
        }
    }

    #[test]
    fn what_only_a_shell_understands_is_named() {
        for (line, expected) in [
            ("npm start", None),
            ("web 'a b' \"c\"", None),
            ("web -p $PORT && x", Some("$PORT")),
            ("a && b", Some("&&")),
            ("a > b", Some(">")),
            ("A=1 b", Some("A=…")),
            ("cd x", Some("cd")),
            ("ls *.rb", Some("*")),
            ("web `hostname`", Some("`…`")),
            ("web \"$(hostname)\"", Some("$(hostname)")),
            ("web '$PORT'", None),
        ] {
            assert_eq!(ReadCommandLine::read(line).needs_shell.as_deref(), expected, "{line}");
        }
    }

    proptest! {
        #[test]
        fn reading_any_line_never_panics(line in "[ab$\"'`\\\\(){}#;&|<>~*!=\n 0-9-]{0,60}") {
            drop(ReadCommandLine::read(&line));
        }
    }
}
