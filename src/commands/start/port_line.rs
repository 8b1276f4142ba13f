//! The line that says which ports a checkout got, and why (S5.5).

use std::path::{Path, PathBuf};

use crate::app::PortOwner;
use crate::runtime::PortHolder;
use crate::settings::port_list;

/// The ports of a checkout's own block, and why they are used.
pub(in crate::commands) struct OwnPorts {
    /// The root of the app, a real path.
    pub(super) root: PathBuf,
    /// Why it does not use the ports from 5000.
    pub(super) reason: Reason,
    /// The port of the remembered block that is in use. Another block was chosen because of it.
    pub(super) instead_of: Option<(u16, PortUse)>,
    /// The port of the router, if it is one of them, and of each dyno, in start order.
    pub(super) ports: Vec<(PortOwner, u16)>,
}

/// Why an app uses its own block.
#[derive(Debug)]
pub(super) enum Reason {
    /// It is a copy (`--name`) with this name.
    Copy(String),
    /// It is in a linked worktree.
    Worktree,
    /// Another start of the same app uses it.
    OtherStart,
    /// The usual port of the router or of this dyno is in use.
    InUse((PortOwner, u16), PortUse),
}

/// Who uses a port.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PortUse {
    /// A dyno of the app with this root.
    Dyno { root: PathBuf, dyno: String },
    /// A run of `dyno` that belongs to another user, or has another runtime directory.
    AnotherRun,
    /// A program that listens.
    Program(PortHolder),
    /// A program that the system does not name.
    Unknown,
}

impl OwnPorts {
    /// The line.
    pub(in crate::commands) fn line(&self) -> String {
        let list = port_list(&self.ports);
        let instead = self.instead_of.as_ref().map(|(port, by)| format!("port {port} is in use{}", self.by(by)));
        match (&self.reason, instead) {
            // A copy has no block of its own, so nothing has to be explained if it gets another one.
            (Reason::Copy(name), _) => format!("ports of the copy `{name}`: {list}"),
            (Reason::Worktree, None) => format!("ports of this worktree: {list}"),
            (Reason::Worktree, Some(instead)) => format!("ports of this worktree for this run ({instead}): {list}"),
            (Reason::OtherStart, None) => format!("ports of an additional start of this app: {list}"),
            (Reason::OtherStart, Some(instead)) => format!("ports for this run ({instead}): {list}"),
            (Reason::InUse((owner, port), by), instead) => {
                let instead = instead.map_or_else(String::new, |instead| format!(", and {instead}"));
                let new = self.ports.iter().find(|(known, _)| known == owner).map_or(0, |(_, port)| *port);
                format!("port {port} is in use{}{instead}: using {new}", self.by(by))
            }
        }
    }

    /// Where the base port comes from, as a phrase that follows the port in a sentence.
    pub(in crate::commands) fn source(&self) -> String {
        match &self.reason {
            Reason::Copy(name) => format!("from the ports of the copy `{name}`"),
            Reason::Worktree => "from the ports of this worktree".to_owned(),
            Reason::OtherStart => "from the ports of an additional start of this app".to_owned(),
            Reason::InUse((_, port), _) => format!("because port {port} is in use"),
        }
    }

    /// ` by ../main (dyno, web.1)`, or nothing if the user of the port is unknown.
    fn by(&self, by: &PortUse) -> String {
        match by {
            PortUse::Dyno { root, dyno } => format!(" by {} (dyno, {dyno})", self.shown(root)),
            PortUse::AnotherRun => " by another run of dyno".to_owned(),
            PortUse::Program(PortHolder { command, pid }) => format!(" by `{command}` (pid {pid})"),
            PortUse::Unknown => String::new(),
        }
    }

    /// The root of another app, shown as `../main` if it is next to this one.
    fn shown(&self, other: &Path) -> String {
        let is_beside = other.parent().is_some_and(|parent| Some(parent) == self.root.parent());
        match other.file_name().filter(|_| is_beside) {
            _ if other == self.root => "this directory".to_owned(),
            Some(name) => format!("../{}", Path::new(name).display()),
            None => other.display().to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DynoName, ProcessType};

    fn dyno(name: &str) -> PortOwner {
        PortOwner::Dyno(DynoName::new(ProcessType::new(name).expect("a name"), 1))
    }

    fn line(reason: Reason, instead_of: Option<(u16, PortUse)>) -> String {
        let ports = vec![(dyno("web"), 10_300), (dyno("worker"), 10_310)];
        OwnPorts { root: PathBuf::from("/srv/fix"), reason, instead_of, ports }.line()
    }

    fn main(root: &str) -> PortUse {
        PortUse::Dyno { root: PathBuf::from(root), dyno: "web.1".to_owned() }
    }

    fn python() -> PortUse {
        PortUse::Program(PortHolder { pid: 812, command: "python3".to_owned() })
    }

    #[test]
    fn s5_5_the_line_names_who_uses_the_usual_port() {
        let said = |by| line(Reason::InUse((dyno("web"), 5_000), by), None);

        assert_eq!(said(main("/srv/main")), "port 5000 is in use by ../main (dyno, web.1): using 10300");
        assert_eq!(said(main("/home/main")), "port 5000 is in use by /home/main (dyno, web.1): using 10300");
        assert_eq!(said(main("/srv/fix")), "port 5000 is in use by this directory (dyno, web.1): using 10300");
        assert_eq!(said(python()), "port 5000 is in use by `python3` (pid 812): using 10300");
        assert_eq!(said(PortUse::AnotherRun), "port 5000 is in use by another run of dyno: using 10300");
        assert_eq!(said(PortUse::Unknown), "port 5000 is in use: using 10300");
        let worker = line(Reason::InUse((dyno("worker"), 5_100), PortUse::Unknown), None);
        assert_eq!(worker, "port 5100 is in use: using 10310");
    }

    #[test]
    fn s5_5_the_line_of_a_worktree_lists_its_ports() {
        let list = "web.1 10300, worker.1 10310";

        assert_eq!(line(Reason::Worktree, None), format!("ports of this worktree: {list}"));
        assert_eq!(line(Reason::OtherStart, None), format!("ports of an additional start of this app: {list}"));
        assert_eq!(line(Reason::Copy("try".to_owned()), None), format!("ports of the copy `try`: {list}"));
    }

    #[test]
    fn s5_5_the_line_names_the_program_that_uses_the_remembered_block() {
        let instead = || Some((10_200, python()));

        let in_use = "port 10200 is in use by `python3` (pid 812)";
        let list = "web.1 10300, worker.1 10310";
        let worktree = format!("ports of this worktree for this run ({in_use}): {list}");
        assert_eq!(line(Reason::Worktree, instead()), worktree);
        assert_eq!(line(Reason::OtherStart, instead()), format!("ports for this run ({in_use}): {list}"));
        let both = line(Reason::InUse((dyno("web"), 5_000), main("/srv/main")), instead());
        assert_eq!(both, format!("port 5000 is in use by ../main (dyno, web.1), and {in_use}: using 10300"));
    }
}
