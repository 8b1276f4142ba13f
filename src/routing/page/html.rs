//! Text in HTML.

use std::fmt::{self, Write};

/// The look of all pages: readable without any other file, in light and dark, and in a narrow window.
const STYLE: &str = "\
:root{color-scheme:light dark;--text:#1f2328;--dim:#59636e;--line:#d1d9e0;--soft:#f6f8fa;--link:#0a58ca;--bad:#b3261e;\
--good:#1a7f37;--wait:#8a5a00}\
@media(prefers-color-scheme:dark){:root{--text:#e6edf3;--dim:#9da7b1;--line:#3d444d;--soft:#1b2027;--link:#79b8ff;\
--bad:#ff8a80;--good:#56d364;--wait:#e3b341;background:#0d1117}}\
*{box-sizing:border-box}\
body{font:16px/1.5 system-ui,sans-serif;color:var(--text);max-width:52rem;margin:0 auto;padding:2.5rem 1.25rem;\
overflow-wrap:anywhere}\
h1{font-size:1.6rem;line-height:1.25;margin:0 0 .5rem}\
h2{font-size:1rem;margin:2rem 0 .5rem}\
p{margin:.5rem 0}\
a{color:var(--link)}\
code,pre{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.85em}\
pre{background:var(--soft);border:1px solid var(--line);border-radius:6px;padding:.75rem 1rem;margin:0;\
white-space:pre-wrap;line-height:1.45}\
pre span{display:inline-block;width:100%;vertical-align:top;padding-left:2ch;text-indent:-2ch}\
.status{color:var(--bad);font-weight:600;margin:0 0 .25rem}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1.25rem;margin:1.25rem 0 0}\
dt,.root{color:var(--dim)}dd{margin:0}\
ul{list-style:none;margin:1.25rem 0 0;padding:0}\
li{border:1px solid var(--line);border-radius:6px;padding:.75rem 1rem;margin:0 0 .75rem}\
li h2{font-size:1.1rem;margin:0 0 .25rem}\
li p{margin:.1rem 0}\
.state{font-size:.85rem;font-weight:600;margin-left:.5rem;color:var(--wait)}\
.up{color:var(--good)}.crashed{color:var(--bad)}.down{color:var(--dim)}";

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

/// Escaped text in which `` `x` `` is shown as code.
pub(super) struct WithCode<'a>(pub(super) &'a str);

impl fmt::Display for WithCode<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some((before, (code, after))) =
            rest.split_once('`').and_then(|(before, after)| Some((before, after.split_once('`')?)))
        {
            write!(f, "{}<code>{}</code>", Escaped(before), Escaped(code))?;
            rest = after;
        }
        Escaped(rest).fmt(f)
    }
}

/// Lines, each in a box of its own, so that the rest of a long one is indented. Each of `lines` is HTML.
pub(super) fn block(lines: impl Iterator<Item = String>) -> String {
    let lines: Vec<String> = lines.map(|line| format!("<span>{line}</span>")).collect();
    format!("<pre>{}</pre>\n", lines.join("\n"))
}

/// A link that shows its address.
pub(super) fn link(url: &str) -> String {
    format!("<a href=\"{0}/\">{0}</a>", Escaped(url))
}

/// A whole page. `body` is HTML. The empty icon saves the request for one, which would get such a page, too.
pub(super) fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>{}</title>\n<style>{STYLE}</style>\n</head>\n\
         <body>\n{body}</body>\n</html>\n",
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
    fn s16_5_each_line_has_a_box_even_an_empty_one() {
        let lines = ["a", "", "b"].map(str::to_owned).into_iter();
        assert_eq!(block(lines), "<pre><span>a</span>\n<span></span>\n<span>b</span></pre>\n");
    }

    #[test]
    fn s16_5_text_between_backticks_is_shown_as_code() {
        for (text, html) in [
            ("the `Host` header", "the <code>Host</code> header"),
            ("`<` is `%3C`.", "<code>&lt;</code> is <code>%3C</code>."),
            ("one ` alone <", "one ` alone &lt;"),
            ("", ""),
        ] {
            assert_eq!(WithCode(text).to_string(), html);
        }
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
