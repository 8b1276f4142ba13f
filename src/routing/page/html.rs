//! Text in HTML.

use std::fmt::{self, Write};

/// The look of all pages: readable without any other file, in light and dark.
const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem}\
h1{font-size:1.4rem;margin:0 0 .5rem}\
.code{opacity:.65;font-weight:normal}\
pre{background:#8882;padding:.75rem 1rem;border-radius:6px;overflow-x:auto;font:13px/1.45 ui-monospace,monospace}\
dl{display:grid;grid-template-columns:max-content auto;gap:.1rem 1rem}\
dt{opacity:.65}dd{margin:0}\
footer{margin-top:2rem;font-size:.85rem;opacity:.65}";

/// Text whose characters mean nothing in HTML.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\n' | '\t' => f.write_char(character)?,
                // Not allowed in HTML.
                control if control.is_control() => f.write_char('\u{fffd}')?,
                _ => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

/// A whole page. `body` is HTML.
pub(super) fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{}</title>\n<style>{STYLE}</style>\n</head>\n\
         <body>\n{body}<footer>dyno router</footer>\n</body>\n</html>\n",
        Escaped(title)
    )
}

/// A line of a log without the sequences that only a terminal understands.
pub(super) fn without_escapes(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => match characters.next() {
                // Up to the final character of a control sequence.
                Some('[') => {
                    characters.by_ref().find(|character| ('@'..='~').contains(character));
                }
                // A text for the terminal, such as a link, up to BEL or ST.
                Some(']') => {
                    while let Some(character) = characters.next() {
                        if character == '\u{7}' || (character == '\u{1b}' && characters.next_if_eq(&'\\').is_some()) {
                            break;
                        }
                    }
                }
                Some(_) | None => {}
            },
            '\t' => plain.push('\t'),
            control if control.is_control() => {}
            _ => plain.push(character),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s16_5_text_of_a_dyno_cannot_become_html() {
        let text = "<script>alert(\"1\")</script>&amp;'\u{0}\u{1b}\n";
        let escaped = "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;amp;&#39;\u{fffd}\u{fffd}\n";
        assert_eq!(Escaped(text).to_string(), escaped);
        assert!(document("<x>", "").contains("<title>&lt;x&gt;</title>"));
    }

    #[test]
    fn s16_5_colours_and_links_of_a_terminal_are_left_out() {
        let link = "\u{1b}]8;;http://x\u{7}here\u{1b}]8;;\u{1b}\\.";
        for (line, plain) in [
            ("\u{1b}[31mError\u{1b}[0m: \u{1b}[1;4mx", "Error: x"),
            (link, "here."),
            ("a\tb\rc\u{8}\u{9b}", "a\tbc"),
            ("end\u{1b}", "end"),
            ("end\u{1b}[31", "end"),
            ("\u{1b}]open", ""),
            ("gr\u{fc}n", "gr\u{fc}n"),
        ] {
            assert_eq!(without_escapes(line), plain, "{line:?}");
        }
    }
}
