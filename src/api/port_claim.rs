//! What a run writes into the files with which it reserves ports, so that others can say who has them (S5.4, S5.5).

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::start_description::StartDescription;
use crate::app::PortOwner;

/// The ports that a run has reserved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortClaim {
    /// The root of its app: a real path, written by [`StartDescription::path_text`].
    pub root: String,
    /// Its Procfile, written in the same way.
    pub procfile: String,
    /// The value of `--name`.
    pub name: Option<String>,
    /// Whether each of its process types runs once per app (S10.1).
    pub is_exclusive: bool,
    /// Its ports, and the dyno that has each, or `router`.
    pub ports: Vec<(String, u16)>,
}

impl PortClaim {
    /// The claim of an app on these ports.
    #[must_use]
    pub fn with_ports(&self, ports: &[(PortOwner, u16)]) -> Self {
        let ports = ports.iter().map(|(owner, port)| (owner.to_string(), *port)).collect();
        Self { ports, ..self.clone() }
    }

    /// The claim of an app with this root and Procfile, which are real paths. It has no ports yet.
    #[must_use]
    pub fn of_app(root: &Path, procfile: &Path, name: Option<&str>, is_exclusive: bool) -> Self {
        let (text, name) = (StartDescription::path_text, name.map(str::to_owned));
        Self { root: text(root), procfile: text(procfile), name, is_exclusive, ports: Vec::new() }
    }

    /// Whether both are starts of one app that run different process types.
    #[must_use]
    pub fn is_same_app(&self, other: &Self) -> bool {
        let is_same_app = (&self.root, &self.procfile, &self.name) == (&other.root, &other.procfile, &other.name);
        is_same_app && self.is_exclusive && other.is_exclusive
    }

    /// The dyno that has this port.
    #[must_use]
    pub fn dyno_of(&self, port: u16) -> Option<&str> {
        self.ports.iter().find(|(_, known)| *known == port).map(|(dyno, _)| dyno.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DynoName, ProcessType};

    #[test]
    fn s5_5_a_claim_names_the_app_and_the_dyno_of_each_port() {
        let app = |name| PortClaim::of_app(Path::new("/srv/a%b"), Path::new("/srv/a%b/Procfile"), name, true);
        let web = DynoName::new(ProcessType::new("web").unwrap(), 1);
        let claim = app(None).with_ports(&[(PortOwner::Dyno(web), 5_000)]);

        assert_eq!(
            (claim.root.as_str(), claim.dyno_of(5_000), claim.dyno_of(5_001)),
            ("/srv/a%25b", Some("web.1"), None)
        );
        assert!(claim.is_same_app(&app(None)) && !claim.is_same_app(&app(Some("copy"))));
        // A smoke test can run the same process types.
        let smoke = PortClaim { is_exclusive: false, ..claim.clone() };
        assert!(!smoke.is_same_app(&smoke) && !smoke.is_same_app(&claim));
        let text = serde_json::to_string(&claim).unwrap();
        assert_eq!(serde_json::from_str::<PortClaim>(&text).unwrap(), claim);
    }
}
