//! A strict reader of the XML that is written here: no comments, no entities but the five, no CDATA.

/// An element. Blanks between elements are dropped.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) children: Vec<Node>,
    pub(super) text: String,
}

impl Node {
    /// The value, or nothing.
    pub(super) fn attribute(&self, key: &str) -> &str {
        self.attributes.iter().find(|(name, _)| name == key).map_or("", |(_, value)| value)
    }
}

/// The root of a document.
pub(super) fn parse(text: &str) -> Result<Node, String> {
    let forbidden =
        |letter: char| letter < ' ' && !"\t\n".contains(letter) || matches!(letter, '\u{fffe}' | '\u{ffff}');
    if let Some(at) = text.find(forbidden) {
        return Err(format!("a forbidden character at {at}"));
    }
    let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    let mut rest = text.strip_prefix(head).ok_or("no declaration")?;
    let root = element(&mut rest)?;
    if rest.trim().is_empty() { Ok(root) } else { Err(format!("behind the root: {rest:?}")) }
}

fn element(rest: &mut &str) -> Result<Node, String> {
    eat(rest, "<")?;
    let mut node = Node { name: take_name(rest)?, ..Node::default() };
    while rest.starts_with(' ') {
        eat(rest, " ")?;
        let key = take_name(rest)?;
        eat(rest, "=\"")?;
        let (value, behind) = rest.split_once('"').ok_or("an attribute without end")?;
        if value.contains(['\n', '\t']) {
            return Err("a blank that does not come back".into());
        }
        if !node.attribute(&key).is_empty() {
            return Err(format!("{key} twice"));
        }
        node.attributes.push((key, unescape(value)?));
        *rest = behind;
    }
    if rest.starts_with("/>") {
        eat(rest, "/>")?;
        return Ok(node);
    }
    eat(rest, ">")?;
    loop {
        let at = rest.find('<').ok_or("an element without end")?;
        let (text, behind) = rest.split_at(at);
        node.text.push_str(&unescape(text)?);
        *rest = behind;
        if rest.starts_with("</") {
            break;
        }
        node.children.push(element(rest)?);
    }
    eat(rest, "</")?;
    eat(rest, &node.name)?;
    eat(rest, ">")?;
    if !node.children.is_empty() {
        if !node.text.trim().is_empty() {
            return Err(format!("text beside elements: {:?}", node.text));
        }
        node.text.clear();
    }
    Ok(node)
}

fn eat(rest: &mut &str, word: &str) -> Result<(), String> {
    *rest = rest.strip_prefix(word).ok_or_else(|| format!("{word:?} expected before {rest:?}"))?;
    Ok(())
}

fn take_name(rest: &mut &str) -> Result<String, String> {
    let end = rest.find(|letter: char| !letter.is_ascii_lowercase() && letter != '-').unwrap_or(rest.len());
    let (name, behind) = rest.split_at(end);
    *rest = behind;
    if name.is_empty() { Err(format!("a name expected before {behind:?}")) } else { Ok(name.to_owned()) }
}

fn unescape(text: &str) -> Result<String, String> {
    if text.contains(['<', '>']) {
        return Err(format!("a bare bracket in {text:?}"));
    }
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, behind) = part.split_once(';').ok_or("a reference without end")?;
        plain.push_str(match name {
            "amp" => "&",
            "lt" => "<",
            "gt" => ">",
            "quot" => "\"",
            "#9" => "\t",
            "#10" => "\n",
            "#13" => "\r",
            other => return Err(format!("&{other};")),
        });
        plain.push_str(behind);
    }
    Ok(plain)
}
