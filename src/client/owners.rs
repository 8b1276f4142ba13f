//! Finds the start that each name belongs to. All names are resolved before anything is changed (S10.2).

use super::failure::Failure;
use super::which_app::option_for;
use crate::api::{ApiError, FormationResource, NoOwner, SeenStart, StartDescription, owner, owners};
use crate::app::some_of;
use crate::error::Status;
use crate::model::ProcessType;
use crate::supervisor::Target;

/// What each start runs.
pub(crate) struct SeenApp<'a> {
    /// The starts, oldest first.
    pub(crate) starts: Vec<&'a StartDescription>,
    /// What each of them answered, in the same order.
    pub(crate) seen: Vec<SeenStart>,
}

impl<'a> SeenApp<'a> {
    /// The dynos and process types that these names mean, each with its start.
    ///
    /// # Errors
    /// Status 2 if nothing has a name, or a name belongs to more than one start.
    pub(crate) fn owners<'n>(
        &self,
        names: impl Iterator<Item = &'n str>,
    ) -> Result<Vec<(&'a StartDescription, Target)>, Failure> {
        let owners = owners(&self.seen, names).map_err(|why| self.no_owner(why, false))?;
        Ok(owners.into_iter().filter_map(|(at, target)| Some((*self.starts.get(at)?, target))).collect())
    }

    /// The start in which the quantity of this process type is changed: the one that runs it, else one that can run it.
    ///
    /// # Errors
    /// The same as for [`Self::owners`].
    pub(crate) fn owner_of_type(&self, name: &ProcessType) -> Result<&'a StartDescription, Failure> {
        let at = owner(&self.seen, &Target::Type(name.clone())).map_err(|why| self.no_owner(why, true))?;
        self.starts.get(at).copied().ok_or_else(Failure::not_running)
    }

    /// The start that a name belongs to, or the oldest one if nothing has that name now.
    ///
    /// # Errors
    /// Status 2 if several starts run it.
    pub(crate) fn owner_or_oldest(&self, name: &str) -> Result<&'a StartDescription, Failure> {
        let at = match owners(&self.seen, std::iter::once(name)) {
            Ok(owners) => owners.first().map_or(0, |(at, _)| *at),
            Err(NoOwner::Malformed(_) | NoOwner::Unknown(_)) => 0,
            Err(why @ NoOwner::Several { .. }) => return Err(self.no_owner(why, false)),
        };
        self.starts.get(at).copied().ok_or_else(Failure::not_running)
    }

    /// All starts with a dyno or process type of this name, for a command that only reads. If there are none, the
    /// oldest start.
    pub(crate) fn all_or_oldest(&self, name: &str) -> Vec<&'a StartDescription> {
        let positions = match owners(&self.seen, std::iter::once(name)) {
            Ok(owners) => owners.iter().map(|(at, _)| *at).collect(),
            Err(NoOwner::Malformed(_) | NoOwner::Unknown(_)) => vec![0],
            Err(NoOwner::Several { starts, .. }) => starts,
        };
        positions.into_iter().filter_map(|at| self.starts.get(at).copied()).collect()
    }

    /// `is_update`: see [`ApiError::of_refusal`].
    fn no_owner(&self, why: NoOwner, is_update: bool) -> Failure {
        match why {
            NoOwner::Malformed(error) => Failure::usage(error),
            NoOwner::Unknown(refusal) => Failure::usage(ApiError::of_refusal(&refusal, is_update)),
            NoOwner::Several { name, starts } => {
                let message = format!("`{name}` runs in more than one start of this app");
                let owners: Vec<&StartDescription> =
                    starts.iter().filter_map(|at| self.starts.get(*at).copied()).collect();
                let options: Vec<String> = owners.iter().map(|owner| option_for(owner, &owners)).collect();
                let hint = format!("add one of {}", some_of(&options));
                Failure::new(Status::Usage, "ambiguous", message, hint)
            }
        }
    }

    /// The formation of all starts, with what some of them have answered meanwhile. A process type that several know has
    /// the sum of their quantities.
    pub(crate) fn formation(
        mut self,
        answers: Vec<(&StartDescription, Vec<FormationResource>)>,
    ) -> Vec<FormationResource> {
        for (changed, formation) in answers {
            let of_start = self.starts.iter().zip(&mut self.seen).find(|(start, _)| start.session == changed.session);
            if let Some((_, seen)) = of_start {
                seen.formation = formation;
            }
        }
        summed(self.seen.into_iter().flat_map(|start| start.formation))
    }
}

/// One entry for each process type.
pub(super) fn summed(entries: impl Iterator<Item = FormationResource>) -> Vec<FormationResource> {
    let mut all: Vec<FormationResource> = Vec::new();
    for entry in entries {
        match all.iter_mut().find(|known| known.process_type == entry.process_type) {
            Some(known) => known.quantity = known.quantity.saturating_add(entry.quantity),
            None => all.push(entry),
        }
    }
    all
}
