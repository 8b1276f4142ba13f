//! Decides which process type, and at the front door which app, a request is for (S16.2, S16.7).

use super::{HostKind, HostName};
use crate::model::ProcessType;

/// What a host name means on one port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteTarget {
    /// The dynos of `web`. `app`: the position of the app, at the front door.
    Web {
        /// The position; 0 on the port of an app.
        app: usize,
    },
    /// The dynos of another process type.
    Type {
        /// The position; 0 on the port of an app.
        app: usize,
        /// The process type.
        process_type: ProcessType,
    },
    /// The front door itself: the list of apps.
    AppList,
    /// At the front door: no running app has this name (404, with the list).
    UnknownName(String),
    /// A name that is not below `localhost` and that `--hosts` does not allow (421).
    Misdirected,
}

/// An app that the front door can reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownApp {
    /// Its name.
    pub name: String,
    /// Its process types, other than `web`, whose dynos have names of their own.
    pub types: Vec<ProcessType>,
    /// The names that `--hosts` allows on the app's own port. The front door ignores them.
    pub hosts: Vec<String>,
}

/// What a host means on the port of one app. Names below `localhost` are safe from DNS rebinding, because they never leave
/// the machine; an address is, because a web page that uses it cannot be one of another origin.
#[must_use]
pub fn route(host: &HostName, app: &KnownApp) -> RouteTarget {
    match host.kind() {
        HostKind::BelowLocalhost(label) => match type_of(label, app) {
            Some(process_type) => RouteTarget::Type { app: 0, process_type: process_type.clone() },
            // Apps with a subdomain for each customer.
            None => RouteTarget::Web { app: 0 },
        },
        HostKind::Localhost | HostKind::Address(_) => RouteTarget::Web { app: 0 },
        HostKind::Other(name) if allows(app, name) => RouteTarget::Web { app: 0 },
        HostKind::Other(_) => RouteTarget::Misdirected,
    }
}

/// What a host means at the front door of all apps. An app with exactly the name that is meant wins over a process type.
#[must_use]
pub fn front_door_route(host: &HostName, apps: &[KnownApp]) -> RouteTarget {
    let label = match host.kind() {
        HostKind::Localhost | HostKind::Address(_) => return RouteTarget::AppList,
        HostKind::Other(_) => return RouteTarget::Misdirected,
        HostKind::BelowLocalhost(label) => label,
    };
    if let Some(app) = apps.iter().position(|app| is_same(label, &app.name)) {
        return RouteTarget::Web { app };
    }
    let typed = apps.iter().enumerate().find_map(|(at, app)| Some((at, type_of(label, app)?)));
    match typed {
        Some((app, process_type)) => RouteTarget::Type { app, process_type: process_type.clone() },
        None => RouteTarget::UnknownName(label.clone()),
    }
}

/// What a host means on a connection that the front door has handed over to an app: only the names of that app reach it, because
/// others may be those of other apps.
#[must_use]
pub fn handed_over_route(host: &HostName, app: &KnownApp) -> RouteTarget {
    match host.kind() {
        HostKind::BelowLocalhost(label) if is_same(label, &app.name) => RouteTarget::Web { app: 0 },
        HostKind::BelowLocalhost(label) => match type_of(label, app) {
            Some(process_type) => RouteTarget::Type { app: 0, process_type: process_type.clone() },
            None => RouteTarget::Misdirected,
        },
        HostKind::Localhost | HostKind::Address(_) | HostKind::Other(_) => RouteTarget::Misdirected,
    }
}

/// The process type `api` for `APP-api`. `label` is in lower case.
fn type_of<'a>(label: &str, app: &'a KnownApp) -> Option<&'a ProcessType> {
    let name = label.get(..app.name.len()).filter(|name| is_same(name, &app.name))?;
    let rest = label.get(name.len()..)?.strip_prefix('-')?;
    app.types.iter().find(|process_type| is_same(rest, process_type.as_str()))
}

/// Compares names of hosts, in which some programs do not allow `_`.
fn is_same(label: &str, name: &str) -> bool {
    let folded = |byte: u8| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    label.len() == name.len() && label.bytes().map(folded).eq(name.bytes().map(folded))
}

fn allows(app: &KnownApp, name: &str) -> bool {
    app.hosts.iter().any(|host| host.strip_suffix('.').unwrap_or(host).eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> HostName {
        HostName::parse(text.as_bytes()).expect(text)
    }

    fn app(name: &str, types: &[&str]) -> KnownApp {
        let types = types.iter().map(|name| ProcessType::new(name).unwrap()).collect();
        KnownApp { name: name.to_owned(), types, hosts: Vec::new() }
    }

    fn web(app: usize) -> RouteTarget {
        RouteTarget::Web { app }
    }

    fn typed(app: usize, name: &str) -> RouteTarget {
        RouteTarget::Type { app, process_type: ProcessType::new(name).unwrap() }
    }

    #[test]
    fn s16_2_every_local_name_reaches_web_on_the_port_of_the_app() {
        let shop = app("shop", &["api", "Admin_UI"]);
        let target = |name: &str| route(&host(name), &shop);

        for name in [
            "localhost:5000",
            "127.0.0.1:5000",
            "[::1]:5000",
            "192.168.1.5",
            "[2001:db8::5]",
            "shop.localhost",
            "SHOP.localhost.",
            "customer.localhost",
            "customer.shop.localhost",
            "shop-worker.localhost",
            "shopapi.localhost",
            "api.localhost",
        ] {
            assert_eq!(target(name), web(0), "{name}");
        }
        assert_eq!(target("shop-api.localhost:5000"), typed(0, "api"));
        assert_eq!(target("x.Shop-API.localhost"), typed(0, "api"));
        assert_eq!(target("shop-admin-ui.localhost"), typed(0, "Admin_UI"));
        assert_eq!(target("shop-admin_ui.localhost"), typed(0, "Admin_UI"));
    }

    #[test]
    fn s16_2_other_names_need_the_option_hosts() {
        let mut shop = app("shop", &["api"]);
        shop.hosts = vec!["Shop.test".to_owned()];

        assert_eq!(route(&host("shop.test:5000"), &shop), web(0));
        assert_eq!(route(&host("SHOP.TEST."), &shop), web(0));
        for name in ["evil.example", "a.shop.test", "localhost.evil.example", "shop.localhost.evil", "localhost2", "0"]
        {
            assert_eq!(route(&host(name), &shop), RouteTarget::Misdirected, "{name}");
            assert_eq!(front_door_route(&host(name), std::slice::from_ref(&shop)), RouteTarget::Misdirected, "{name}");
        }
        assert_eq!(front_door_route(&host("shop.test"), &[app("a", &[]), shop]), RouteTarget::Misdirected);
    }

    #[test]
    fn s16_7_the_front_door_finds_the_app_by_its_name() {
        let apps = [app("shop", &["api", "x"]), app("shop-api", &[]), app("blog", &["api"])];
        let target = |name: &str| front_door_route(&host(name), &apps);

        assert_eq!(target("shop.localhost:4900"), web(0));
        assert_eq!(target("customer.shop.localhost"), web(0));
        // An app with that name wins over the process type of another app.
        assert_eq!(target("shop-api.localhost"), web(1));
        assert_eq!(target("shop-x.localhost"), typed(0, "x"));
        assert_eq!(target("blog-api.localhost"), typed(2, "api"));
        for name in ["localhost:4900", "127.0.0.1:4900", "[::1]", "10.0.0.1"] {
            assert_eq!(target(name), RouteTarget::AppList, "{name}");
        }
        assert_eq!(target("gone.localhost"), RouteTarget::UnknownName("gone".to_owned()));
        assert_eq!(target("blog-gone.localhost"), RouteTarget::UnknownName("blog-gone".to_owned()));
    }
}
