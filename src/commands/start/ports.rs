//! Finds the ports of a start that are free on this machine, and reserves them (S5.3 to S5.5).
//!
//! Decides what happens if a port is taken. Not here: whether a port is taken and by whom (`runtime`), and which block
//! a checkout gets (`api::Checkouts`).

use nix::errno::Errno;

use super::checkout::Checkout;
use super::port_line::{OwnPorts, PortUse, Reason};
use crate::api::{BlockOrigin, GivenBlock, PortClaim, StartDescription};
use crate::app::{BLOCK_UNIT, DEFAULT_BASE, DEFAULT_STEP, OwnBlock, PortBlock, PortOwner, Ports};
use crate::error::{Complaint, Error, Status};
use crate::model::{DynoName, ProcessType};
use crate::project::ports::{AssignedPorts, PortSearch};
use crate::runtime::{self, BindMode, PortLocks, PortReserver};
use crate::settings::port_list;

/// The warnings about ports of web dynos that are in use; with `--strict-ports` that is an error (S5.3).
///
/// # Errors
/// Status 69: `strict` is set, and one is in use.
fn probe(strict: bool, ports: &[(DynoName, u16)]) -> Result<Vec<Complaint>, Error> {
    let mut taken = Vec::new();
    for (dyno, port) in ports.iter().filter(|(dyno, _)| dyno.process_type.as_str() == ProcessType::WEB) {
        // With `--port-step 0` many dynos share one port: one message is enough.
        if taken.iter().any(|(known, _)| known == port) || runtime::is_port_free(*port, BindMode::ReuseAddress) {
            continue;
        }
        let holder = runtime::port_holder(*port);
        let by = holder.map_or_else(String::new, |holder| format!(" by `{}` (pid {})", holder.command, holder.pid));
        taken.push((*port, Complaint::new(format!("port {port} for `{dyno}` is in use{by}"), PORT_HINT)));
    }
    let complaints: Vec<Complaint> = taken.into_iter().map(|(_, complaint)| complaint).collect();
    if strict && !complaints.is_empty() {
        return Err(Error::all(Status::Unavailable, complaints));
    }
    Ok(complaints)
}

const PORT_HINT: &str = "stop that process, or choose another port with `-p`; `-p auto` finds a free one";

/// Finds ports for a start whose base port no option or file sets, and keeps them reserved.
pub(in crate::commands) struct PortFinder<'a> {
    checkout: &'a mut Checkout,
    reserver: PortReserver,
    /// With `--strict-ports`: a port in use is an error and is not replaced.
    is_strict: bool,
    found: FoundPorts,
    locks: PortLocks,
}

/// Where the ports come from.
enum FoundPorts {
    /// The usual ones, or those that an option or file sets.
    Usual,
    /// A free block (S5.4).
    Automatic,
    /// The checkout's own block (S5.5).
    Own(OwnPorts),
}

impl<'a> PortFinder<'a> {
    /// A finder that keeps what it finds.
    pub(super) fn new(checkout: &'a mut Checkout, is_strict: bool) -> Self {
        let reserver = PortReserver::new(runtime::RuntimeDirectory::open().ok());
        Self { checkout, reserver, is_strict, found: FoundPorts::Usual, locks: PortLocks::default() }
    }

    /// A finder that reserves nothing, for commands that only explain.
    pub(in crate::commands) fn looking(checkout: &'a mut Checkout) -> Self {
        Self { reserver: PortReserver::looking(), ..Self::new(checkout, false) }
    }

    /// The ports of a start. None: the usual ones, from 5000.
    ///
    /// # Errors
    /// Status 69: no block is free.
    pub(in crate::commands) fn find(&mut self, search: &PortSearch<'_>) -> Result<Option<AssignedPorts>, Error> {
        if search.is_auto { self.automatic(search).map(Some) } else { self.of_checkout(search) }
    }

    /// The warnings about ports in use; see [`probe`]. There are none for a block that this finder has just found free.
    pub(super) fn probe(&self, ports: &[(DynoName, u16)]) -> Result<Vec<Complaint>, Error> {
        match self.found {
            FoundPorts::Usual => probe(self.is_strict, ports),
            FoundPorts::Automatic | FoundPorts::Own(_) => Ok(Vec::new()),
        }
    }

    /// How many files stay open to reserve the ports.
    pub(super) fn open_files(&self) -> usize {
        self.locks.open_files()
    }

    /// Why the ports that were found are not all reserved. None: they are, or another run has them.
    pub(super) fn refused(&self) -> Option<Errno> {
        self.locks.refused()
    }

    /// The line that says which ports were chosen. None: they were not searched.
    pub(in crate::commands) fn line(&self, ports: &[(PortOwner, u16)]) -> Option<String> {
        match &self.found {
            FoundPorts::Usual => None,
            FoundPorts::Automatic => Some(format!("ports: {}", port_list(ports))),
            FoundPorts::Own(own) => Some(own.line()),
        }
    }

    /// Where the base port comes from, as a phrase that follows the port in a sentence. None: it is the usual one.
    pub(in crate::commands) fn source(&self) -> Option<String> {
        match &self.found {
            FoundPorts::Usual | FoundPorts::Automatic => None,
            FoundPorts::Own(own) => Some(own.source()),
        }
    }

    /// Reserves the ports of the router and of the dynos that are expected to listen, if that has not been done yet (S5.4). Ports that
    /// other runs have reserved are left out. The reservation lasts until the locks are dropped.
    pub(super) fn into_locks(self, expected: &[(PortOwner, u16)]) -> PortLocks {
        if self.locks.open_files() > 0 {
            return self.locks;
        }
        let claim = self.checkout.claim().with_ports(expected);
        self.reserver.reserve(&claim, units(expected), |_, _| true).unwrap_or_default()
    }

    /// `-p auto` (S5.4): the first block that no run has reserved and whose ports are free.
    fn automatic(&mut self, search: &PortSearch<'_>) -> Result<AssignedPorts, Error> {
        let block = PortBlock::for_formation(search.formation, search.places());
        let directory = runtime::RuntimeDirectory::open().map_err(|error| {
            let hint = "set `XDG_RUNTIME_DIR` to a directory that you own, or choose the ports with `-p`";
            Error::new(Status::Unavailable, error.to_string(), hint)
        })?;
        let assign = |base: u16| {
            let rule = Ports::in_block(base, block, search.types).with_router(search.router).of_one_start();
            rule.assign(search.formation).ok().map(|ports| AssignedPorts { rule, ports })
        };
        if let Some((assigned, locks)) = free_block(directory, self.checkout.claim(), block, assign) {
            (self.found, self.locks) = (FoundPorts::Automatic, locks);
            return Ok(assigned);
        }
        let fact = format!("no block of {} free ports was found from 20000 up", block.size);
        Err(Error::new(Status::Unavailable, fact, "stop programs that use these ports, or choose the ports with `-p`"))
    }

    /// Without any setting (S5.5): the usual ports (None), or the ports of the checkout's own block.
    fn of_checkout(&mut self, search: &PortSearch<'_>) -> Result<Option<AssignedPorts>, Error> {
        let reason = if let Some(copy) = &self.checkout.claim().name {
            Reason::Copy(copy.clone())
        } else if self.checkout.is_linked_worktree() {
            Reason::Worktree
        } else if self.runs_in_own_block() {
            Reason::OtherStart
        } else {
            // If there are no usual ports, the plan reports why.
            match self.taken_usual_port(search) {
                Some((owner, by)) if !self.is_strict => Reason::InUse(owner, by),
                Some(_) | None => return Ok(None),
            }
        };
        self.own(search, reason)
    }

    /// Whether another start of this app is running in the checkout's own block.
    fn runs_in_own_block(&self) -> bool {
        let port = self.checkout.remembered_port();
        port.is_some_and(|port| holds(&self.reserver, self.checkout.claim(), port))
    }

    /// The first usual port that is in use although the router or a dyno is expected to listen on it. None: all of them are now
    /// reserved.
    fn taken_usual_port(&mut self, search: &PortSearch<'_>) -> Option<((PortOwner, u16), PortUse)> {
        let step = search.step.unwrap_or(DEFAULT_STEP);
        let rule = Ports::new(DEFAULT_BASE, step, search.types).with_router(search.router);
        let mut dynos = rule.assign(search.formation).ok()?;
        dynos.retain(|(dyno, _)| search.expected.contains(&dyno.process_type));
        let ports = rule.owners(&dynos);
        let claim = self.checkout.claim().with_ports(&ports);
        let mut others = Vec::new();
        let locks = self.reserver.reserve(&claim, units(&ports), |unit, holder| {
            others.push((unit, holder.cloned()));
            true
        });
        let holder_of = |port: u16| others.iter().find(|(unit, _)| *unit == unit_of(port)).map(|(_, holder)| holder);
        let taken = ports.into_iter().find_map(|(owner, port)| {
            let used = use_of(port, holder_of(port), &claim)?;
            Some(((owner, port), used))
        });
        if taken.is_none() {
            self.locks = locks.unwrap_or_default();
        }
        taken
    }

    /// The ports of the checkout's own block.
    fn own(&mut self, search: &PortSearch<'_>, reason: Reason) -> Result<Option<AssignedPorts>, Error> {
        let block = PortBlock::for_checkout(search.formation, search.places(), search.step);
        let assign = |own: OwnBlock| {
            let rule = Ports::in_block(own.first(), block, search.types).with_router(search.router);
            rule.assign(search.formation).ok().map(|ports| AssignedPorts { rule, ports })
        };
        let (mut found, mut obstacle) = (None, None);
        let given = block.own_blocks().and_then(|blocks| {
            let (reserver, claim) = (&self.reserver, self.checkout.claim().clone());
            let is_free = |own: OwnBlock, is_known| {
                let Some(assigned) = assign(own) else { return false };
                match reserve_own(reserver, &claim, own, &assigned, is_known) {
                    Ok(locks) => found = Some((assigned, locks)),
                    Err(taken) if is_known => obstacle = Some(taken),
                    Err(_) => {}
                }
                found.is_some()
            };
            self.checkout.own_block(blocks, |own| holds(reserver, &claim, own.first()), is_free)
        });
        let (Some(GivenBlock { origin, .. }), Some((assigned, locks))) = (given, found) else {
            return Err(no_block(block));
        };
        let instead_of = match origin {
            BlockOrigin::Remembered | BlockOrigin::New | BlockOrigin::Copy => None,
            BlockOrigin::InsteadOf(_) => obstacle,
        };
        let root = self.checkout.root().to_owned();
        self.locks = locks;
        self.found = FoundPorts::Own(OwnPorts { root, reason, instead_of, ports: assigned.owners() });
        Ok(Some(assigned))
    }
}

/// The first block from 20000 up that no run has reserved and whose ports are free, with its reservation. `assign`: the ports
/// of the dynos if the block begins at this port.
pub(super) fn free_block(
    directory: runtime::RuntimeDirectory,
    claim: &PortClaim,
    block: PortBlock,
    assign: impl Fn(u16) -> Option<AssignedPorts>,
) -> Option<(AssignedPorts, PortLocks)> {
    let reserver = PortReserver::new(Some(directory));
    block.candidates(runtime::first_ephemeral_port()).find_map(|base| {
        let assigned = assign(base)?;
        let owners = assigned.owners();
        let claim = claim.with_ports(&owners);
        let locks = reserver.reserve(&claim, block.units(base), |_, _| false).ok()?;
        // The block must suit every server, even one that does not set `SO_REUSEADDR`.
        let is_free = owners.iter().all(|(_, port)| runtime::is_port_free(*port, BindMode::Plain));
        is_free.then_some((assigned, locks))
    })
}

/// Whether a start of this app has reserved a port.
fn holds(reserver: &PortReserver, app: &PortClaim, port: u16) -> bool {
    reserver.holder(port).is_some_and(|holder| holder.is_same_app(app))
}

/// Reserves a block if no other program uses it. In a block that the app had before, only the ports of dynos must be
/// free; in a new one, all ports.
fn reserve_own(
    reserver: &PortReserver,
    app: &PortClaim,
    block: OwnBlock,
    assigned: &AssignedPorts,
    is_known: bool,
) -> Result<PortLocks, (u16, PortUse)> {
    let owners = assigned.owners();
    let claim = app.with_ports(&owners);
    let units = block.ports().step_by(BLOCK_UNIT.into());
    let (mut taken, mut shared) = (block.first(), Vec::new());
    // Another start of this app may have reserved parts of the block. If it runs the same types, registration fails
    // later.
    let locks = reserver.reserve(&claim, units, |unit, holder| {
        taken = unit;
        let same = holder.filter(|holder| holder.is_same_app(&claim));
        shared.extend(same.iter().flat_map(|holder| &holder.ports).map(|(_, port)| *port));
        same.is_some()
    });
    let locks = locks.map_err(|by| {
        let by = by.0;
        let port = by.as_ref().and_then(|holder| holder.ports.iter().find(|(_, port)| unit_of(*port) == taken));
        let port = port.map_or(taken, |(_, port)| *port);
        (port, use_of(port, Some(&by), &claim).unwrap_or(PortUse::AnotherRun))
    })?;
    let in_use = |port: &u16| !shared.contains(port) && !runtime::is_port_free(*port, BindMode::ReuseAddress);
    let port = if is_known {
        owners.iter().map(|(_, port)| *port).find(|port| in_use(port))
    } else {
        block.ports().find(in_use)
    };
    port.map_or(Ok(locks), |port| Err((port, listener_on(port))))
}

/// Who uses a port. None: it is free, or our own app has it. `holder`: the run that has reserved the unit of ten that
/// contains the port; `None` if no run has, `Some(None)` if that run is unknown.
fn use_of(port: u16, holder: Option<&Option<PortClaim>>, own: &PortClaim) -> Option<PortUse> {
    if let Some(Some(holder)) = holder
        && let Some(dyno) = holder.dyno_of(port)
    {
        let root = StartDescription::path(&holder.root);
        let is_ours = holder.is_same_app(own);
        return (!is_ours).then(|| PortUse::Dyno { root, dyno: dyno.to_owned() });
    }
    match holder {
        _ if !runtime::is_port_free(port, BindMode::ReuseAddress) => Some(listener_on(port)),
        Some(None) => Some(PortUse::AnotherRun),
        Some(Some(_)) | None => None,
    }
}

fn listener_on(port: u16) -> PortUse {
    runtime::port_holder(port).map_or(PortUse::Unknown, PortUse::Program)
}

/// The units of ten that contain these ports.
fn units(ports: &[(PortOwner, u16)]) -> Vec<u16> {
    let mut units: Vec<u16> = ports.iter().map(|(_, port)| unit_of(*port)).collect();
    units.sort_unstable();
    units.dedup();
    units
}

fn unit_of(port: u16) -> u16 {
    port - port % BLOCK_UNIT
}

fn no_block(block: PortBlock) -> Error {
    let fact = format!("no block of {} free ports was found from 10100 to 19999", block.size);
    let hint = "use `-p auto`, which looks for free ports from 20000 up, or remove checkouts that you no longer need";
    Error::new(Status::Unavailable, fact, hint)
}
