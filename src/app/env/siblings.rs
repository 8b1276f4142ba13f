//! The variables with which a dyno finds the ports and addresses of others: `WEB_PORT`, `WEB_URL` (S5.6).
//!
//! Pure. Not here: which dynos have them (`release::Blueprint`), and which layer wins (`layers`).

use core::net::Ipv4Addr;

use crate::model::{Environment, ProcessType, Secret, http_url};

const PORT: &str = "_PORT";
const URL: &str = "_URL";

/// The two variables for a process type whose first dyno has this port.
#[must_use]
pub fn sibling_variables(process_type: &ProcessType, port: u16) -> [(String, Secret); 2] {
    let name = process_type.as_str().to_ascii_uppercase().replace('-', "_");
    [(format!("{name}{PORT}"), Secret::new(port.to_string())), (format!("{name}{URL}"), Secret::new(url(port)))]
}

/// The keys of all such variables in an environment. Only pairs that fit together are found: an `API_URL` that the user
/// has set, without `API_PORT` or with another port in it, is left out.
pub(super) fn sibling_keys(environment: &Environment) -> Vec<Vec<u8>> {
    let pair = |(key, value): (&[u8], &Secret)| {
        let name = key.strip_suffix(PORT.as_bytes()).filter(|name| !name.is_empty())?;
        let port = std::str::from_utf8(value.reveal()).ok()?.parse().ok()?;
        let of_url = [name, URL.as_bytes()].concat();
        let is_pair = environment.get(&of_url)?.reveal() == url(port).as_bytes();
        is_pair.then(|| [key.to_vec(), of_url])
    };
    environment.iter().filter_map(pair).flatten().collect()
}

fn url(port: u16) -> String {
    http_url(Ipv4Addr::LOCALHOST.into(), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s5_6_the_name_of_the_type_is_in_upper_case_with_underscores() {
        let variables = sibling_variables(&ProcessType::new("admin-web").unwrap(), 5_100);

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
}
