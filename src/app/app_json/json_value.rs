//! The values of a JSON file, each with its line.
//!
//! Values are read only when they are asked for, so that the other parts of a file cost nothing.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::app::text::json_fault::{JsonFault, fault, string};

/// A whole file.
#[derive(Debug)]
pub(super) struct JsonText<'t> {
    text: &'t str,
    /// The number of lines before the text.
    line_ends: Vec<usize>,
}

/// A value in a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct JsonValue<'t> {
    file: &'t JsonText<'t>,
    raw: &'t str,
}

/// A member of an object.
#[derive(Debug, Clone)]
pub(super) struct JsonMember<'t> {
    pub(super) name: String,
    /// The 1-based line of its name.
    pub(super) line: usize,
    pub(super) value: JsonValue<'t>,
}

impl<'t> JsonText<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, line_ends: memchr::memchr_iter(b'\n', text.as_bytes()).collect() }
    }

    /// The value of the whole file.
    ///
    /// # Errors
    /// The line and the mistake, if the text is not JSON.
    pub(super) fn value(&'t self) -> Result<JsonValue<'t>, (usize, JsonFault)> {
        let read: Result<&RawValue, _> = serde_json::from_str(self.text);
        let raw = read.map_err(|error| (error.line().max(1), fault(&error, self.text)))?;
        Ok(JsonValue { file: self, raw: raw.get() })
    }

    fn line_of(&self, part: &str) -> usize {
        let at = part.as_ptr().addr().saturating_sub(self.text.as_ptr().addr());
        1 + self.line_ends.partition_point(|end| *end < at)
    }
}

impl<'t> JsonValue<'t> {
    /// The 1-based line on which it begins.
    pub(super) fn line(self) -> usize {
        self.file.line_of(self.raw)
    }

    /// The members of an object in the order of the file. None: it is something else.
    pub(super) fn members(self) -> Option<Vec<JsonMember<'t>>> {
        if !self.raw.starts_with('{') {
            return None;
        }
        let MemberList(pairs) = serde_json::from_str(self.raw).ok()?;
        let member = |(name, value): (&'t RawValue, &'t RawValue)| {
            let value = JsonValue { file: self.file, raw: value.get() };
            Some(JsonMember { name: string(name.get()).ok()?, line: self.file.line_of(name.get()), value })
        };
        Some(pairs.into_iter().filter_map(member).collect())
    }

    /// The items of a list. None: it is something else.
    pub(super) fn items(self) -> Option<Vec<Self>> {
        if !self.raw.starts_with('[') {
            return None;
        }
        let ItemList(items) = serde_json::from_str(self.raw).ok()?;
        Some(items.into_iter().map(|raw: &RawValue| JsonValue { file: self.file, raw: raw.get() }).collect())
    }

    /// The text of a string. None: it is something else.
    pub(super) fn text(self) -> Option<String> {
        if self.raw.starts_with('"') { string(self.raw).ok() } else { None }
    }

    /// The text of a string, a number, `true` or `false`, as a variable would have it. None: it is something else.
    pub(super) fn scalar(self) -> Option<String> {
        match self.raw.as_bytes().first() {
            Some(b'"') => self.text(),
            Some(b'{' | b'[' | b'n') | None => None,
            Some(_) => Some(self.raw.to_owned()),
        }
    }

    /// A whole number that is not negative. None: it is something else.
    pub(super) fn number(self) -> Option<u64> {
        self.raw.parse().ok()
    }

    /// `true` or `false`. None: it is something else.
    pub(super) fn switch(self) -> Option<bool> {
        self.raw.parse().ok()
    }

    pub(super) fn is_null(self) -> bool {
        self.raw == "null"
    }

    /// What it is, for a message.
    pub(super) fn kind(self) -> &'static str {
        match self.raw.as_bytes().first() {
            Some(b'{') => "an object",
            Some(b'[') => "a list",
            Some(b'"') => "a string",
            Some(b't') => "`true`",
            Some(b'f') => "`false`",
            Some(b'n') | None => "`null`",
            Some(_) => "a number",
        }
    }
}

/// The names and values of an object.
struct MemberList<'t>(Vec<(&'t RawValue, &'t RawValue)>);

/// The items of a list.
struct ItemList<'t>(Vec<&'t RawValue>);

impl<'t> Deserialize<'t> for MemberList<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

impl<'t> Deserialize<'t> for ItemList<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Items)
    }
}

struct Members;

impl<'t> Visitor<'t> for Members {
    type Value = MemberList<'t>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<MemberList<'t>, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(MemberList(members))
    }
}

struct Items;

impl<'t> Visitor<'t> for Items {
    type Value = ItemList<'t>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'t>>(self, mut list: A) -> Result<ItemList<'t>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(ItemList(items))
    }
}
