//! When dynos start, restart and stop (S6.2 to S6.6), and the parts of `--heroku`: each also has its own option, which
//! wins.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::stop_signal::{no_signal, signal_number};
use super::{Look, RequestedOrder};
use crate::app::{AppJson, ForemanFile, did_you_mean, nearest, some_of};
use crate::cli::{OrderArgs, Seconds, StartArgs};
use crate::error::{Complaint, Error};
use crate::model::{DynoName, HttpCheck, ProcessType};
use crate::release::HttpChecks;
use crate::supervisor::{CanDie, FocusAdvice, Lifetime, NoticeStyle, OnExit, Policy, RestartPolicy, StopAll};

/// Means every process type, as in a formation.
const EVERY_TYPE: &str = "all";

/// When dynos start, restart and stop. The process types are still text: which exist depends on the Procfile.
#[derive(Debug)]
pub(crate) struct Life {
    /// Whether the platform's rules apply.
    pub(crate) heroku: bool,
    /// How a dyno that exits is restarted (S6.4). None: it stops the others (S6.3).
    pub(crate) restart: Option<RestartPolicy>,
    /// Time between the stop signal and SIGKILL (S6.6).
    pub(crate) grace: Duration,
    /// How long a ready type may take to listen (S6.5). None: there is no limit.
    pub(crate) boot_timeout: Option<Duration>,
    /// The types of `--ready`.
    pub(crate) ready: Vec<String>,
    /// Whether a caller waits until the dynos are up (S10.6).
    pub(crate) detached: bool,
    /// `/PATH[=STATUS]` of `--http`, which they must answer, too.
    pub(crate) http: Option<String>,
    /// The value of `--http-status`.
    pub(crate) http_status: Option<String>,
    /// What tells that dynos of a type are ready, by `app.json` (S18.4): they listen, and answer this request.
    pub(crate) health_checks: BTreeMap<String, Option<Arc<HttpCheck>>>,
    /// The types that may exit, each with the option that names it: `TYPE` or `TYPE=any`.
    pub(crate) may_exit: Vec<(&'static str, String)>,
    /// Which types start after others.
    pub(crate) after: RequestedOrder,
    /// `TYPE=SIGNAL`.
    pub(crate) stop_signals: Vec<String>,
    /// The types whose processes all get the stop signal at once.
    pub(crate) stop_all: Vec<String>,
}

impl Life {
    /// Without any option but `--heroku` and that for the grace period, which comes from the option, then `.foreman`, then
    /// the default (S6.6).
    pub(super) fn new(heroku: bool, grace: Option<Seconds>, file: &ForemanFile) -> Self {
        let by_file = file.timeout.as_ref().map(|timeout| timeout.value);
        let default = if heroku { Policy::HEROKU_GRACE } else { Policy::DEFAULT_GRACE };
        Self {
            heroku,
            restart: heroku.then(RestartPolicy::default),
            grace: grace.map(|seconds| seconds.0).or(by_file).unwrap_or(default),
            boot_timeout: default_boot_timeout(heroku),
            ready: Vec::new(),
            detached: false,
            http: None,
            http_status: None,
            health_checks: BTreeMap::new(),
            may_exit: Vec::new(),
            after: RequestedOrder::new(&OrderArgs::default(), file),
            stop_signals: Vec::new(),
            stop_all: Vec::new(),
        }
    }

    /// Takes the health checks of `app.json`, unless an option says what is requested.
    pub(crate) fn or_app_json(&mut self, declared: &AppJson) {
        if self.http.is_some() {
            return;
        }
        let names = declared.health_checks.iter().map(|check| &check.process_type);
        let checks = names.filter_map(|name| {
            let check = declared.readiness(name)?;
            // A type with a port of its own does not listen on `PORT`; `web` has to.
            let uses_port = check.port.is_none() || name == ProcessType::WEB;
            uses_port.then(|| (name.clone(), check.http.clone().map(Arc::new)))
        });
        self.health_checks = checks.collect();
    }

    /// The types that are expected to listen on their port (S6.2): those of `--ready`, else `web` and those with a health
    /// check.
    ///
    /// # Errors
    /// Status 2: an unknown type.
    pub(crate) fn expected_to_listen(&self, types: &[ProcessType]) -> Result<Vec<ProcessType>, Error> {
        if self.ready.is_empty() {
            let listens = |known: &ProcessType| {
                known.as_str() == ProcessType::WEB || self.health_checks.contains_key(known.as_str())
            };
            return Ok(types.iter().filter(|known| listens(known)).cloned().collect());
        }
        let known = self.ready.iter().map(|name| known_types("--ready", name, types));
        Ok(known.collect::<Result<Vec<_>, _>>()?.concat())
    }

    /// The types that are up only when they listen: if `--ready` says so, or if that state is shown or matters. Otherwise no
    /// dyno is watched unless a client waits for it, because watching would wake an idle run.
    ///
    /// # Errors
    /// Status 2: an unknown type.
    pub(crate) fn ready_types(&self, look: &Look, types: &[ProcessType]) -> Result<Vec<ProcessType>, Error> {
        let expected = self.expected_to_listen(types)?;
        let is_shown = look.notice_style() == NoticeStyle::Heroku;
        let has_check = self.http.is_some() || !self.health_checks.is_empty();
        let matters = self.restart.is_some() || has_check || self.boot_timeout.is_some();
        Ok(if is_shown || matters || self.detached || !self.ready.is_empty() { expected } else { Vec::new() })
    }

    /// The requests that ready types must answer, too (S19.4): that of `--http`, or those of `app.json`.
    ///
    /// # Errors
    /// Status 2, with what was probably meant.
    pub(crate) fn http_checks(&self, types: &[ProcessType]) -> Result<HttpChecks, Error> {
        let Some(target) = &self.http else {
            let of_type = |known: &ProcessType| self.health_checks.get(known.as_str()).cloned().flatten();
            let checks = types.iter().filter_map(|known| Some((known.clone(), of_type(known)?)));
            return Ok(HttpChecks::Types(checks.collect()));
        };
        let check = HttpCheck::new(target, self.http_status.as_deref());
        let check = check.map_err(|error| Error::usage(error.to_string(), error.hint()))?;
        Ok(HttpChecks::EveryType(Arc::new(check)))
    }

    /// The warning if none of these dynos is expected to listen. `ready`: the types that are.
    ///
    /// # Errors
    /// Status 2: `--http` is given, but has nothing to probe.
    pub(crate) fn check_ready(&self, ready: &[ProcessType], dynos: &[DynoName]) -> Result<Option<Complaint>, Error> {
        if dynos.iter().any(|dyno| ready.contains(&dyno.process_type)) {
            return Ok(None);
        }
        let hint = "name the types that listen on `$PORT` with `--ready`";
        if self.http.is_some() {
            let fact = "`--http` has nothing to probe: no started process type is expected to listen";
            return Err(Error::usage(fact, hint));
        }
        let fact = "no started process type is expected to listen: each is treated as up as soon as it starts";
        Ok(Some(Complaint::new(fact, hint)))
    }

    /// The process types whose processes all get the stop signal at once (S6.6).
    fn stop_all(&self, types: &[ProcessType]) -> Result<StopAll, Error> {
        if self.heroku || self.stop_all.iter().any(|name| name == EVERY_TYPE) {
            return Ok(StopAll::EveryType);
        }
        let known: Result<_, Error> = self.stop_all.iter().map(|name| known_type("--stop-all", name, types)).collect();
        Ok(StopAll::Types(known?))
    }

    fn may_exit(&self, types: &[ProcessType]) -> Result<BTreeMap<ProcessType, CanDie>, Error> {
        let mut may_exit = BTreeMap::new();
        for (option, item) in &self.may_exit {
            let (name, how) = match item.split_once('=') {
                None => (item.as_str(), CanDie::Success),
                Some((name, "any")) => (name, CanDie::Any),
                Some((name, other)) => {
                    let hint = format!("write `{option} {name}` or `{option} {name}=any`");
                    return Err(Error::usage(format!("`{option} {item}`: `{other}` is not `any`"), hint));
                }
            };
            may_exit.extend(known_types(option, name, types)?.into_iter().map(|known| (known, how)));
        }
        Ok(may_exit)
    }

    fn stop_signals(&self, types: &[ProcessType]) -> Result<BTreeMap<ProcessType, i32>, Error> {
        let mut stop_signals = BTreeMap::new();
        for item in &self.stop_signals {
            let Some((name, signal)) = item.split_once('=') else {
                return Err(no_signal(item, types));
            };
            let number = signal_number(name, signal)?;
            stop_signals.extend(known_types("--stop-signal", name, types)?.into_iter().map(|known| (known, number)));
        }
        Ok(stop_signals)
    }

    /// What happens to dynos. `types`: the process types in the Procfile.
    ///
    /// # Errors
    /// Status 2: an option names a type that does not exist, or its value cannot be used.
    pub(crate) fn policy(&self, look: &Look, types: &[ProcessType]) -> Result<Policy, Error> {
        let is_heroku_log = look.notice_style() == NoticeStyle::Heroku;
        let can_die = self.may_exit(types)?;
        let stop_signals = self.stop_signals(types)?;
        Ok(Policy {
            on_exit: self.restart.map_or(OnExit::StopAll, OnExit::Restart),
            can_die,
            stop_signals,
            stop_all: self.stop_all(types)?,
            grace: self.grace,
            drain: None,
            boot_timeout: self.boot_timeout,
            // Only when imitating the platform, whose router could not reach such a server (S6.2). In development and in
            // tests, most servers listen like that.
            notes_loopback: self.heroku || is_heroku_log,
            shows_addresses: false,
            router_url: None,
            // R12 is logged only with the platform's rules or log format (S6.6).
            report_exit_timeout: self.heroku || is_heroku_log,
            lifetime: Lifetime::default(),
            stop_advice: None,
            focus_advice: FocusAdvice::default(),
            terminal_advice: FocusAdvice::default(),
        })
    }
}

/// How `start` restarts a dyno that exits (S6.4). None: not at all.
pub(super) fn restart(args: &StartArgs) -> Option<RestartPolicy> {
    (args.restart || args.heroku).then(|| restart_policy(args.max_restarts, args.max_delay))
}

/// How dynos are restarted, with the values of `--max-restarts` and `--max-delay`.
pub(crate) fn restart_policy(max_restarts: Option<u32>, max_delay: Option<Seconds>) -> RestartPolicy {
    let default = RestartPolicy::default();
    RestartPolicy { max_restarts, cap: max_delay.map_or(default.cap, |delay| delay.0), ..default }
}

/// How long a ready type may take to listen if no option says it (S6.5).
pub(super) fn default_boot_timeout(heroku: bool) -> Option<Duration> {
    heroku.then_some(Policy::HEROKU_BOOT_TIMEOUT)
}

/// The types that `--can-die` and `--allow-exit` name. Messages use the name that was typed.
pub(super) fn may_exit(can_die: &[String], allow_exit: &[String]) -> Vec<(&'static str, String)> {
    let named = |option, items: &[String]| items.iter().map(|item| (option, item.clone())).collect::<Vec<_>>();
    [named("--can-die", can_die), named("--allow-exit", allow_exit)].concat()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Setting;
    use crate::cli::{LogArgs, LogFormatName};
    use crate::settings::Settings;
    use crate::supervisor::NoticeKind;

    fn heroku() -> StartArgs {
        StartArgs { heroku: true, ..StartArgs::default() }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn settings(args: &StartArgs, file: &ForemanFile) -> Settings {
        Settings::of_start(args, clap::ColorChoice::Auto, file)
    }

    /// The policy for an app with the types web and api.
    fn policy(args: &StartArgs) -> Policy {
        let types = ["web", "api"].map(|name| ProcessType::new(name).expect("a name"));
        let settings = settings(args, &ForemanFile::default());
        settings.life.policy(&settings.look, &types).expect("a policy")
    }

    /// The ready types of an app with the types web and api.
    fn ready(args: &StartArgs) -> String {
        let types = ["web", "api"].map(|name| ProcessType::new(name).expect("a name"));
        let settings = settings(args, &ForemanFile::default());
        let ready = settings.life.ready_types(&settings.look, &types).expect("known types");
        ready.iter().map(ProcessType::as_str).collect::<Vec<_>>().join(",")
    }

    #[test]
    fn s6_6_the_grace_comes_from_the_option_then_the_file_then_the_default() {
        let none = ForemanFile::default();
        let file = ForemanFile { timeout: Some(Setting { value: seconds(7), line: 1 }), ..ForemanFile::default() };
        let named = StartArgs { timeout: Some(Seconds(seconds(3))), ..heroku() };
        let grace = |args: &StartArgs, file: &ForemanFile| settings(args, file).life.grace;

        assert_eq!(grace(&StartArgs::default(), &none), seconds(5));
        assert_eq!(grace(&heroku(), &none), seconds(30));
        assert_eq!(grace(&heroku(), &file), seconds(7));
        assert_eq!(grace(&named, &file), seconds(3));
    }

    #[test]
    fn s6_5_with_heroku_web_must_listen_within_a_minute() {
        let longer = StartArgs { boot_timeout: Some(Seconds(seconds(90))), ready: vec!["api".to_owned()], ..heroku() };
        let of = |args: &StartArgs| (policy(args).boot_timeout, ready(args));

        assert_eq!(of(&StartArgs::default()), (None, String::new()));
        assert_eq!(of(&heroku()), (Some(seconds(60)), "web".to_owned()));
        assert_eq!(of(&longer), (Some(seconds(90)), "api".to_owned()));
    }

    #[test]
    fn s6_2_web_is_a_ready_type_if_being_up_is_shown_or_matters() {
        let of = |args: StartArgs| (ready(&args), policy(&args).notes_loopback);
        let web = || "web".to_owned();
        let written_in = |format| LogArgs { log_format: Some(format), ..LogArgs::default() };
        let format = |format| StartArgs { log: written_in(format), ..StartArgs::default() };

        assert_eq!(of(StartArgs::default()), (String::new(), false));
        assert_eq!(of(format(LogFormatName::Json)), (String::new(), false));
        assert_eq!(of(format(LogFormatName::Heroku)), (web(), true));
        assert_eq!(of(StartArgs { restart: true, ..StartArgs::default() }), (web(), false));
        assert_eq!(of(StartArgs { http: Some("/up".to_owned()), ..StartArgs::default() }), (web(), false));
        assert_eq!(of(StartArgs { boot_timeout: Some(Seconds(seconds(9))), ..StartArgs::default() }), (web(), false));
        assert_eq!(of(heroku()), (web(), true));
    }

    #[test]
    fn s6_6_r12_is_reported_with_the_rules_or_the_log_format_of_the_platform() {
        let with = |format| LogArgs { log_format: Some(format), ..LogArgs::default() };
        let plain = StartArgs { log: with(LogFormatName::Heroku), ..StartArgs::default() };
        let text = StartArgs { log: with(LogFormatName::Text), ..heroku() };

        assert!(policy(&plain).report_exit_timeout && policy(&text).report_exit_timeout);
        assert!(!policy(&StartArgs::default()).report_exit_timeout);
    }

    #[test]
    fn s6_4_dynos_restart_with_heroku_or_restart() {
        let restart = StartArgs { restart: true, max_restarts: Some(3), ..StartArgs::default() };
        let unlimited = RestartPolicy::default();
        let on_exit = |args: &StartArgs| policy(args).on_exit;

        assert_eq!(on_exit(&StartArgs::default()), OnExit::StopAll);
        assert_eq!(on_exit(&heroku()), OnExit::Restart(unlimited));
        assert_eq!(on_exit(&restart), OnExit::Restart(RestartPolicy { max_restarts: Some(3), ..unlimited }));
        let hasty = StartArgs { max_delay: Some(Seconds(seconds(2))), ..heroku() };
        assert_eq!(on_exit(&hasty), OnExit::Restart(RestartPolicy { cap: seconds(2), ..unlimited }));
    }

    #[test]
    fn r10_and_r12_name_the_default_limits() {
        let policy = policy(&heroku());
        let web = ProcessType::new("web").expect("a name");
        let boot = policy.boot_timeout.map(|after| NoticeKind::BootTimeout { process_type: web, after });
        let exit = policy.report_exit_timeout.then_some(NoticeKind::ExitTimeout { after: policy.grace, signal: 15 });
        let r10 = "Error R10 (Boot timeout) -> Web process failed to bind to $PORT within 60 seconds of launch";
        let r12 = "Error R12 (Exit timeout) -> At least one process failed to exit within 30 seconds of SIGTERM";

        let lines = [boot, exit].map(|kind| kind?.text(NoticeStyle::Heroku));
        assert_eq!(lines, [Some(r10.to_owned()), Some(r12.to_owned())]);
    }

    #[test]
    fn an_unknown_type_suggests_the_nearest_name() {
        let types = [ProcessType::new("worker").expect("a name")];

        let error = known_type("--can-die", "wroker", &types).expect_err("unknown");

        assert_eq!(error.complaints()[0].hint, "did you mean `worker`?");
    }
}
