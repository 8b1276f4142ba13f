//! The signals that `--stop-signal` names (S6.6).

use std::ops::RangeInclusive;

use nix::sys::signal::Signal;

use crate::app::{did_you_mean, nearest};
use crate::error::Error;
use crate::model::ProcessType;

/// The real-time signals, as programs with glibc number them. musl keeps one more for itself, but the library of the dynos
/// decides, and most have glibc.
const REAL_TIME: RangeInclusive<i32> = 34..=64;

/// The hint for a signal that cannot be used.
const INSTEAD: &str = "write a name such as `INT` or `QUIT`";

/// The signals that stop a process for a while, continue it, or are ignored by default. WINCH is not one of them: it stops
/// Apache.
const WITHOUT_AN_END: [Signal; 7] = [
    Signal::SIGSTOP,
    Signal::SIGCONT,
    Signal::SIGTSTP,
    Signal::SIGTTIN,
    Signal::SIGTTOU,
    Signal::SIGCHLD,
    Signal::SIGURG,
];

/// The error for a `--stop-signal` without `=`.
pub(super) fn no_signal(item: &str, types: &[ProcessType]) -> Error {
    if signal_number("", item).is_ok()
        && let Some(first) = types.first()
    {
        let fact = format!("`--stop-signal {item}` has no process type");
        return Error::usage(fact, format!("write `--stop-signal {first}={item}`, or `--stop-signal all={item}`"));
    }
    Error::usage(format!("`--stop-signal {item}` has no signal"), format!("write `--stop-signal {item}=INT`"))
}

/// The number of the signal with which dynos of a type are stopped. `name`: of the type.
///
/// # Errors
/// Status 2: there is no such signal, or it does not end a process.
pub(super) fn signal_number(name: &str, text: &str) -> Result<i32, Error> {
    let Some(number) = number_of(text) else {
        let fact = format!("`--stop-signal {name}={text}`: there is no signal `{text}`");
        let names = Signal::iterator().filter_map(|signal| signal.as_str().strip_prefix("SIG"));
        let near = nearest(text.strip_prefix("SIG").unwrap_or(text), names);
        let hint = did_you_mean(&near).unwrap_or_else(|| INSTEAD.to_owned());
        return Err(Error::usage(fact, hint));
    };
    if WITHOUT_AN_END.iter().any(|signal| *signal as i32 == number) {
        let fact = format!("`--stop-signal {name}={text}`: the signal `{text}` does not end a process");
        return Err(Error::usage(fact, INSTEAD));
    }
    Ok(number)
}

/// `INT`, `SIGINT`, `2`, or a real-time signal such as `RTMIN+3` or `37`.
fn number_of(text: &str) -> Option<i32> {
    let upper = text.to_ascii_uppercase();
    let full = if upper.starts_with("SIG") { upper } else { format!("SIG{upper}") };
    let by_number = || text.parse().ok().filter(|number| (1..=31).contains(number) || REAL_TIME.contains(number));
    let by_offset = || {
        let offset = match full.strip_prefix("SIGRTMIN")? {
            "" => 0,
            offset => offset.strip_prefix('+')?.parse::<u8>().ok()?,
        };
        Some(REAL_TIME.start() + i32::from(offset)).filter(|number| REAL_TIME.contains(number))
    };
    let by_name = || full.parse::<Signal>().ok().map(|signal| signal as i32);
    by_name().or_else(by_number).or_else(by_offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_named_with_or_without_sig_or_by_its_number() {
        for text in ["INT", "int", "SIGINT", "2"] {
            assert_eq!(signal_number("web", text), Ok(2), "{text}");
        }
        for (text, number) in [("34", 34), ("RTMIN", 34), ("SIGRTMIN+3", 37), ("rtmin+30", 64)] {
            assert_eq!(signal_number("web", text), Ok(number), "{text}");
        }
        for text in ["NOPE", "0", "32", "65", "RTMIN+31", "RTMIN3"] {
            assert!(signal_number("web", text).is_err(), "{text}");
        }
        assert!(signal_number("web", "99").is_err());
    }

    #[test]
    fn s6_6_a_signal_that_ends_no_process_is_refused() {
        for text in ["STOP", "SIGSTOP", "19", "CONT", "TSTP", "TTIN", "ttou", "CHLD", "URG"] {
            assert!(signal_number("web", text).is_err(), "{text}");
        }
        // WINCH stops Apache, and with KILL there is no grace.
        for (text, number) in [("WINCH", libc::SIGWINCH), ("KILL", libc::SIGKILL)] {
            assert_eq!(signal_number("web", text), Ok(number), "{text}");
        }
    }
}
