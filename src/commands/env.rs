//! `dyno env`: prints the variables that make a client of the Platform API use the app that runs here (S17.3).

use std::env;
use std::fmt::Write as _;
use std::path::Path;

use crate::api::TcpAccessResource;
use crate::cli::{ApiClientName, Cli, EnvArgs, EnvShell};
use crate::client::{Failure, RunningApp, finish};
use crate::console::diagnostics::warn;
use crate::console::stdout;
use crate::error::{Complaint, Error, Status};
use crate::runtime;
use crate::supervisor::Outcome;

/// Variables that keep the client from contacting other machines: they turn off its usage statistics and its check for
/// a newer version.
const OFFLINE: [(&str, &str); 3] =
    [("DISABLE_TELEMETRY", "true"), ("HEROKU_SKIP_NEW_VERSION_CHECK", "true"), ("HEROKU_DISABLE_AUTOUPDATE", "1")];

/// Names a file with certificates that Node trusts. The client connects to an attached one-off dyno only over TLS.
const CERTIFICATES: &str = "NODE_EXTRA_CA_CERTS";

/// Variables that name a proxy. Through a proxy, the client would not reach this machine.
const PROXIES: [&str; 6] = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];
/// Variables that list hosts to reach without a proxy. Some programs read only one of them.
const NO_PROXY: [&str; 2] = ["NO_PROXY", "no_proxy"];
const DIRECT: &str = "127.0.0.1,localhost";

pub(super) fn run(cli: &Cli, args: &EnvArgs) -> Result<Outcome, Error> {
    runtime::unblock_all();
    let found = RunningApp::find(cli.project_before(), &args.running).and_then(|app| access(&app));
    match found {
        Ok((app, access)) => {
            let of_shell = |name: &str| env::var(name).ok();
            let variables = match args.client {
                ApiClientName::Heroku => of_heroku(&app, &access, of_shell),
            };
            if let Some(others) = access.certificate.as_ref().and_then(|path| other_certificates(path, of_shell)) {
                let fact = format!("{CERTIFICATES} is already `{others}`, so `heroku run` will not trust this app");
                let hint = "use `dyno run` or `heroku run:detached`, or unset NODE_EXTRA_CA_CERTS and then type the same line again";
                warn(&Complaint::new(fact, hint));
            }
            stdout::write(&lines(&variables, args.shell))
        }
        Err(failure) => Ok(finish(&args.running, Err(failure))),
    }
}

/// The name of the app, and how clients reach the first of its starts that serves the API.
fn access(app: &RunningApp) -> Result<(String, TcpAccessResource), Failure> {
    let mut last = None;
    for start in app.starts() {
        match app.tcp_access(start) {
            Ok(access) => return Ok((start.app.clone(), access)),
            // It may be the one that serves the API.
            Err(failure) if failure.is_silence() => return Err(failure),
            Err(failure) => last = Some(failure),
        }
    }
    let failure = last.unwrap_or_else(Failure::not_running);
    if failure.is_not_running() || !failure.is_unknown() {
        return Err(failure);
    }
    let hint = "stop it, then start it with `dyno start --api 5050`";
    Err(Failure::new(Status::Unavailable, "no_api", "the app was started without `--api`", hint))
}

/// The variables for the official CLI. `variable` looks up a variable of the shell.
fn of_heroku(
    app: &str,
    access: &TcpAccessResource,
    variable: impl Fn(&str) -> Option<String>,
) -> Vec<(&'static str, String)> {
    let mut variables = vec![
        ("HEROKU_HOST", access.url.clone()),
        ("HEROKU_API_KEY", access.key.clone()),
        ("HEROKU_APP", app.to_owned()),
        // The client also sends the key to this address, and waits for an answer. The default is another machine.
        ("HEROKU_PARTICLEBOARD_URL", access.url.clone()),
    ];
    let trusted = access.certificate.iter().filter(|path| other_certificates(path, &variable).is_none());
    variables.extend(trusted.map(|path| (CERTIFICATES, path.clone())));
    variables.extend(OFFLINE.map(|(name, value)| (name, value.to_owned())));
    if PROXIES.iter().any(|name| variable(name).is_some_and(|value| !value.is_empty())) {
        let others = NO_PROXY.into_iter().find_map(|name| variable(name).filter(|others| !others.is_empty()));
        let direct = match others {
            Some(others) if others.split(',').any(|name| matches!(name.trim(), "127.0.0.1" | "*")) => others,
            Some(others) => format!("{others},{DIRECT}"),
            None => DIRECT.to_owned(),
        };
        variables.extend(NO_PROXY.map(|name| (name, direct.clone())));
    }
    variables
}

/// The file that the shell names for this, if it is not one of ours: other programs in this terminal may need it.
fn other_certificates(ours: &str, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let directory = |path: &str| Path::new(path).parent().map(Path::to_owned);
    variable(CERTIFICATES).filter(|others| !others.is_empty() && directory(others) != directory(ours))
}

fn lines(variables: &[(&'static str, String)], shell: EnvShell) -> String {
    let mut text = String::new();
    for (name, value) in variables {
        let _ = match shell {
            EnvShell::Sh => writeln!(text, "export {name}='{}'", value.replace('\'', r"'\''")),
            EnvShell::Fish => {
                writeln!(text, "set -gx {name} '{}'", value.replace('\\', r"\\").replace('\'', r"\'"))
            }
            EnvShell::Powershell => writeln!(text, "$Env:{name} = '{}'", value.replace('\'', "''")),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access() -> TcpAccessResource {
        TcpAccessResource { url: "http://127.0.0.1:5050".to_owned(), key: "k".to_owned(), certificate: None }
    }

    #[test]
    fn s17_3_a_proxy_is_not_used_for_this_machine() {
        let direct = |shell: &[(&str, &str)]| {
            let of_shell =
                |name: &str| shell.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            let variables = of_heroku("shop", &access(), of_shell);
            let direct: Vec<String> =
                variables.into_iter().filter(|(name, _)| NO_PROXY.contains(name)).map(|(_, value)| value).collect();
            assert!(direct.first() == direct.last());
            direct.into_iter().next()
        };

        assert_eq!(direct(&[]), None);
        assert_eq!(direct(&[("https_proxy", "http://proxy")]), Some(DIRECT.to_owned()));
        assert_eq!(
            direct(&[("HTTP_PROXY", "http://proxy"), ("no_proxy", "corp")]),
            Some("corp,127.0.0.1,localhost".to_owned())
        );
        assert_eq!(
            direct(&[("ALL_PROXY", "x"), ("NO_PROXY", ""), ("no_proxy", "corp")]),
            Some("corp,127.0.0.1,localhost".to_owned())
        );
        for known in ["a, 127.0.0.1", "*"] {
            assert_eq!(direct(&[("HTTP_PROXY", "http://proxy"), ("NO_PROXY", known)]), Some(known.to_owned()));
        }
    }

    #[test]
    fn s17_3_certificates_that_other_programs_need_stay() {
        let access = TcpAccessResource { certificate: Some("/run/dyno/b.crt".to_owned()), ..access() };
        let set = |before: Option<&str>| {
            let of_shell = |name: &str| before.filter(|_| name == CERTIFICATES).map(str::to_owned);
            let variables = of_heroku("shop", &access, of_shell);
            variables.into_iter().find(|(name, _)| *name == CERTIFICATES).map(|(_, path)| path)
        };

        for replaced in [None, Some(""), Some("/run/dyno/a.crt")] {
            assert_eq!(set(replaced).as_deref(), Some("/run/dyno/b.crt"), "{replaced:?}");
        }
        assert_eq!(set(Some("/etc/corp.pem")), None);
        let without = TcpAccessResource { certificate: None, ..access };
        assert!(of_heroku("shop", &without, |_| None).iter().all(|(name, _)| *name != CERTIFICATES));
    }

    #[test]
    fn s17_3_values_are_quoted_for_each_shell() {
        let variables = [("A", r"it's \ $x".to_owned())];

        assert_eq!(lines(&variables, EnvShell::Sh), "export A='it'\\''s \\ $x'\n");
        assert_eq!(lines(&variables, EnvShell::Fish), "set -gx A 'it\\'s \\\\ $x'\n");
        assert_eq!(lines(&variables, EnvShell::Powershell), "$Env:A = 'it''s \\ $x'\n");
    }
}
