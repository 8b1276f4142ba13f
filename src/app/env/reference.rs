//! Expands escapes and `${NAME}` references in a value of a `.env` file (S2.4, S2.5).
//!
//! Not here: where the value begins and ends (`value`), and the messages for doubts (`message`).

use std::collections::HashMap;

use super::limits::MAX_VARIABLE_BYTES;
use crate::app::text::source::part;

/// How deeply defaults may be nested, as in `${A:-${B:-c}}`. Deeper ones are not expanded.
const MAX_NESTING: usize = 8;

/// Maximum number of doubts that are reported for one value. More would use memory without helping the user.
const MAX_DOUBTS: usize = 100;

/// Looks up the variable of a `${NAME}`.
pub(crate) type Lookup<'a> = dyn Fn(&[u8]) -> Option<Vec<u8>> + 'a;

/// A reason why a value, although it was read, may not be what the user meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// The value refers to this variable, which is not set.
    Unset(Vec<u8>),
    /// The value has a `${` that does not begin one of the two supported forms. It is kept as it is.
    OtherForm,
    /// The value has a carriage return that is not part of a line ending.
    CarriageReturn,
    /// A quote is still open where a comment begins.
    CommentInQuote,
    /// A `${` is still open where a comment begins, and the comment contains its closing brace.
    CommentInReference,
    /// The value ends at a quote after a backslash, and the comment after it contains the same quote.
    BackslashBeforeQuote,
}

/// A value after escapes and references have been expanded.
#[derive(Debug, Default)]
pub(crate) struct Expanded {
    pub(crate) value: Vec<u8>,
    pub(crate) doubts: Vec<Doubt>,
}

/// Which sequences in a text are expanded.
#[derive(Debug, Clone, Copy)]
struct Syntax {
    /// `\n`, `\"` and the other escapes.
    escapes: bool,
    /// `${NAME}` and `${NAME:-default}`.
    references: bool,
}

/// Expands the text of a value. `escapes`: whether it was in double quotes. None if the value becomes longer than a
/// variable can be.
pub(crate) fn expand(text: &[u8], escapes: bool, lookup: &Lookup<'_>) -> Option<Expanded> {
    // The length is also checked during expansion: a few lines that each double the previous one would fill the memory.
    if text.len() > MAX_VARIABLE_BYTES {
        return None;
    }
    let mut expansion = Expansion { lookup, expanded: Expanded::default() };
    expansion.text(text, Syntax { escapes, references: true }, 0)?;
    Some(expansion.expanded)
}

struct Expansion<'a> {
    lookup: &'a Lookup<'a>,
    expanded: Expanded,
}

impl Expansion<'_> {
    /// Appends the expansion of a text. None if the value becomes too long.
    fn text(&mut self, text: &[u8], syntax: Syntax, depth: usize) -> Option<()> {
        let closing = if syntax.references { closing_braces(text, syntax.escapes) } else { HashMap::new() };
        let mut at = 0;
        while let Some(byte) = text.get(at) {
            match (byte, text.get(at + 1)) {
                (b'\\', Some(escaped)) if syntax.escapes => at += self.escape(*escaped),
                (b'$', Some(b'{')) if syntax.references => {
                    let end = closing.get(&at).copied().filter(|_| depth < MAX_NESTING).unwrap_or_default();
                    at = if let Some(reference) = Reference::read(part(text, at + 2..end)) {
                        self.reference(&reference, syntax, depth)?;
                        end + 1
                    } else {
                        // `${X:?no}`, `${` and `${}` may be part of a password.
                        self.doubt(Doubt::OtherForm);
                        self.expanded.value.extend_from_slice(b"${");
                        at + 2
                    };
                }
                _ => {
                    self.expanded.value.push(*byte);
                    at += 1;
                }
            }
            if self.expanded.value.len() > MAX_VARIABLE_BYTES {
                return None;
            }
        }
        Some(())
    }

    /// Appends the expansion of an escape. Returns the number of bytes read.
    fn escape(&mut self, escaped: u8) -> usize {
        let byte = match escaped {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'"' | b'\\' | b'$' => escaped,
            // Any other backslash is kept, as in `"Symfony\Component"`.
            _ => {
                self.expanded.value.push(b'\\');
                return 1;
            }
        };
        self.expanded.value.push(byte);
        2
    }

    /// Appends the value of a variable, or the default. None if the value becomes too long.
    fn reference(&mut self, reference: &Reference<'_>, syntax: Syntax, depth: usize) -> Option<()> {
        let value = (self.lookup)(reference.name).filter(|value| reference.default.is_none() || !value.is_empty());
        match (value, reference.default) {
            (Some(value), _) => self.expanded.value.extend_from_slice(&value),
            (None, None) => self.doubt(Doubt::Unset(reference.name.to_vec())),
            (None, Some(default)) => match quoted(default) {
                Some((b'"', text)) => self.text(text, Syntax { escapes: true, references: true }, depth + 1)?,
                Some((_, text)) => self.text(text, Syntax { references: false, ..syntax }, depth + 1)?,
                None => self.text(default, syntax, depth + 1)?,
            },
        }
        Some(())
    }

    fn doubt(&mut self, doubt: Doubt) {
        if self.expanded.doubts.len() < MAX_DOUBTS && !self.expanded.doubts.contains(&doubt) {
            self.expanded.doubts.push(doubt);
        }
    }
}

/// `${NAME}` or `${NAME:-default}`.
struct Reference<'a> {
    name: &'a [u8],
    default: Option<&'a [u8]>,
}

impl<'a> Reference<'a> {
    /// `content`: the text between the braces. None if it has neither of the two forms.
    fn read(content: &'a [u8]) -> Option<Self> {
        let length = content.iter().take_while(|byte| is_name_byte(**byte)).count();
        let (name, rest) = content.split_at_checked(length)?;
        let default = rest.strip_prefix(b":-");
        let is_reference = !name.is_empty() && (rest.is_empty() || default.is_some());
        is_reference.then_some(Self { name, default })
    }
}

/// A `-` is not included, although keys may contain one, because `${A-b}` is another form of default in the shell.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.'
}

/// The quote and the text of a default, if quotes enclose all of it.
fn quoted(default: &[u8]) -> Option<(u8, &[u8])> {
    let (quote, length) = leading_quote(default)?;
    (length + 2 == default.len()).then_some((quote, part(default, 1..length + 1)))
}

/// The quote at the start of a text, and the number of bytes between it and the quote that closes it.
fn leading_quote(text: &[u8]) -> Option<(u8, usize)> {
    let (quote, rest) = text.split_first()?;
    let quote = *quote;
    if !matches!(quote, b'\'' | b'"' | b'`') {
        return None;
    }
    Some((quote, closing_quote(rest, quote)?))
}

/// The position of the closing quote in the text after the opening one. Only double quotes have escapes.
pub(crate) fn closing_quote(rest: &[u8], quote: u8) -> Option<usize> {
    if quote != b'"' {
        return memchr::memchr(quote, rest);
    }
    let mut from = 0;
    loop {
        let found = from + memchr::memchr2(quote, b'\\', part(rest, from..rest.len()))?;
        if rest.get(found) == Some(&quote) {
            return Some(found);
        }
        from = found + 2;
    }
}

/// The position of the closing brace of each `${`, by the position of its `$`. Braces inside a reference nest. One pass
/// finds all of them, because a search for each would take quadratic time in a value that consists of `${`.
fn closing_braces(text: &[u8], escapes: bool) -> HashMap<usize, usize> {
    let mut closing = HashMap::new();
    if memchr::memchr(b'$', text).is_none() {
        return closing;
    }
    // For each open brace: the position of its `$`, or None if it is a plain brace inside a reference.
    let mut open: Vec<Option<usize>> = Vec::new();
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        at += match byte {
            b'\\' if escapes => 2,
            b'$' if text.get(at + 1) == Some(&b'{') => {
                if let Some(end) = end_of_quoted_default(text, at + 2) {
                    closing.insert(at, end);
                    end + 1 - at
                } else {
                    open.push(Some(at));
                    2
                }
            }
            b'{' if !open.is_empty() => {
                open.push(None);
                1
            }
            b'}' => {
                if let Some(Some(begin)) = open.pop() {
                    closing.insert(begin, at);
                }
                1
            }
            _ => 1,
        };
    }
    closing
}

/// The position of the closing brace of a reference with a quoted default, in which braces are ignored. `at`: the
/// position of the name.
fn end_of_quoted_default(text: &[u8], at: usize) -> Option<usize> {
    let rest = part(text, at..text.len());
    let length = rest.iter().take_while(|byte| is_name_byte(**byte)).count();
    let default = part(rest, length..rest.len()).strip_prefix(b":-")?;
    let (_, quoted) = leading_quote(default)?;
    let end = at + length + 2 + quoted + 2;
    (length > 0 && text.get(end) == Some(&b'}')).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `A` is `one`, `E` is empty, `B.C` is `dot`; nothing else is set.
    fn lookup(name: &[u8]) -> Option<Vec<u8>> {
        let value: &[u8] = match name {
            b"A" => b"one",
            b"E" => b"",
            b"B.C" => b"dot",
            _ => return None,
        };
        Some(value.to_vec())
    }

    fn read(text: &str) -> Expanded {
        expand(text.as_bytes(), false, &lookup).unwrap()
    }

    fn value(text: &str) -> String {
        String::from_utf8(read(text).value).unwrap()
    }

    fn in_double_quotes(text: &str) -> String {
        String::from_utf8(expand(text.as_bytes(), true, &lookup).unwrap().value).unwrap()
    }

    #[test]
    fn a_reference_in_braces_is_expanded_and_a_bare_dollar_is_kept() {
        assert_eq!(value("${A}-${E}-$A-${B.C}"), "one--$A-dot");
        assert_eq!(in_double_quotes("${A} \\${A} $A"), "one ${A} $A");
        assert_eq!(value("\\${A}"), "\\one");
    }

    #[test]
    fn a_default_is_used_if_the_variable_is_unset_or_empty() {
        assert_eq!(value("${X:-false}${E:-e}${A:-a}"), "falseeone");
        assert_eq!(value("${X:-${Y:-${A}}}"), "one");
        assert_eq!(in_double_quotes("${X:-a\\nb}"), "a\nb");
        assert_eq!(read("${X:-}").doubts, []);
    }

    #[test]
    fn s2_5_braces_in_a_default_nest() {
        assert_eq!(value(r#"${X:-{"commits":1}}"#), r#"{"commits":1}"#);
        assert_eq!(value(r#"${A:-{"commits":1}}"#), "one");
        assert_eq!(value(r#"${A:-{"a":{"b":{}}}}/${X:-{${A}}}"#), "one/{one}");
        assert_eq!(in_double_quotes(r#"${X:-{\"commits\":1}}|${A:-{}}"#), r#"{"commits":1}|one"#);
        assert_eq!(value("a{${A}}b}{"), "a{one}b}{");
    }

    #[test]
    fn s2_5_a_quoted_default_loses_its_quotes_and_may_contain_any_brace() {
        assert_eq!(value(r#"${X:-"{{ xx }}"}"#), "{{ xx }}");
        assert_eq!(value(r#"${A:-"{{ xx }}"}"#), "one");
        assert_eq!(value("${X:-'}{ ${A} \\n'}."), "}{ ${A} \\n.");
        assert_eq!(value(r#"${X:-"a \"b\" ${A} ${Y:-'}'}"}"#), r#"a "b" one }"#);
        assert_eq!(value("${X:-`\"}`}${Y:-${Z:-'}'}}"), "\"}}");
        assert_eq!(in_double_quotes(r"${X:-'{{ \n${A} }}'}"), "{{ \n${A} }}");
        assert_eq!(read(r#"${X:-""}"#).value, b"");
    }

    #[test]
    fn s2_5_quotes_that_do_not_enclose_the_whole_default_are_kept() {
        assert_eq!(value(r#"${X:-"a" {b} "c"}"#), r#""a" {b} "c""#);
        assert_eq!(value(r#"${X:-it's}${X:-"}"#), "it's\"");
        assert_eq!(value("${X:-'a'b}${X:-'a}"), "'a'b'a");
    }

    #[test]
    fn s2_5_unset_variables_are_empty_and_each_is_named_once() {
        let unset = |name: &str| Doubt::Unset(name.as_bytes().to_vec());

        assert_eq!(value("a${X}b"), "ab");
        assert_eq!(read("a${X}b${Y}${X}${E}").doubts, [unset("X"), unset("Y")]);
        assert_eq!(read("${Y:-${X}}").doubts, [unset("X")]);
        assert_eq!(read("${Y:-'${X}'}").doubts, []);
    }

    #[test]
    fn other_forms_are_kept_and_reported() {
        for form in ["${X:?no}", "${X-d}", "${}", "${", "a${b", "${X", "$${", "${X:-a{b}", "${{ x }}"] {
            assert_eq!(value(form), form);
            assert_eq!(read(form).doubts, [Doubt::OtherForm], "{form}");
        }
        assert_eq!(value("${${A}"), "${one");
    }

    #[test]
    fn defaults_may_be_nested_eight_levels_deep() {
        let nested = |depth: usize| format!("{}x{}", "${X:-".repeat(depth), "}".repeat(depth));

        assert_eq!(value(&nested(8)), "x");
        assert_eq!(value(&nested(9)), "${X:-x}");
        assert!(value(&nested(10_000)).starts_with("${X:-"));
    }

    #[test]
    fn expansion_stops_as_soon_as_a_value_is_too_long() {
        let ten = |_: &[u8]| Some(vec![b'x'; 10]);

        assert!(expand("${A}".repeat(MAX_VARIABLE_BYTES / 4).as_bytes(), false, &ten).is_none());
        assert!(expand(&vec![b'x'; MAX_VARIABLE_BYTES + 1], false, &lookup).is_none());
    }

    #[test]
    fn unclosed_references_are_read_in_one_pass() {
        for part in ["${", "${A:-", "${A:-'", "${A:-\"", "${A:-\"\\\"", "${A:-{", "{${A:-`{"] {
            let text = part.repeat(MAX_VARIABLE_BYTES / part.len());

            // With a separate search for each `${`, this test would not finish.
            assert!(expand(text.as_bytes(), false, &lookup).is_some(), "{part}");
            assert!(expand(text.as_bytes(), true, &lookup).is_some(), "{part}");
        }
    }

    #[test]
    fn the_number_of_reported_unset_variables_is_limited() {
        let names: Vec<String> = (0..10_000).map(|n| format!("${{X{n}}}")).collect();

        assert_eq!(read(&names.concat()).doubts.len(), MAX_DOUBTS);
    }
}
