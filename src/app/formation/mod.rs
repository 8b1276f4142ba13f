//! Decides the formation, which is how many dynos of each process type run, from the options of the command line
//! (S4.1-S4.4).
//!
//! Pure: nothing here starts or stops a dyno. The caller fills in the defaults of `.foreman`; `supervisor` decides that
//! `release` runs before everything else.

mod error;
mod scale;

use std::collections::HashMap;

use crate::app::text::nearest::nearest;
use crate::model::{DynoName, ProcessType};
pub use error::{FormationError, FormationWarning};
pub use scale::Scale;

#[cfg(test)]
mod tests;

/// Largest quantity of one process type (S4.2), so that a typo does not start ten thousand processes.
pub const MAX_QUANTITY: u16 = 1_000;

/// The name that means all process types.
const ALL: &str = "all";

/// The release phase runs before the formation and is never part of it (S1.8). The only quantity it accepts is 0.
const RELEASE: &str = "release";

/// The quantity of each process type, in the order of the Procfile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Formation {
    quantities: Vec<(ProcessType, u16)>,
    /// `release=0` or `-x release`.
    without_release: bool,
}

/// The options that choose a formation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FormationRequest<'a> {
    /// `-m all=1,web=2`: the whole formation. Types that are not named get 0, like in foreman.
    pub whole: Option<&'a str>,
    /// `-c web=2`: changes to quantities. Types that are not named keep theirs, by default 1 as in honcho. Later
    /// options win.
    pub changed: &'a [String],
    /// `start web worker=2` and `-l web,worker`: starts only these. Wins over `whole`, like in foreman.
    pub only: &'a [String],
    /// `-x web,css`: does not start these. Wins over all the others.
    pub except: &'a [String],
}

/// One `NAME=QUANTITY`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    name: String,
    quantity: u16,
}

impl Formation {
    /// One dyno of each process type (S4.1), without `release` (S1.8).
    #[must_use]
    pub fn one_of_each(types: &[ProcessType]) -> Self {
        let in_formation = types.iter().filter(|process_type| !process_type.is_release());
        let quantities = in_formation.map(|process_type| (process_type.clone(), 1)).collect();
        Self { quantities, without_release: false }
    }

    /// The formation with these dynos, one item for each. Types without a dyno get quantity 0.
    #[must_use]
    pub fn counted<'a>(types: &[ProcessType], dynos: impl Iterator<Item = &'a ProcessType>) -> Self {
        let mut counts: HashMap<&ProcessType, u16> = HashMap::new();
        for process_type in dynos {
            let count = counts.entry(process_type).or_default();
            *count = count.saturating_add(1);
        }
        let count = |known: &ProcessType| (known.clone(), counts.get(known).copied().unwrap_or(0));
        Self { quantities: types.iter().map(count).collect(), without_release: false }
    }

    /// The formation after these changes.
    ///
    /// # Errors
    /// The first process type whose quantity would be over [`MAX_QUANTITY`].
    pub fn scaled(&self, changes: &[(ProcessType, Scale)]) -> Result<Self, ProcessType> {
        let mut formation = self.clone();
        for (process_type, scale) in changes {
            let known = formation.quantities.iter_mut().find(|(known, _)| known == process_type);
            let Some((_, quantity)) = known else { continue };
            *quantity = scale.apply(*quantity).ok_or_else(|| process_type.clone())?;
        }
        Ok(formation)
    }

    /// The formation after the Procfile has changed to these types. Types that were there before keep their quantities;
    /// `added` has the quantities of the new types.
    #[must_use]
    pub fn succeeded_by(&self, types: &[ProcessType], added: &Self) -> Self {
        let kept = |name: &ProcessType| self.iter().find(|(known, _)| *known == name).map(|(_, quantity)| quantity);
        let quantity = |name: &ProcessType| kept(name).unwrap_or_else(|| added.quantity(name));
        Self { quantities: types.iter().map(|name| (name.clone(), quantity(name))).collect(), ..*self }
    }

    /// The same formation without dynos of this process type.
    #[must_use]
    pub fn without(mut self, process_type: &ProcessType) -> Self {
        for (_, quantity) in self.quantities.iter_mut().filter(|(known, _)| known == process_type) {
            *quantity = 0;
        }
        self
    }

    /// The formation for a request. `types`: the process types of the Procfile in its order; `release` may be among
    /// them and is skipped.
    ///
    /// # Errors
    /// Every [`FormationError`] of the request. If there is one, nothing may start (S4.4).
    pub fn resolve(
        types: &[ProcessType],
        request: &FormationRequest<'_>,
    ) -> Result<(Self, Vec<FormationWarning>), Vec<FormationError>> {
        let mut resolving = Resolving { types, errors: Vec::new(), warnings: Vec::new() };
        let formation = resolving.resolve(request);
        if resolving.errors.is_empty() { Ok((formation, resolving.warnings)) } else { Err(resolving.errors) }
    }

    /// The quantity of a process type; 0 if the formation does not have it.
    #[must_use]
    pub fn quantity(&self, process_type: &ProcessType) -> u16 {
        self.iter().find(|(known, _)| *known == process_type).map_or(0, |(_, quantity)| quantity)
    }

    /// All process types with their quantities, including 0, in the order of the Procfile.
    pub fn iter(&self) -> impl Iterator<Item = (&ProcessType, u16)> {
        self.quantities.iter().map(|(process_type, quantity)| (process_type, *quantity))
    }

    /// The dynos in start order: `web.1`, `web.2`, `worker.1`.
    pub fn dynos(&self) -> impl Iterator<Item = DynoName> {
        self.iter().flat_map(|(process_type, quantity)| {
            (1..=u32::from(quantity)).map(|index| DynoName::new(process_type.clone(), index))
        })
    }

    /// Whether the release command runs first: `release=0` and `-x release` mean the same as `--no-release`.
    #[must_use]
    pub fn keeps_release(&self) -> bool {
        !self.without_release
    }

    /// Whether no dyno runs at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().all(|(_, quantity)| quantity == 0)
    }

    /// The largest quantity of one process type.
    #[must_use]
    pub fn largest_quantity(&self) -> u16 {
        self.iter().map(|(_, quantity)| quantity).max().unwrap_or(0)
    }

    fn set(&mut self, name: &str, quantity: u16) {
        for (process_type, current) in &mut self.quantities {
            if name == ALL || process_type.as_str() == name {
                *current = quantity;
            }
        }
    }
}

/// The state while a request is being resolved.
struct Resolving<'a> {
    types: &'a [ProcessType],
    errors: Vec<FormationError>,
    warnings: Vec<FormationWarning>,
}

impl Resolving<'_> {
    fn resolve(&mut self, request: &FormationRequest<'_>) -> Formation {
        let mut formation = Formation::one_of_each(self.types);
        if !request.only.is_empty() {
            let wanted = self.read(request.only, Some(1));
            formation.set(ALL, 0);
            self.apply(&mut formation, &wanted);
        } else if let Some(whole) = request.whole {
            let wanted = self.read(&[whole], None);
            formation.set(ALL, 0);
            self.apply(&mut formation, &wanted);
        }
        let changed = self.read(request.changed, None);
        let left_out: Vec<&Wanted> = changed
            .iter()
            .filter(|wanted| !request.only.is_empty() && self.is_left_out(&formation, &wanted.name))
            .collect();
        for wanted in &left_out {
            self.warnings.push(FormationWarning::NotAmongTheNamed { name: wanted.name.clone() });
        }
        let changed: Vec<Wanted> = changed.iter().filter(|wanted| !left_out.contains(wanted)).cloned().collect();
        let named = formation.clone();
        self.apply(&mut formation, &changed);
        if !request.only.is_empty() {
            // `-c all=2` must not start types that were not named.
            let both = formation.quantities.iter_mut().zip(&named.quantities);
            both.filter(|(_, (_, was))| *was == 0).for_each(|(now, _)| now.1 = 0);
        }
        let except = self.read(request.except, Some(0));
        self.apply(&mut formation, &except);
        formation
    }

    /// Whether the names to start leave a known type at 0. As in honcho, `-c` does not start such a type.
    fn is_left_out(&self, formation: &Formation, name: &str) -> bool {
        let mut types = self.types.iter().filter(|known| !known.is_release());
        types.any(|known| known.as_str() == name && formation.quantity(known) == 0)
    }

    /// Parses comma-separated lists. `bare`: the quantity of a name without `=`; if None, the `=` is required.
    fn read(&mut self, lists: &[impl AsRef<str>], bare: Option<u16>) -> Vec<Wanted> {
        let mut wanted: Vec<Wanted> = Vec::new();
        for list in lists {
            let list = list.as_ref();
            // Ruby's `split` ignores a trailing comma, so existing scripts may have one.
            let forgiven = list.trim_end().strip_suffix(',').filter(|rest| !rest.trim().is_empty());
            for item in forgiven.unwrap_or(list).split(',') {
                match read_item(item.trim(), list, bare) {
                    Ok(item) => wanted.push(item),
                    Err(error) => self.errors.push(error),
                }
            }
        }
        for (at, Wanted { name, quantity }) in wanted.iter().enumerate() {
            let (earlier, rest) = wanted.split_at(at);
            let is_last = rest.iter().filter(|other| other.name == *name).count() == 1;
            if is_last && earlier.iter().any(|other| other.name == *name && other.quantity != *quantity) {
                self.warnings.push(FormationWarning::Twice { name: name.clone(), quantity: *quantity });
            }
        }
        wanted
    }

    fn apply(&mut self, formation: &mut Formation, wanted: &[Wanted]) {
        // `all` is for the types that are not named, no matter where it is in the list (foreman).
        let (all, named): (Vec<&Wanted>, Vec<&Wanted>) = wanted.iter().partition(|wanted| wanted.name == ALL);
        for wanted in all.iter().chain(&named) {
            if wanted.name == RELEASE {
                formation.without_release = true;
            }
            if self.check_known(wanted) {
                formation.set(&wanted.name, wanted.quantity);
            }
        }
    }

    /// Whether a name is `all` or a process type of the formation. If not, adds the error or warning about it.
    fn check_known(&mut self, wanted: &Wanted) -> bool {
        let Wanted { name, quantity } = wanted;
        if name == RELEASE {
            if *quantity > 0 {
                self.errors.push(FormationError::Release);
            }
            return false;
        }
        if name == ALL || self.types.iter().any(|known| known.as_str() == name) {
            return true;
        }
        if *quantity == 0 {
            let known = names_in_formation(self.types).map(str::to_owned).collect();
            let nearest = near(name, self.types);
            self.warnings.push(FormationWarning::UnknownType { name: name.clone(), nearest, known });
        } else {
            self.errors.push(unknown_type(name, self.types));
        }
        false
    }
}

/// The error for a process type that is not in the Procfile.
pub(super) fn unknown_type(name: &str, types: &[ProcessType]) -> FormationError {
    let known = names_in_formation(types).map(str::to_owned).collect();
    FormationError::UnknownType { name: name.to_owned(), nearest: near(name, types), known }
}

fn near(name: &str, types: &[ProcessType]) -> Vec<String> {
    nearest(name, names_in_formation(types)).into_iter().map(str::to_owned).collect()
}

fn names_in_formation(types: &[ProcessType]) -> impl Iterator<Item = &str> {
    types.iter().map(ProcessType::as_str).filter(|known| *known != RELEASE)
}

/// Parses `NAME=QUANTITY`, or `NAME` if `bare` gives its quantity.
fn read_item(item: &str, list: &str, bare: Option<u16>) -> Result<Wanted, FormationError> {
    if item.is_empty() {
        return Err(FormationError::EmptyItem { list: list.to_owned() });
    }
    let Some((name, quantity)) = item.split_once('=') else {
        let quantity = bare.ok_or_else(|| FormationError::NoQuantity { name: item.to_owned() })?;
        return Ok(Wanted { name: item.to_owned(), quantity });
    };
    let (name, quantity) = (name.trim().to_owned(), quantity.trim());
    if name.is_empty() {
        return Err(FormationError::NoName { item: item.to_owned() });
    }
    Ok(Wanted { quantity: read_quantity(&name, quantity)?, name })
}

/// Parses the quantity of a process type.
pub(super) fn read_quantity(name: &str, text: &str) -> Result<u16, FormationError> {
    if text.is_empty() {
        return Err(FormationError::NoQuantity { name: name.to_owned() });
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(FormationError::BadQuantity { name: name.to_owned(), text: text.to_owned() });
    }
    match text.parse::<u16>() {
        Ok(quantity) if quantity <= MAX_QUANTITY => Ok(quantity),
        Ok(_) | Err(_) => Err(FormationError::TooMany { name: name.to_owned(), text: text.to_owned() }),
    }
}
