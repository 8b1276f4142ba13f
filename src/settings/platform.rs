//! The parts of `--heroku` (S3.3, S6.4 to S6.6, S7.3): each also has its own option, which wins.
//!
//! Decides each part from `--heroku` and its option.

use std::time::Duration;

use crate::app::{ForemanFile, ShellLine, with_profile};
use crate::cli::{LogFormatName, StartArgs};
use crate::model::{ProcessType, Shell};
use crate::supervisor::{NoticeStyle, OnExit, Policy, RestartPolicy};

/// What happens when a dyno exits by itself (S6.3, S6.4).
pub(crate) fn on_exit(args: &StartArgs) -> OnExit {
    if args.restart || args.heroku {
        let default = RestartPolicy::default();
        let cap = args.max_delay.map_or(default.cap, |delay| delay.0);
        OnExit::Restart(RestartPolicy { max_restarts: args.max_restarts, cap, ..default })
    } else {
        OnExit::StopAll
    }
}

/// Time between the stop signal and SIGKILL (S6.6): the option, then `.foreman`, then the default.
pub(crate) fn grace(args: &StartArgs, file: &ForemanFile) -> Duration {
    let by_file = file.timeout.as_ref().map(|timeout| timeout.value);
    let default = if args.heroku { Policy::HEROKU_GRACE } else { Policy::DEFAULT_GRACE };
    args.timeout.map(|timeout| timeout.0).or(by_file).unwrap_or(default)
}

/// Whether all processes of a dyno get the stop signal at once (S6.6).
pub(crate) fn stops_everything(args: &StartArgs) -> bool {
    args.heroku
}

/// How long a ready type has to start listening (S6.5). None: there is no limit.
pub(crate) fn boot_timeout(args: &StartArgs) -> Option<Duration> {
    args.boot_timeout.map(|seconds| seconds.0).or(args.heroku.then_some(Policy::HEROKU_BOOT_TIMEOUT))
}

/// The types that are up when they listen (S6.2): those of `--ready`, else `web` if that state is shown or matters.
/// Otherwise no dyno is watched, because watching would wake an idle run.
pub(crate) fn ready_types(args: &StartArgs) -> impl Iterator<Item = &str> {
    let is_shown = notice_style(args) == NoticeStyle::Heroku;
    let matters = args.restart || boot_timeout(args).is_some();
    let by_default = args.ready.is_empty() && (is_shown || matters);
    args.ready.iter().map(String::as_str).chain(by_default.then_some(ProcessType::WEB))
}

/// Whether to report a server that only this machine can reach (S6.2): only when imitating the platform, whose router
/// could not reach it. In development, most servers listen like that.
pub(crate) fn notes_loopback(args: &StartArgs) -> bool {
    boot_timeout(args).is_some() || notice_style(args) == NoticeStyle::Heroku
}

/// How lines are written (S7.3).
pub(crate) fn log_format(args: &StartArgs) -> LogFormatName {
    let default = if args.heroku { LogFormatName::Heroku } else { LogFormatName::Text };
    args.log.log_format.unwrap_or(default)
}

/// The wording of our own lines (S7.4).
pub(crate) fn notice_style(args: &StartArgs) -> NoticeStyle {
    match log_format(args) {
        LogFormatName::Heroku => NoticeStyle::Heroku,
        LogFormatName::Text | LogFormatName::Json => NoticeStyle::Plain,
    }
}

/// Whether a grace period that runs out is logged as R12 (S6.6): only with the platform's rules or log format.
pub(crate) fn reports_exit_timeout(args: &StartArgs) -> bool {
    args.heroku || log_format(args) == LogFormatName::Heroku
}

/// Whether bash sources the app's profile before each command (S3.3).
pub(crate) fn reads_profile(args: &StartArgs) -> bool {
    args.heroku || args.profile
}

/// The shell for a command line, and the line with the profile before it (S3.3).
pub(crate) fn shell(reads_profile: bool, line: ShellLine) -> (Shell, ShellLine) {
    if reads_profile { (Shell::Bash, with_profile(&line)) } else { (Shell::Sh, line) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Setting;
    use crate::cli::{LogArgs, Seconds};

    fn heroku() -> StartArgs {
        StartArgs { heroku: true, ..StartArgs::default() }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn s6_6_the_grace_comes_from_the_option_then_the_file_then_the_default() {
        let none = ForemanFile::default();
        let file = ForemanFile { timeout: Some(Setting { value: seconds(7), line: 1 }), ..ForemanFile::default() };
        let named = StartArgs { timeout: Some(Seconds(seconds(3))), ..heroku() };

        assert_eq!(grace(&StartArgs::default(), &none), seconds(5));
        assert_eq!(grace(&heroku(), &none), seconds(30));
        assert_eq!(grace(&heroku(), &file), seconds(7));
        assert_eq!(grace(&named, &file), seconds(3));
    }

    #[test]
    fn s6_5_with_heroku_web_must_listen_within_a_minute() {
        let longer = StartArgs { boot_timeout: Some(Seconds(seconds(90))), ready: vec!["api".to_owned()], ..heroku() };

        assert_eq!((boot_timeout(&StartArgs::default()), ready_types(&StartArgs::default()).count()), (None, 0));
        assert_eq!(boot_timeout(&heroku()), Some(seconds(60)));
        assert_eq!(ready_types(&heroku()).collect::<Vec<_>>(), ["web"]);
        assert_eq!(boot_timeout(&longer), Some(seconds(90)));
        assert_eq!(ready_types(&longer).collect::<Vec<_>>(), ["api"]);
    }

    #[test]
    fn s6_2_web_is_a_ready_type_if_being_up_is_shown_or_matters() {
        let of = |args: StartArgs| (ready_types(&args).map(str::to_owned).collect::<Vec<_>>(), notes_loopback(&args));
        let web = || vec!["web".to_owned()];
        let written_in = |format| LogArgs { log_format: Some(format), ..LogArgs::default() };
        let format = |format| StartArgs { log: written_in(format), ..StartArgs::default() };

        assert_eq!(of(StartArgs::default()), (vec![], false));
        assert_eq!(of(format(LogFormatName::Json)), (vec![], false));
        assert_eq!(of(format(LogFormatName::Heroku)), (web(), true));
        assert_eq!(of(StartArgs { restart: true, ..StartArgs::default() }), (web(), false));
        assert_eq!(of(StartArgs { boot_timeout: Some(Seconds(seconds(9))), ..StartArgs::default() }), (web(), true));
        assert_eq!(of(heroku()), (web(), true));
    }

    #[test]
    fn s7_3_an_explicit_log_format_overrides_heroku() {
        let written_in = |format| LogArgs { log_format: Some(format), ..LogArgs::default() };
        let with = |format| StartArgs { log: written_in(format), ..heroku() };
        let plain = StartArgs { heroku: false, ..with(LogFormatName::Heroku) };

        assert_eq!(log_format(&heroku()), LogFormatName::Heroku);
        assert_eq!(log_format(&with(LogFormatName::Json)), LogFormatName::Json);
        assert_eq!(notice_style(&with(LogFormatName::Text)), NoticeStyle::Plain);
        assert_eq!(notice_style(&plain), NoticeStyle::Heroku);
        assert!(reports_exit_timeout(&plain) && reports_exit_timeout(&with(LogFormatName::Text)));
        assert!(!reports_exit_timeout(&StartArgs::default()));
    }

    #[test]
    fn s6_4_dynos_restart_with_heroku_or_restart() {
        let restart = StartArgs { restart: true, max_restarts: Some(3), ..StartArgs::default() };
        let unlimited = RestartPolicy::default();

        assert_eq!(on_exit(&StartArgs::default()), OnExit::StopAll);
        assert_eq!(on_exit(&heroku()), OnExit::Restart(unlimited));
        assert_eq!(on_exit(&restart), OnExit::Restart(RestartPolicy { max_restarts: Some(3), ..unlimited }));
        let hasty = StartArgs { max_delay: Some(Seconds(seconds(2))), ..heroku() };
        assert_eq!(on_exit(&hasty), OnExit::Restart(RestartPolicy { cap: seconds(2), ..unlimited }));
    }
}
