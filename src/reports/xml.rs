//! Writes XML 1.0: elements, attributes, text. The document is valid for any text.
//!
//! Called by `junit` with text from `printable`. Characters that XML forbids even then are replaced by U+FFFD here, so
//! that no caller can break a document.

/// An element that is being written into a document.
pub(super) struct Element<'d> {
    document: &'d mut Document,
    name: &'static str,
}

/// A document: nested elements, each level indented by two more blanks.
#[derive(Debug)]
pub(super) struct Document {
    text: String,
    depth: usize,
}

impl Document {
    pub(super) fn new() -> Self {
        Self { text: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned(), depth: 0 }
    }

    /// Begins an element. Add attributes, then finish it with `empty`, `text` or `content`.
    pub(super) fn element(&mut self, name: &'static str) -> Element<'_> {
        self.indent();
        self.text.push('<');
        self.text.push_str(name);
        Element { document: self, name }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    fn indent(&mut self) {
        self.text.extend(std::iter::repeat_n("  ", self.depth));
    }
}

impl Element<'_> {
    pub(super) fn attribute(self, name: &str, value: &str) -> Self {
        let text = &mut self.document.text;
        text.push(' ');
        text.push_str(name);
        text.push_str("=\"");
        value.chars().for_each(|letter| push(letter, true, text));
        text.push('"');
        self
    }

    /// Finishes it without content.
    pub(super) fn empty(self) {
        self.document.text.push_str("/>\n");
    }

    /// Finishes it with this text.
    pub(super) fn text(self, value: &str) {
        let text = &mut self.document.text;
        text.push('>');
        value.chars().for_each(|letter| push(letter, false, text));
        text.extend(["</", self.name, ">\n"]);
    }

    /// Finishes it with what `content` writes.
    pub(super) fn content(self, content: impl FnOnce(&mut Document)) {
        let Self { document, name } = self;
        document.text.push_str(">\n");
        document.depth += 1;
        content(document);
        document.depth -= 1;
        document.indent();
        document.text.extend(["</", name, ">\n"]);
    }
}

fn push(letter: char, in_attribute: bool, out: &mut String) {
    match letter {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        // `]]>` is not allowed in text.
        '>' => out.push_str("&gt;"),
        '"' if in_attribute => out.push_str("&quot;"),
        // A parser would turn it into a blank.
        '\n' if in_attribute => out.push_str("&#10;"),
        '\t' if in_attribute => out.push_str("&#9;"),
        // A parser would turn it into a line feed.
        '\r' => out.push_str("&#13;"),
        letter if is_allowed(letter) => out.push(letter),
        _ => out.push(char::REPLACEMENT_CHARACTER),
    }
}

/// Whether a document may contain this character. Rule: XML 1.0, production 2.
fn is_allowed(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_nested_and_indented() {
        let mut document = Document::new();
        document.element("a").attribute("b", "c").content(|inner| {
            inner.element("d").empty();
            inner.element("e").attribute("f", "").text("g");
        });

        assert_eq!(
            document.into_text(),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a b=\"c\">\n  <d/>\n  <e f=\"\">g</e>\n</a>\n"
        );
    }

    // XML 1.0: 2.2 (characters), 2.4 (`]]>`), 2.11 (line ends), 3.3.3 (blanks in attributes).
    #[test]
    fn special_characters_are_escaped_and_forbidden_ones_replaced() {
        let mut document = Document::new();
        document.element("a").attribute("b", "\"'<&>\n\t\r\0\u{ffff}").text("]]>\"'<&\n\t\r\u{1b}\u{fffe}😀");

        let text = document.into_text();

        assert!(text.contains(" b=\"&quot;'&lt;&amp;&gt;&#10;&#9;&#13;\u{fffd}\u{fffd}\">"), "{text}");
        assert!(text.contains(">]]&gt;\"'&lt;&amp;\n\t&#13;\u{fffd}\u{fffd}😀</a>"), "{text}");
    }
}
