//! "Did you mean": the known names most like one that is not known.

/// Most names that are offered.
const MAX_OFFERED: usize = 3;

/// The names most like `name`, nearest first, at most three; none if nothing is near.
///
/// Near means: a typing error in every third character at most, or one is the beginning of the other.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let name = name.to_lowercase();
    let allowed = 1 + name.chars().count() / 3;
    let mut near: Vec<(usize, &str)> = known
        .into_iter()
        .filter_map(|candidate| {
            let lower = candidate.to_lowercase();
            let distance = strsim::damerau_levenshtein(&name, &lower);
            let begins =
                name.len() >= 2 && (lower.starts_with(&name) || (lower.len() >= 2 && name.starts_with(&lower)));
            (distance <= allowed && distance < lower.chars().count() || begins).then_some((distance, candidate))
        })
        .collect();
    // A stable sort: equally near ones stay in the order of the Procfile.
    near.sort_by_key(|(distance, _)| *distance);
    near.into_iter().take(MAX_OFFERED).map(|(_, candidate)| candidate).collect()
}

/// `a`, `b` or `c` in backticks, for a hint. None if there is nothing to offer.
pub(crate) fn did_you_mean<Name: AsRef<str>>(nearest: &[Name]) -> Option<String> {
    let quoted: Vec<String> = nearest.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    let (last, others) = quoted.split_last()?;
    if others.is_empty() {
        return Some(format!("did you mean {last}?"));
    }
    Some(format!("did you mean {} or {last}?", others.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_finds_the_name_that_was_meant() {
        assert_eq!(nearest("wbe", ["worker", "web", "css"]), ["web"]);
        assert_eq!(nearest("Worker", ["worker", "web"]), ["worker"]);
        assert_eq!(nearest("work", ["web", "worker"]), ["worker"]);
    }

    #[test]
    fn a_name_like_no_other_finds_nothing() {
        assert!(nearest("postgres", ["web", "worker"]).is_empty());
        assert!(nearest("", ["web"]).is_empty());
    }

    #[test]
    fn at_most_three_names_are_offered_nearest_first() {
        assert_eq!(nearest("job1", ["job2", "job3", "job4", "job1"]), ["job1", "job2", "job3"]);
    }

    #[test]
    fn a_hint_reads_as_a_sentence() {
        assert_eq!(did_you_mean(&["web"]).as_deref(), Some("did you mean `web`?"));
        assert_eq!(did_you_mean(&["a", "b", "c"]).as_deref(), Some("did you mean `a`, `b` or `c`?"));
        assert_eq!(did_you_mean::<&str>(&[]), None);
    }
}
