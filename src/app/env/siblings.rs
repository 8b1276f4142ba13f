//! The variables with which a dyno finds the ports and addresses of others: `WEB_PORT`, `WEB_URL` (S5.6), and that of the app:
//! `DYNO_URL` (S16.1).
//!
//! Pure. Not here: which dynos have them (`release::Blueprint`), and which layer wins (`layers`).

use core::net::Ipv4Addr;

use crate::model::{Environment, ProcessType, Secret, http_url};

/// The address of the app.
const APP_URL: &str = "DYNO_URL";

const PORT: &str = "_PORT";
const URL: &str = "_URL";

/// The two variables for a process type whose first dyno has this port. `app_url`: the address of the app, which is that of
/// `web`.
#[must_use]
pub fn sibling_variables(process_type: &ProcessType, port: u16, app_url: Option<&str>) -> [(String, Secret); 2] {
    let name = process_type.as_str().to_ascii_uppercase().replace('-', "_");
    let of_app = app_url.filter(|_| process_type.as_str() == ProcessType::WEB);
    let url = of_app.map_or_else(|| url_of_port(port), str::to_owned);
    [(format!("{name}{PORT}"), Secret::new(port.to_string())), (format!("{name}{URL}"), Secret::new(url))]
}

/// The variable with the address of the app.
#[must_use]
pub fn app_url_variable(url: &str) -> (String, Secret) {
    (APP_URL.to_owned(), Secret::new(url))
}

/// The address of a server on this port of this machine: `http://127.0.0.1:5000`.
#[must_use]
pub fn url_of_port(port: u16) -> String {
    http_url(Ipv4Addr::LOCALHOST.into(), port)
}

/// The keys of all such variables in the environment of a dyno. Only pairs that fit together are found, with the port in the
/// address or with the address of the app: an `API_URL` that the user has set, without `API_PORT` or with another port in it, is
/// left out.
pub(super) fn sibling_keys(environment: &Environment) -> Vec<Vec<u8>> {
    let app_url = environment.get(APP_URL.as_bytes()).map(Secret::reveal);
    let pair = |(key, value): (&[u8], &Secret)| {
        let name = key.strip_suffix(PORT.as_bytes()).filter(|name| !name.is_empty())?;
        let port = std::str::from_utf8(value.reveal()).ok()?.parse().ok()?;
        let of_url = [name, URL.as_bytes()].concat();
        let url = environment.get(&of_url)?.reveal();
        let is_pair = url == url_of_port(port).as_bytes() || Some(url) == app_url;
        is_pair.then(|| [key.to_vec(), of_url])
    };
    let of_app = app_url.map(|_| APP_URL.as_bytes().to_vec());
    environment.iter().filter_map(pair).flatten().chain(of_app).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s5_6_the_name_of_the_type_is_in_upper_case_with_underscores() {
        let variables =
            sibling_variables(&ProcessType::new("admin-web").unwrap(), 5_100, Some("http://127.0.0.1:5000"));

        let shown = variables.map(|(key, value)| format!("{key}={}", String::from_utf8_lossy(value.reveal())));
        assert_eq!(shown, ["ADMIN_WEB_PORT=5100", "ADMIN_WEB_URL=http://127.0.0.1:5100"]);
    }

    #[test]
    fn s5_6_only_pairs_that_fit_together_are_recognised() {
        let mut environment = Environment::default();
        for (key, value) in [
            ("WEB_PORT", "5000"),
            ("WEB_URL", "http://127.0.0.1:5000"),
            ("API_PORT", "7000"),
            ("API_URL", "http://127.0.0.1:5000"),
            ("REDIS_PORT", "6379"),
            ("DOCS_URL", "http://127.0.0.1:8000"),
            ("_PORT", "1"),
            ("_URL", "http://127.0.0.1:1"),
        ] {
            environment.set(key, value);
        }

        assert_eq!(sibling_keys(&environment), [b"WEB_PORT".to_vec(), b"WEB_URL".to_vec()]);
    }

    #[test]
    fn s16_1_web_has_the_address_of_the_app_and_its_own_port() {
        let url = "http://127.0.0.1:5000";
        let mut environment = Environment::default();
        let (key, value) = app_url_variable(url);
        environment.set(key, value.reveal());
        for (key, value) in sibling_variables(&ProcessType::new("web").unwrap(), 5_100, Some(url)) {
            environment.set(key, value.reveal());
        }

        let shown = |key: &str| String::from_utf8_lossy(environment.get(key.as_bytes()).unwrap().reveal()).into_owned();
        assert_eq!(["DYNO_URL", "WEB_PORT", "WEB_URL"].map(shown), [url, "5100", url]);
        let keys = sibling_keys(&environment);
        assert_eq!(
            keys,
            ["WEB_PORT", "WEB_URL", "DYNO_URL"].map(|key| key.as_bytes().to_vec()),
            "an inner run has its own"
        );
    }
}
