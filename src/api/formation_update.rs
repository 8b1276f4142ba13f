//! The body of `PATCH /apps/A/formation`: the new quantities of process types.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::error::ApiError;
use crate::app::{FormationError, MAX_QUANTITY, Scale};
use crate::model::ProcessType;

/// Many changes: `{"updates":[{"type":"web","quantity":"2"}]}`.
#[derive(Deserialize)]
struct Updates {
    updates: Vec<Update>,
}

/// One change. The size of a dyno has no effect here, so it is not read.
#[derive(Deserialize)]
struct Update {
    #[serde(rename = "type")]
    process_type: Option<Value>,
    quantity: Option<Value>,
}

/// The changes that a body asks for. Types without a quantity stay as they are.
///
/// # Errors
/// 400 if the body is not such an object; 422 if a name or a quantity is wrong, or a type occurs twice.
pub fn updates(body: &[u8]) -> Result<Vec<(ProcessType, Scale)>, ApiError> {
    let Updates { updates } = object(body, r#"{"updates":[{"type":"web","quantity":2}]}"#)?;
    let mut changes: Vec<(ProcessType, Scale)> = Vec::new();
    // A body can name tens of thousands of types.
    let mut known = BTreeSet::new();
    for update in updates {
        let name = match update.process_type {
            Some(Value::String(name)) => process_type(&name)?,
            Some(_) | None => return Err(ApiError::invalid_params("an update has no `type`")),
        };
        let Some(quantity) = update.quantity else { continue };
        let scale = scale(&name, &quantity)?;
        if !known.insert(name.clone()) {
            return Err(ApiError::invalid_params(format!("`{name}` has more than one quantity")));
        }
        changes.push((name, scale));
    }
    Ok(changes)
}

/// The change of the one type that the path names: `{"quantity":2}`.
///
/// # Errors
/// Like [`updates`].
pub(super) fn single(name: ProcessType, body: &[u8]) -> Result<Vec<(ProcessType, Scale)>, ApiError> {
    let update: Update = object(body, r#"{"quantity":2}"#)?;
    match update.quantity {
        Some(quantity) => scale(&name, &quantity).map(|scale| vec![(name, scale)]),
        None => Ok(Vec::new()),
    }
}

/// Reads a JSON object. `example`: one with this shape.
pub(super) fn object<'a, T: Deserialize<'a>>(body: &'a [u8], example: &str) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| {
        let message = match error.classify() {
            serde_json::error::Category::Data => "the body is not the expected JSON object",
            serde_json::error::Category::Io
            | serde_json::error::Category::Syntax
            | serde_json::error::Category::Eof => "the body is not valid JSON",
        };
        ApiError::bad_request(message).with_hint(format!("send an object such as `{example}`"))
    })
}

fn process_type(name: &str) -> Result<ProcessType, ApiError> {
    let process_type = ProcessType::new(name)
        .map_err(|error| ApiError::invalid_params(format!("`{}` is not a process type: {error}", shortened(name))))?;
    if process_type.is_release() {
        let error = FormationError::Release;
        return Err(ApiError::invalid_params(error.to_string()).with_hint(error.hint()));
    }
    Ok(process_type)
}

/// A number, or text such as `2`, `+1` and `-1`.
fn scale(name: &ProcessType, quantity: &Value) -> Result<Scale, ApiError> {
    let text = match quantity {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => String::new(),
    };
    let is_relative = !quantity.is_number();
    let (change, digits): (fn(u16) -> Scale, &str) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(more), _) if is_relative => (Scale::Up, more),
        (_, Some(fewer)) if is_relative => (Scale::Down, fewer),
        (Some(_) | None, _) => (Scale::To, text.as_str()),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let message = format!("the quantity of `{name}` is not a number");
        return Err(ApiError::invalid_params(message).with_hint("write a number such as 2, or a change such as `+1`"));
    }
    match digits.parse::<u16>() {
        Ok(amount) if amount <= MAX_QUANTITY => Ok(change(amount)),
        Ok(_) | Err(_) => {
            let error = FormationError::TooMany { name: name.to_string(), text: shortened(digits) };
            Err(ApiError::invalid_params(error.to_string()).with_hint(error.hint()))
        }
    }
}

/// The text, cut to a length that fits a message.
pub(super) fn shortened(text: &str) -> String {
    const LONGEST: usize = 60;
    if text.chars().count() <= LONGEST { text.to_owned() } else { text.chars().take(LONGEST).chain(['…']).collect() }
}
