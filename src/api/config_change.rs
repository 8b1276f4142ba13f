//! The body of `PATCH /apps/A/config-vars`: new values of config vars; null removes one (S15.3).

use std::collections::BTreeMap;

use super::error::ApiError;
use super::formation_update::{object, shortened};
use crate::app::is_env_key;
use crate::model::{EnvChange, Secret};

/// The changes that a body asks for.
///
/// # Errors
/// 400 if the body is not an object of texts and nulls; 422 if a name cannot be one.
pub(super) fn config_changes(body: &[u8]) -> Result<Vec<EnvChange>, ApiError> {
    let vars: BTreeMap<String, Option<String>> = object(body, r#"{"API_KEY":"1","OLD":null}"#)?;
    let change = |(key, value): (String, Option<String>)| {
        check_key(&key)?;
        Ok(EnvChange { key, value: value.map(Secret::new) })
    };
    vars.into_iter().map(change).collect()
}

fn check_key(key: &str) -> Result<(), ApiError> {
    if is_env_key(key.as_bytes()) {
        return Ok(());
    }
    let message = format!("`{}` is not a valid variable name", shortened(key));
    Err(ApiError::invalid_params(message).with_hint("a name has only A-Z a-z 0-9 _ . -"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s15_3_a_null_removes_a_config_var() {
        let changes = config_changes(br#"{"A":"1","B":null,"C":""}"#).unwrap();

        let shown: Vec<_> = changes.iter().map(|change| (change.key.as_str(), change.value.is_some())).collect();
        assert_eq!(shown, [("A", true), ("B", false), ("C", true)]);
        assert_eq!(config_changes(b"{}"), Ok(Vec::new()));
    }

    #[test]
    fn s15_3_a_body_that_names_no_config_var_is_refused() {
        for (body, status) in
            [("[]", 400), ("", 400), (r#"{"A":1}"#, 400), (r#"{"A B":"1"}"#, 422), (r#"{"":"1"}"#, 422)]
        {
            assert_eq!(config_changes(body.as_bytes()).unwrap_err().status, status, "{body}");
        }
    }
}
