//! What options and `.foreman` decide about the router (S16).

use core::net::IpAddr;
use std::time::Duration;

use crate::app::{ForemanFile, RouterPort};
use crate::cli::{RouterArgs, Seconds};
use crate::error::Error;

/// How long a request waits for a dyno.
const HOLD: Duration = Duration::from_secs(30);

/// The same on the platform.
const HEROKU_HOLD: Duration = Duration::from_secs(75);

/// How long a requested stop waits for requests.
const DRAIN: Duration = Duration::from_secs(5);

/// What options and `.foreman` decide about the router.
#[derive(Debug)]
pub(crate) struct RouterSettings {
    /// Where it listens. None: it waits for connections that the front door hands over.
    port: Option<RouterPort>,
    /// How it answers.
    pub(crate) options: RouterOptions,
    /// An option that has no effect, because there is no router.
    unused_option: Option<&'static str>,
}

/// How the router of an app answers.
#[derive(Debug)]
pub(crate) struct RouterOptions {
    /// How long a request waits while no dyno is up but one is starting.
    pub(crate) hold: Duration,
    /// How long a requested stop waits for the requests of a dyno.
    pub(crate) drain: Duration,
    /// Whether the time-outs of the platform end a request.
    pub(crate) enforces_timeouts: bool,
    /// Names that reach the app besides those below `localhost`.
    pub(crate) hosts: Vec<String>,
    /// Addresses on which it listens besides the loopback ones.
    pub(crate) bind: Vec<IpAddr>,
}

impl RouterSettings {
    /// The options win over `.foreman`, which wins over what `--heroku` implies.
    pub(super) fn new(args: &RouterArgs, heroku: bool, file: &ForemanFile) -> Self {
        let implied = heroku.then_some(RouterPort::Base);
        let without_option = file.router.as_ref().map_or(implied, |setting| setting.value);
        let port = if args.no_router { None } else { args.router.or(without_option) };
        let given = [
            ("--router-hold", args.router_hold.is_some()),
            ("--router-drain", args.router_drain.is_some()),
            ("--router-timeout", args.router_timeout),
            ("--hosts", !args.hosts.is_empty()),
            ("--bind", !args.bind.is_empty()),
        ];
        let seconds = |given: Option<Seconds>, default| given.map_or(default, |seconds| seconds.0);
        let options = RouterOptions {
            hold: seconds(args.router_hold, if heroku { HEROKU_HOLD } else { HOLD }),
            drain: seconds(args.router_drain, DRAIN),
            enforces_timeouts: args.router_timeout || heroku,
            hosts: args.hosts.clone(),
            bind: args.bind.clone(),
        };
        let unused_option = given.iter().find(|(_, is_given)| *is_given && port.is_none()).map(|(option, _)| *option);
        Self { port, options, unused_option }
    }

    /// The settings of a command that has no router.
    pub(super) fn of_none(heroku: bool) -> Self {
        let args = RouterArgs { no_router: true, ..RouterArgs::default() };
        Self::new(&args, heroku, &ForemanFile::default())
    }

    /// Where it listens. None: there is no router.
    pub(crate) fn port(&self) -> Option<RouterPort> {
        self.port
    }

    /// Whether each option has an effect.
    ///
    /// # Errors
    /// Status 2: one has none.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let Some(option) = self.unused_option else { return Ok(()) };
        let fact = format!("`{option}` has no effect without a router");
        Err(Error::usage(fact, format!("add `--router`, or leave out `{option}`")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Setting;

    fn file(value: Option<RouterPort>) -> ForemanFile {
        ForemanFile { router: Some(Setting { value, line: 1 }), ..ForemanFile::default() }
    }

    #[test]
    fn s16_1_an_option_wins_over_the_file() {
        let with = |args: &RouterArgs, value| RouterSettings::new(args, false, &file(value)).port();
        let (none, at) = (RouterArgs::default(), Some(RouterPort::At(8_080)));
        let base = RouterArgs { router: Some(RouterPort::Base), ..RouterArgs::default() };
        let off = RouterArgs { no_router: true, ..RouterArgs::default() };

        assert_eq!((with(&none, at), with(&none, None)), (at, None));
        assert_eq!((with(&base, at), with(&base, None)), (base.router, base.router));
        assert_eq!((with(&off, at), with(&off, None)), (None, None));
    }

    #[test]
    fn s16_1_heroku_implies_a_router_unless_it_is_left_out() {
        let with = |args: &RouterArgs, file| RouterSettings::new(args, true, &file).port();
        let (none, base, at) = (RouterArgs::default(), Some(RouterPort::Base), Some(RouterPort::At(8_080)));
        let off = RouterArgs { no_router: true, ..RouterArgs::default() };
        let other = RouterArgs { router: at, ..RouterArgs::default() };
        let unset = ForemanFile::default;

        assert_eq!((with(&none, unset()), with(&other, unset()), with(&off, unset())), (base, at, None));
        assert_eq!((with(&none, file(at)), with(&none, file(None))), (at, None));
        assert_eq!(RouterSettings::of_none(true).port(), None);
    }

    #[test]
    fn s16_3_the_times_have_defaults_and_those_of_the_platform() {
        let times = |args: &RouterArgs, heroku| {
            let settings = RouterSettings::new(args, heroku, &file(Some(RouterPort::Base))).options;
            (settings.hold.as_secs(), settings.drain.as_secs(), settings.enforces_timeouts)
        };
        let seconds = |seconds| Some(Seconds(Duration::from_secs(seconds)));
        let given = RouterArgs { router_hold: seconds(1), router_drain: seconds(0), ..RouterArgs::default() };

        assert_eq!(times(&RouterArgs::default(), false), (30, 5, false));
        assert_eq!(times(&RouterArgs::default(), true), (75, 5, true));
        assert_eq!(times(&given, true), (1, 0, true));
    }
}
