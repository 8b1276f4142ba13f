//! Ports for process types that are added while the app runs, if the block of its start has no room for them (S14.1).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::ports::free_block;
use crate::api::PortClaim;
use crate::app::{Formation, PortBlock, PortRange, Ports};
use crate::model::{DynoName, ProcessType};
use crate::project::ports::AssignedPorts;
use crate::runtime::{PortLocks, RuntimeDirectory};

/// Finds ports, and keeps them reserved until the end of the start.
pub(super) struct SparePorts {
    claim: PortClaim,
    found: Mutex<FoundSpare>,
}

struct FoundSpare {
    /// The rule of the start for all process types that its Procfile has had.
    rule: Ports,
    ranges: HashMap<ProcessType, PortRange>,
    locks: Vec<PortLocks>,
}

impl SparePorts {
    /// `rule`: that of the start. `claim`: the app.
    pub(super) fn new(claim: PortClaim, rule: Ports) -> Self {
        Self { claim, found: Mutex::new(FoundSpare { rule, ranges: HashMap::new(), locks: Vec::new() }) }
    }

    /// The ports of all process types for which the block of the start has no room. A type keeps the ports that were found
    /// for it. If there are none, the release is refused.
    pub(super) fn find(&self, formation: &Formation) -> HashMap<ProcessType, PortRange> {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let types: Vec<ProcessType> = formation.iter().map(|(process_type, _)| process_type.clone()).collect();
        let rule = found.rule.clone().extended(&types, &found.ranges);
        for (process_type, quantity) in formation.iter() {
            if !found.ranges.contains_key(process_type)
                && rule.port_of(&DynoName::new(process_type.clone(), 1)).is_err()
                && let Some((range, locks)) = self.range(process_type, quantity)
            {
                found.ranges.insert(process_type.clone(), range);
                found.locks.push(locks);
            }
        }
        found.rule = found.rule.clone().extended(&types, &found.ranges);
        found.ranges.clone()
    }

    fn range(&self, process_type: &ProcessType, quantity: u16) -> Option<(PortRange, PortLocks)> {
        let dynos = std::iter::repeat_n(process_type, quantity.into());
        let formation = Formation::counted(std::slice::from_ref(process_type), dynos);
        let block = PortBlock::for_formation(&formation, 1);
        let assign = |base: u16| {
            let rule = Ports::in_block(base, block, std::slice::from_ref(process_type));
            rule.assign(&formation).ok().map(|ports| AssignedPorts { rule, ports })
        };
        let (assigned, locks) = free_block(RuntimeDirectory::open().ok()?, &self.claim, block, assign)?;
        let first = assigned.rule.base();
        Some((PortRange { first, end: u32::from(first).saturating_add(block.size) }, locks))
    }
}
