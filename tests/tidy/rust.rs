//! Finds the names that a Rust file uses: its tokens, and the paths that they form.
//!
//! Not a parser: it knows only comments, literals, `use` trees and what `#[cfg(test)]` covers.

/// A word or a symbol of the language with its line. `::` is one token; comments and literals are not tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// 1-based.
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// A name as written, such as `["std", "fs", "read"]`, with its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path {
    /// 1-based.
    pub(crate) line: usize,
    pub(crate) segments: Vec<String>,
    /// It is part of a `pub use`, which only passes the name on.
    pub(crate) is_passed_on: bool,
}

/// The tokens of a file.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let text = blank_comments_and_literals(text);
    let mut tokens: Vec<Token> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = if first.is_alphanumeric() || first == '_' {
                rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            tokens.push(Token { line: index + 1, text: rest[..length].to_owned() });
            rest = rest[length..].trim_start();
        }
    }
    tokens
}

/// The tokens outside `cfg(test)`, and the names of modules that exist only inside.
pub(crate) fn without_tests(tokens: &[Token]) -> (Vec<Token>, Vec<String>) {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut kept, mut test_modules) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < tokens.len() {
        let rest = &tokens[at..];
        if !(rest.len() >= MARK.len() && rest.iter().zip(MARK).all(|(token, mark)| token.text == mark)) {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        let end = at + MARK.len() + end_of_item(&rest[MARK.len()..]);
        let item = &tokens[at + MARK.len()..end];
        if let [.., keyword, name, last] = item
            && keyword.text == "mod"
            && last.text == ";"
        {
            test_modules.push(name.text.clone());
        }
        at = end;
    }
    (kept, test_modules)
}

/// The number of tokens of the first item: up to its `;` or its closing brace.
fn end_of_item(tokens: &[Token]) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => {
                depth = depth.saturating_sub(1);
                if depth == 0 && token.text == "}" {
                    return index + 1;
                }
            }
            ";" if depth == 0 => return index + 1,
            _ => {}
        }
    }
    tokens.len()
}

/// Every path of a file. A `use` tree gives one full path for each leaf.
pub(crate) fn paths(tokens: &[Token]) -> Vec<Path> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        // `impl Trait + use<'a>` names no path.
        if tokens[at].text == "use" && tokens.get(at + 1).is_some_and(|next| next.text != "<") {
            let is_passed_on = at > 0 && ["pub", ")"].contains(&tokens[at - 1].text.as_str());
            let first = found.len();
            at = use_tree(tokens, at + 1, &[], &mut found);
            found[first..].iter_mut().for_each(|path| path.is_passed_on = is_passed_on);
            continue;
        }
        let start = at;
        let mut segments = Vec::new();
        while at < tokens.len() && is_name(&tokens[at].text) {
            segments.push(tokens[at].text.clone());
            at += 1;
            if at + 1 < tokens.len() && tokens[at].text == "::" && is_name(&tokens[at + 1].text) {
                at += 1;
            } else {
                break;
            }
        }
        // `pub(in path)` says who may use an item.
        let is_visibility = start > 1 && tokens[start - 1].text == "in" && tokens[start - 2].text == "(";
        if segments.is_empty() {
            at = start + 1;
        } else if is_visibility {
            at = at.max(start + 1);
        } else {
            found.push(Path { line: tokens[start].line, segments, is_passed_on: false });
        }
    }
    found
}

/// Reads one branch of a `use` tree and returns where it ends.
fn use_tree(tokens: &[Token], mut at: usize, prefix: &[String], found: &mut Vec<Path>) -> usize {
    let mut segments = prefix.to_vec();
    while at < tokens.len() {
        let token = &tokens[at];
        match token.text.as_str() {
            "::" => at += 1,
            "{" => {
                at += 1;
                while at < tokens.len() && tokens[at].text != "}" {
                    at = use_tree(tokens, at, &segments, found);
                    if at < tokens.len() && tokens[at].text == "," {
                        at += 1;
                    }
                }
                return at + 1;
            }
            "as" => at += 2,
            "," | "}" | ";" => break,
            name => {
                segments.push(name.to_owned());
                at += 1;
            }
        }
    }
    let line = tokens.get(at.saturating_sub(1)).map_or(0, |token| token.line);
    found.push(Path { line, segments, is_passed_on: false });
    at
}

fn is_name(text: &str) -> bool {
    text.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_')
}

/// The same text with blanks in place of comments, strings and characters. Line numbers stay the same.
fn blank_comments_and_literals(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_or_comment_end(&chars, at);
        if end > at {
            out.extend(chars[at..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
            at = end;
        } else {
            out.push(chars[at]);
            at += 1;
        }
    }
    out
}

/// The end of the comment or literal that begins at `at`, or `at` if none begins there.
fn literal_or_comment_end(chars: &[char], at: usize) -> usize {
    let is = |offset: usize, c: char| chars.get(at + offset) == Some(&c);
    let find = |from: usize, end: &[char]| {
        (from..chars.len()).find(|&i| chars[i..].starts_with(end)).map_or(chars.len(), |i| i + end.len())
    };
    if is(0, '/') && is(1, '/') {
        return (at..chars.len()).find(|&i| chars[i] == '\n').unwrap_or(chars.len());
    }
    if is(0, '/') && is(1, '*') {
        return block_comment_end(chars, at);
    }
    let after_name = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    let hashes = chars[at + 1..].iter().take_while(|&&c| c == '#').count();
    if is(0, 'r') && (!after_name || chars[at - 1] == 'b') && is(1 + hashes, '"') {
        let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
        return find(at + 2 + hashes, &end);
    }
    if is(0, '"') {
        return quoted_end(chars, at, '"');
    }
    // 'a' and '\n' are characters; a lifetime such as 'a has no second quote.
    if is(0, '\'') && (is(1, '\\') || is(2, '\'')) {
        return quoted_end(chars, at, '\'');
    }
    at
}

fn block_comment_end(chars: &[char], at: usize) -> usize {
    let mut depth = 0_usize;
    let mut i = at;
    while i < chars.len() {
        if chars[i..].starts_with(&['/', '*']) {
            depth += 1;
            i += 2;
        } else if chars[i..].starts_with(&['*', '/']) {
            depth -= 1;
            i += 2;
            if depth == 0 {
                return i;
            }
        } else {
            i += 1;
        }
    }
    i
}

fn quoted_end(chars: &[char], at: usize, quote: char) -> usize {
    let mut i = at + 1;
    while i < chars.len() && chars[i] != quote {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    (i + 1).min(chars.len())
}
