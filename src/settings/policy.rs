//! Turns the options of `start` into a policy, and checks the process types that they name (S6.3, S6.6).

use std::collections::BTreeMap;

use nix::sys::signal::Signal;

use super::platform;
use crate::app::{ForemanFile, did_you_mean, nearest, some_of};
use crate::cli::StartArgs;
use crate::error::Error;
use crate::model::ProcessType;
use crate::supervisor::{CanDie, FocusAdvice, Policy, StopAll};

/// Means every process type, as in a formation.
const EVERY_TYPE: &str = "all";

/// The policy that the options request. `types`: those of the Procfile. `file`: the defaults from `.foreman`.
pub(crate) fn policy(args: &StartArgs, file: &ForemanFile, types: &[ProcessType]) -> Result<Policy, Error> {
    let mut can_die = BTreeMap::new();
    for (option, items) in [("--can-die", &args.can_die), ("--allow-exit", &args.allow_exit)] {
        for item in items {
            let (name, how) = match item.split_once('=') {
                None => (item.as_str(), CanDie::Success),
                Some((name, "any")) => (name, CanDie::Any),
                Some((name, other)) => {
                    let hint = format!("write `{option} {name}` or `{option} {name}=any`");
                    return Err(Error::usage(format!("`{option} {item}`: `{other}` is not `any`"), hint));
                }
            };
            can_die.extend(known_types(option, name, types)?.into_iter().map(|known| (known, how)));
        }
    }
    let mut stop_signals = BTreeMap::new();
    for item in &args.stop_signal {
        let Some((name, signal)) = item.split_once('=') else {
            return Err(no_signal(item, types));
        };
        let number = signal_number(name, signal)?;
        stop_signals.extend(known_types("--stop-signal", name, types)?.into_iter().map(|known| (known, number)));
    }
    let mut ready = Vec::new();
    for name in &args.ready {
        ready.extend(known_types("--ready", name, types)?);
    }
    if ready.is_empty() {
        let is_ready = |known: &&ProcessType| platform::ready_types(args).any(|name| name == known.as_str());
        ready.extend(types.iter().filter(is_ready).cloned());
    }
    Ok(Policy {
        on_exit: platform::on_exit(args),
        can_die,
        stop_signals,
        stop_all: stop_all(args, types)?,
        grace: platform::grace(args, file),
        ready,
        boot_timeout: platform::boot_timeout(args),
        notes_loopback: platform::notes_loopback(args),
        report_exit_timeout: platform::reports_exit_timeout(args),
        outlives_formation: false,
        stop_advice: None,
        focus_advice: FocusAdvice::default(),
    })
}

/// The process types whose processes all get the stop signal at once (S6.6).
fn stop_all(args: &StartArgs, types: &[ProcessType]) -> Result<StopAll, Error> {
    if platform::stops_everything(args) || args.stop_all.iter().any(|name| name == EVERY_TYPE) {
        return Ok(StopAll::EveryType);
    }
    let known: Result<_, Error> = args.stop_all.iter().map(|name| known_type("--stop-all", name, types)).collect();
    Ok(StopAll::Types(known?))
}

/// The process types of that name: one, or every type for `all`.
///
/// # Errors
/// Status 2, naming the nearest.
pub(crate) fn known_types(option: &str, name: &str, types: &[ProcessType]) -> Result<Vec<ProcessType>, Error> {
    if name == EVERY_TYPE {
        return Ok(types.to_vec());
    }
    Ok(vec![known_type(option, name, types)?])
}

/// The error for a `--stop-signal` without `=`.
fn no_signal(item: &str, types: &[ProcessType]) -> Error {
    if signal_number("", item).is_ok()
        && let Some(first) = types.first()
    {
        let fact = format!("`--stop-signal {item}` has no process type");
        return Error::usage(fact, format!("write `--stop-signal {first}={item}`, or `--stop-signal all={item}`"));
    }
    Error::usage(format!("`--stop-signal {item}` has no signal"), format!("write `--stop-signal {item}=INT`"))
}

/// The process type of that name, or an error that names the nearest.
pub(crate) fn known_type(option: &str, name: &str, types: &[ProcessType]) -> Result<ProcessType, Error> {
    if let Some(found) = types.iter().find(|known| known.as_str() == name) {
        return Ok(found.clone());
    }
    let names = || types.iter().map(ProcessType::as_str);
    let near = nearest(name, names());
    let hint = did_you_mean(&near).unwrap_or_else(|| format!("it has {}", some_of(&names().collect::<Vec<_>>())));
    Err(Error::usage(format!("`{option}`: the Procfile has no process type `{name}`"), hint))
}

/// `INT`, `SIGINT`, `2`, or a real-time signal such as `RTMIN+3` or `37`.
fn signal_number(name: &str, text: &str) -> Result<i32, Error> {
    let upper = text.to_ascii_uppercase();
    let full = if upper.starts_with("SIG") { upper } else { format!("SIG{upper}") };
    let real_time = libc::SIGRTMIN()..=libc::SIGRTMAX();
    let by_number = || text.parse().ok().filter(|number| (1..=31).contains(number) || real_time.contains(number));
    let by_offset = || {
        let offset = match full.strip_prefix("SIGRTMIN")? {
            "" => 0,
            offset => offset.strip_prefix('+')?.parse::<u8>().ok()?,
        };
        Some(libc::SIGRTMIN() + i32::from(offset)).filter(|number| real_time.contains(number))
    };
    let by_name = || full.parse::<Signal>().ok().map(|signal| signal as i32);
    match by_name().or_else(by_number).or_else(by_offset) {
        None => {
            let fact = format!("`--stop-signal {name}={text}`: there is no signal `{text}`");
            let names = Signal::iterator().filter_map(|signal| signal.as_str().strip_prefix("SIG"));
            let near = nearest(text.strip_prefix("SIG").unwrap_or(text), names);
            let hint = did_you_mean(&near).unwrap_or_else(|| "write a name such as `INT` or `QUIT`".to_owned());
            Err(Error::usage(fact, hint))
        }
        Some(number) => Ok(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::NoticeKind;

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

    /// The log lines of R10 and R12 with these options; each names its limit.
    fn error_lines(args: &StartArgs) -> [Option<String>; 2] {
        let web = ProcessType::new("web").expect("a name");
        let policy = policy(args, &ForemanFile::default(), std::slice::from_ref(&web)).expect("a policy");
        assert_eq!(policy.ready, std::slice::from_ref(&web));
        let boot = policy.boot_timeout.map(|after| NoticeKind::BootTimeout { process_type: web, after });
        let exit = policy.report_exit_timeout.then_some(NoticeKind::ExitTimeout { after: policy.grace, signal: 15 });
        [boot, exit].map(|kind| kind?.text(platform::notice_style(args)))
    }

    #[test]
    fn r10_and_r12_name_the_default_limits() {
        let heroku = StartArgs { heroku: true, ..StartArgs::default() };
        let r10 = "Error R10 (Boot timeout) -> Web process failed to bind to $PORT within 60 seconds of launch";
        let r12 = "Error R12 (Exit timeout) -> At least one process failed to exit within 30 seconds of SIGTERM";

        assert_eq!(error_lines(&heroku), [Some(r10.to_owned()), Some(r12.to_owned())]);
    }

    #[test]
    fn an_unknown_type_suggests_the_nearest_name() {
        let types = [ProcessType::new("worker").expect("a name")];

        let error = known_type("--can-die", "wroker", &types).expect_err("unknown");

        assert_eq!(error.complaints()[0].hint, "did you mean `worker`?");
    }
}
