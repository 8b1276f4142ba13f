//! Which process types start after others (S6.12): the text of `--after`, and of `after` in `.foreman`.
//!
//! Pure. Not here: when a dyno has done what others wait for (`supervisor::order`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::text::nearest::instead_of;
use crate::model::ProcessType;

/// What the dynos of a process type must do before others start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// `web`: listen on any TCP port.
    Listens,
    /// `db:5433`: listen on this port.
    ListensOn(u16),
    /// `setup:done`: exit with status 0.
    Done,
    /// `worker:started`: run their program.
    Started,
}

/// One condition for the start of a process type: all dynos of another one have done something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prerequisite {
    /// The other process type.
    pub process_type: ProcessType,
    /// What its dynos must have done.
    pub until: Until,
}

/// The process types that start after others. No type waits for itself, not even through others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StartOrder {
    after: BTreeMap<ProcessType, Vec<Prerequisite>>,
}

/// Why a start order cannot be used. `Status::Usage`, or `Status::Config` if it comes from `.foreman`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartOrderError {
    /// The item does not have the form `TYPE=TYPE` or `TYPE=TYPE+TYPE`.
    #[error("`{item}` is not a valid start order")]
    NotAnOrder {
        /// The item.
        item: String,
    },
    /// The Procfile has no such process type.
    #[error("the Procfile has no process type `{name}`")]
    UnknownType {
        /// The name that was given.
        name: String,
        /// What was probably meant, or which types exist.
        hint: String,
    },
    /// The release phase is never part of the formation (S8.1).
    #[error("`release` always runs before everything else")]
    Release,
    /// The word after the colon is unknown.
    #[error("`{name}:{text}`: `{text}` is not a port, `done` or `started`")]
    BadCondition {
        /// The process type.
        name: String,
        /// The text after the colon.
        text: String,
    },
    /// Each of these types waits for the next one, and the last one for the first.
    #[error("{}", circle(.0))]
    Circle(Vec<ProcessType>),
}

impl StartOrderError {
    /// What to write instead.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::NotAnOrder { .. } => "write `worker=web`, or `clock=web+db` to wait for two".to_owned(),
            Self::UnknownType { hint, .. } => hint.clone(),
            Self::Release => "leave it out".to_owned(),
            Self::BadCondition { name, .. } => {
                format!("write `{name}`, `{name}:5432`, `{name}:done` or `{name}:started`")
            }
            Self::Circle(types) if types.len() > 1 => "remove one of these dependencies".to_owned(),
            Self::Circle(_) => "remove this dependency".to_owned(),
        }
    }
}

impl StartOrder {
    /// Reads items such as `worker=web`, `clock=web+db` and `web=db:5433+setup:done`. `types`: the process types in
    /// the Procfile without `release`.
    ///
    /// # Errors
    /// The first item that cannot be used, or a circle.
    pub fn parse<'a>(items: impl IntoIterator<Item = &'a str>, types: &[ProcessType]) -> Result<Self, StartOrderError> {
        let mut order = Self::default();
        for item in items {
            let not_an_order = || StartOrderError::NotAnOrder { item: item.to_owned() };
            let (left, right) = item.split_once('=').ok_or_else(not_an_order)?;
            let (left, right) = (left.trim(), right.trim());
            if left.is_empty() || right.is_empty() {
                return Err(not_an_order());
            }
            let process_type = known(left, types)?;
            for word in right.split('+').map(str::trim) {
                if word.is_empty() {
                    return Err(not_an_order());
                }
                let prerequisite = Prerequisite::parse(word, types)?;
                let after: &mut Vec<Prerequisite> = order.after.entry(process_type.clone()).or_default();
                if !after.contains(&prerequisite) {
                    after.push(prerequisite);
                }
            }
        }
        match order.circle() {
            Some(circle) => Err(StartOrderError::Circle(circle)),
            None => Ok(order),
        }
    }

    /// The process types that wait, each with its conditions.
    pub fn iter(&self) -> impl Iterator<Item = (&ProcessType, &[Prerequisite])> {
        self.after.iter().map(|(process_type, after)| (process_type, after.as_slice()))
    }

    /// The ports on which others wait for dynos of this process type.
    #[must_use]
    pub fn awaited_ports(&self, process_type: &ProcessType) -> Vec<u16> {
        let all = self.after.values().flatten().filter(|awaited| awaited.process_type == *process_type);
        let port = |until: Until| match until {
            Until::ListensOn(port) => Some(port),
            Until::Listens | Until::Done | Until::Started => None,
        };
        all.filter_map(|awaited| port(awaited.until)).collect()
    }

    /// Whether others wait until dynos of this type have exited with status 0.
    #[must_use]
    pub fn awaits_end_of(&self, process_type: &ProcessType) -> bool {
        let mut all = self.after.values().flatten();
        all.any(|awaited| awaited.until == Until::Done && awaited.process_type == *process_type)
    }

    /// A circle of types that wait for each other, beginning with the first of them in alphabetical order.
    fn circle(&self) -> Option<Vec<ProcessType>> {
        let mut fine = BTreeSet::new();
        self.after.keys().find_map(|process_type| self.circle_from(process_type, &mut Vec::new(), &mut fine))
    }

    /// `path`: the types that lead here. `fine`: those from which no circle can be reached.
    fn circle_from<'a>(
        &'a self,
        process_type: &'a ProcessType,
        path: &mut Vec<&'a ProcessType>,
        fine: &mut BTreeSet<&'a ProcessType>,
    ) -> Option<Vec<ProcessType>> {
        if fine.contains(process_type) {
            return None;
        }
        if let Some(at) = path.iter().position(|earlier| *earlier == process_type) {
            return Some(path.iter().skip(at).map(|waits| (*waits).clone()).collect());
        }
        path.push(process_type);
        let mut next = self.after.get(process_type).into_iter().flatten().map(|awaited| &awaited.process_type);
        let found = next.find_map(|next| self.circle_from(next, path, fine));
        path.pop();
        fine.insert(process_type);
        found
    }
}

impl Prerequisite {
    fn parse(word: &str, types: &[ProcessType]) -> Result<Self, StartOrderError> {
        let Some((name, text)) = word.split_once(':') else {
            return Ok(Self { process_type: known(word, types)?, until: Until::Listens });
        };
        let until = match text {
            "done" => Until::Done,
            "started" => Until::Started,
            port => {
                let bad = || StartOrderError::BadCondition { name: name.to_owned(), text: text.to_owned() };
                Until::ListensOn(super::parse_port(port.as_bytes()).ok_or_else(bad)?)
            }
        };
        Ok(Self { process_type: known(name, types)?, until })
    }
}

/// The text after `waits for web.1`.
impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listens => f.write_str("to listen"),
            Self::ListensOn(port) => write!(f, "to listen on port {port}"),
            Self::Done => f.write_str("to exit with code 0"),
            Self::Started => f.write_str("to start"),
        }
    }
}

fn known(name: &str, types: &[ProcessType]) -> Result<ProcessType, StartOrderError> {
    if let Some(found) = types.iter().find(|known| known.as_str() == name) {
        return Ok(found.clone());
    }
    if name == "release" {
        return Err(StartOrderError::Release);
    }
    let hint = instead_of(name, types.iter().map(ProcessType::as_str));
    Err(StartOrderError::UnknownType { name: name.to_owned(), hint })
}

/// `` `worker` waits for `web`, which waits for `worker`: none of them would start ``
fn circle(types: &[ProcessType]) -> String {
    match types {
        [] => String::new(),
        [one] => format!("`{one}` waits for itself"),
        [first, rest @ ..] => {
            let names: Vec<&str> = rest.iter().chain([first]).map(ProcessType::as_str).collect();
            format!("`{first}` waits for `{}`: none of them would start", names.join("`, which waits for `"))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TYPES: [&str; 5] = ["web", "worker", "db", "setup", "clock"];

    fn types() -> Vec<ProcessType> {
        TYPES.iter().map(|name| ProcessType::new(name).expect("a name")).collect()
    }

    fn parse(items: &[&str]) -> Result<StartOrder, StartOrderError> {
        StartOrder::parse(items.iter().copied(), &types())
    }

    /// The order as text: `clock after web to listen, db to listen`.
    fn shown(items: &[&str]) -> Vec<String> {
        let order = parse(items).expect("an order");
        let condition = |one: &Prerequisite| format!("{} {}", one.process_type, one.until);
        let conditions = |all: &[Prerequisite]| all.iter().map(condition).collect::<Vec<_>>().join(", ");
        order.iter().map(|(process_type, after)| format!("{process_type} after {}", conditions(after))).collect()
    }

    fn refused(items: &[&str]) -> (String, String) {
        let error = parse(items).expect_err("no order");
        (error.to_string(), error.hint())
    }

    #[test]
    fn s6_12_a_type_waits_for_one_or_several_others() {
        assert_eq!(shown(&["worker=web"]), ["worker after web to listen"]);
        assert_eq!(
            shown(&["clock=web+db:5433", " clock = setup:done + web", "worker=web:started"]),
            [
                "clock after web to listen, db to listen on port 5433, setup to exit with code 0",
                "worker after web to start"
            ]
        );
        assert_eq!(parse(&[]), Ok(StartOrder::default()));
    }

    #[test]
    fn s6_12_an_unknown_type_is_named_on_either_side() {
        for item in ["wroker=web", "web=wroker"] {
            let expected = ("the Procfile has no process type `wroker`", "did you mean `worker`?");
            let (fact, hint) = refused(&[item]);
            assert_eq!((fact.as_str(), hint.as_str()), expected);
        }
        assert_eq!(
            refused(&["web=release"]),
            ("`release` always runs before everything else".into(), "leave it out".into())
        );
    }

    #[test]
    fn s6_12_an_item_that_is_not_an_order_is_refused() {
        for item in ["worker", "worker=", "=web", "worker=web+", "worker=+web", ""] {
            assert_eq!(refused(&[item]).0, format!("`{item}` is not a valid start order"));
        }
        for text in ["", "ready", "0", "65536", "-1", "done "] {
            let (fact, hint) = refused(&[&format!("web=db:{text}x")]);
            assert_eq!(fact, format!("`db:{text}x`: `{text}x` is not a port, `done` or `started`"));
            assert_eq!(hint, "write `db`, `db:5432`, `db:done` or `db:started`");
        }
    }

    #[test]
    fn s6_12_a_circle_is_named() {
        assert_eq!(
            refused(&["web=web:started"]),
            ("`web` waits for itself".to_owned(), "remove this dependency".to_owned())
        );
        for (items, expected) in [
            (&["web=db", "db=web:5000"][..], "`db` waits for `web`, which waits for `db`: none of them would start"),
            (
                &["clock=worker", "worker=web", "web=db+worker"],
                "`worker` waits for `web`, which waits for `worker`: none of them would start",
            ),
            (
                &["web=db", "db=setup:done", "setup=web"],
                "`db` waits for `setup`, which waits for `web`, which waits for `db`: none of them would start",
            ),
        ] {
            assert_eq!(refused(items), (expected.to_owned(), "remove one of these dependencies".to_owned()));
        }
    }

    proptest! {
        #[test]
        fn s6_12_an_accepted_order_always_has_a_type_that_can_start(
            edges in proptest::collection::vec((0..TYPES.len(), 0..TYPES.len()), 0..8)
        ) {
            let item = |(left, right): &(usize, usize)| Some(format!("{}={}", TYPES.get(*left)?, TYPES.get(*right)?));
            let items: Vec<String> = edges.iter().filter_map(item).collect();
            let accepted = StartOrder::parse(items.iter().map(String::as_str), &types()).is_ok();

            let mut waiting: BTreeSet<usize> = (0..TYPES.len()).collect();
            while let Some(free) =
                waiting.iter().copied().find(|at| edges.iter().all(|(left, right)| left != at || !waiting.contains(right)))
            {
                waiting.remove(&free);
            }
            prop_assert_eq!(accepted, waiting.is_empty());
        }

        #[test]
        fn s6_12_any_text_is_read_or_refused(item in ".*") {
            let _ = StartOrder::parse([item.as_str()], &types());
        }
    }
}
