//! The time limit for looking at the files of an app when nothing depends on it: for completion, and for the hint after a
//! mistyped command line.
//!
//! Such a lookup opens only regular files (`source_file::read_if_regular`), but even a look at those can hang, for example
//! on a network file system.

use std::sync::mpsc;
use std::time::Duration;

/// The limit for completion: a file system that does not answer must not hold up the prompt.
pub(crate) const AT_TAB: Duration = Duration::from_millis(200);

/// The limit for a hint. Longer than [`AT_TAB`], because the command has ended and a busy machine should not lose the hint.
pub(crate) const FOR_A_HINT: Duration = Duration::from_secs(2);

/// The result of a lookup, or None if it takes too long. It then goes on in the background until this process ends.
pub(crate) fn look_up_within<T: Send + 'static>(
    limit: Duration,
    lookup: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (sender, receiver) = mpsc::sync_channel(1);
    std::thread::spawn(move || drop(sender.send(lookup())));
    receiver.recv_timeout(limit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETION: &str = include_str!("../../docs/completion.md");
    const SEMANTICS: &str = include_str!("../../docs/semantics.md");

    #[test]
    fn s13_4_the_limits_are_those_in_the_docs() {
        let at_tab = format!("the answer takes longer than {} ms, nothing is offered", AT_TAB.as_millis());
        assert!(COMPLETION.replace('\n', " ").contains(&at_tab), "{at_tab}");
        let for_a_hint = format!("regular files only, for at most {} s,", FOR_A_HINT.as_secs());
        assert!(SEMANTICS.replace('\n', " ").contains(&for_a_hint), "{for_a_hint}");
    }

    #[test]
    fn a_lookup_that_takes_too_long_is_not_awaited() {
        let (release, wait) = mpsc::channel::<()>();

        assert_eq!(look_up_within(Duration::from_millis(1), move || wait.recv()), None);
        drop(release);
        assert_eq!(look_up_within(Duration::from_secs(60), || 1), Some(1));
    }
}
