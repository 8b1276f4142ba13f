//! Finds the known names that are most similar to an unknown one, for "did you mean" hints.

/// Maximum number of names that a hint suggests.
const MAX_SUGGESTED: usize = 3;

/// The names most similar to `name`, at most three, the nearest first. Empty if none is similar.
///
/// Similar means one typo for every three characters of the shorter name, rounded to the nearest and at least one, or that
/// one name is a prefix of the other. So `--http` does not suggest `--help`, nor `--export` `--port`.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let name = name.to_lowercase();
    let length = name.chars().count();
    let mut near: Vec<(usize, &str)> = known
        .into_iter()
        .filter_map(|candidate| {
            let lower = candidate.to_lowercase();
            let distance = strsim::damerau_levenshtein(&name, &lower);
            let allowed = length.min(lower.chars().count()).saturating_add(1).div_euclid(3).max(1);
            let begins =
                name.len() >= 2 && (lower.starts_with(&name) || (lower.len() >= 2 && name.starts_with(&lower)));
            (distance <= allowed && distance < lower.chars().count() || begins).then_some((distance, candidate))
        })
        .collect();
    // The sort is stable, so equally similar names stay in the order of `known`, for example that of the Procfile.
    near.sort_by_key(|(distance, _)| *distance);
    near.into_iter().take(MAX_SUGGESTED).map(|(_, candidate)| candidate).collect()
}

/// A hint that suggests the names, such as ``did you mean `a`, `b` or `c`?``. None if there are none.
pub(crate) fn did_you_mean<Name: AsRef<str>>(nearest: &[Name]) -> Option<String> {
    let quoted: Vec<String> = nearest.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    (!quoted.is_empty()).then(|| format!("did you mean {}?", one_of(&quoted)))
}

/// What to write instead of an unknown name: a similar one, or the names that exist.
pub(crate) fn instead_of<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let near = nearest(name, known.clone());
    did_you_mean(&near).unwrap_or_else(|| format!("it has {}", some_of(&known.collect::<Vec<_>>())))
}

/// `a`, `a or b`, `a, b or c`.
pub(crate) fn one_of(names: &[String]) -> String {
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

/// The first names in backticks and how many more there are, for a hint.
pub(crate) fn some_of<Name: AsRef<str>>(names: &[Name]) -> String {
    let quoted: Vec<String> = names.iter().take(MAX_SUGGESTED).map(|name| format!("`{}`", name.as_ref())).collect();
    match names.len().saturating_sub(MAX_SUGGESTED) {
        0 => quoted.join(", "),
        more => format!("{} and {more} more", quoted.join(", ")),
    }
}

/// Like [`some_of`], as part of a sentence: `` `a`, `b` and `c` ``.
pub(crate) fn some_in_words<Name: AsRef<str>>(names: &[Name]) -> String {
    let text = some_of(names);
    match text.rsplit_once(", ") {
        Some((others, last)) if names.len() <= MAX_SUGGESTED => format!("{others} and {last}"),
        Some(_) | None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_the_intended_name() {
        assert_eq!(nearest("wbe", ["worker", "web", "css"]), ["web"]);
        assert_eq!(nearest("Worker", ["worker", "web"]), ["worker"]);
        assert_eq!(nearest("work", ["web", "worker"]), ["worker"]);
    }

    #[test]
    fn a_name_that_is_not_similar_to_any_finds_nothing() {
        assert!(nearest("postgres", ["web", "worker"]).is_empty());
        for (name, other) in
            [("http", "help"), ("export", "port"), ("FOO", "FPE"), ("why", "web"), ("reload", "release")]
        {
            assert!(nearest(name, [other]).is_empty(), "{name}");
        }
        assert!(nearest("", ["web"]).is_empty());
    }

    #[test]
    fn at_most_three_names_are_suggested_the_nearest_first() {
        assert_eq!(nearest("job1", ["job2", "job3", "job4", "job1"]), ["job1", "job2", "job3"]);
    }

    #[test]
    fn a_hint_reads_as_a_sentence() {
        assert_eq!(did_you_mean(&["web"]).as_deref(), Some("did you mean `web`?"));
        assert_eq!(did_you_mean(&["a", "b", "c"]).as_deref(), Some("did you mean `a`, `b` or `c`?"));
        assert_eq!(did_you_mean::<&str>(&[]), None);
    }

    #[test]
    fn a_hint_lists_three_names_and_counts_the_rest() {
        assert_eq!(some_of(&["a", "b", "c"]), "`a`, `b`, `c`");
        assert_eq!(some_of(&["a", "b", "c", "d", "e"]), "`a`, `b`, `c` and 2 more");
        assert_eq!(some_in_words(&["a"]), "`a`");
        assert_eq!(some_in_words(&["a", "b", "c"]), "`a`, `b` and `c`");
        assert_eq!(some_in_words(&["a", "b", "c", "d"]), "`a`, `b`, `c` and 1 more");
    }
}
