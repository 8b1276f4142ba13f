//! Ids in the path of a request: the platform takes the id of a dyno or of a process type wherever it takes its name.

use super::AppFacts;
use super::resources::{DynoResource, FormationResource};
use crate::supervisor::Snapshot;

/// The length of an id.
const ID_LENGTH: usize = 36;

/// Whether a path may contain an id besides that of the app.
#[must_use]
pub fn may_have_ids(path: &str) -> bool {
    behind_app(path).is_some_and(|(_, rest)| rest.split('/').any(|part| part.len() == ID_LENGTH))
}

impl AppFacts {
    /// The path with names in place of the ids of dynos and process types.
    #[must_use]
    pub fn named_path(&self, path: &str, snapshot: &Snapshot) -> String {
        let Some((app, rest)) = behind_app(path) else { return path.to_owned() };
        let dynos =
            snapshot.rows.iter().map(|row| DynoResource::named(self, &row.dyno)).map(|dyno| (dyno.id, dyno.name));
        let types = FormationResource::all(self, &snapshot.facts, &snapshot.formation).into_iter();
        let known: Vec<(String, String)> = dynos.chain(types.map(|entry| (entry.id, entry.process_type))).collect();
        let named = |part| known.iter().find(|(id, _)| id == part).map_or(part, |(_, name)| name.as_str());
        let rest: Vec<&str> = rest.split('/').map(named).collect();
        format!("{app}/{}", rest.join("/"))
    }
}

/// `/apps/NAME` and the rest of the path.
fn behind_app(path: &str) -> Option<(&str, &str)> {
    let name = path.strip_prefix("/apps/")?;
    let (name, rest) = name.split_once('/')?;
    Some((path.get(..path.len() - rest.len() - 1)?, rest)).filter(|_| !name.is_empty())
}
