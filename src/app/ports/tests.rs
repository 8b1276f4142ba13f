//! Tests which port each dyno gets, and which blocks `-p auto` tries.

use proptest::prelude::*;

use super::*;
use crate::app::FormationRequest;

fn types(names: &[&str]) -> Vec<ProcessType> {
    names.iter().map(|name| ProcessType::new(name).unwrap()).collect()
}

fn formation(types: &[ProcessType], whole: &str) -> Formation {
    let request = FormationRequest { whole: Some(whole), ..FormationRequest::default() };
    Formation::resolve(types, &request).unwrap().0
}

fn assigned(base: u16, step: u16, names: &[&str], whole: &str) -> Result<Vec<String>, String> {
    let types = types(names);
    let ports = Ports::new(base, step, &types).assign(&formation(&types, whole));
    let shown = |ports: Vec<(DynoName, u16)>| ports.iter().map(|(dyno, port)| format!("{dyno} {port}")).collect();
    ports.map(shown).map_err(|error| error.to_string())
}

#[test]
fn the_position_counts_all_process_types_except_release() {
    let names = ["web", "release", "worker", "clock"];

    assert_eq!(assigned(5000, 100, &names, "all=1").unwrap(), ["web.1 5000", "worker.1 5100", "clock.1 5200"]);
    assert_eq!(assigned(5000, 100, &names, "worker=2").unwrap(), ["worker.1 5100", "worker.2 5101"]);
}

#[test]
fn with_step_0_all_process_types_share_the_base() {
    assert_eq!(
        assigned(3000, 0, &["web", "css"], "all=2").unwrap(),
        ["web.1 3000", "web.2 3001", "css.1 3000", "css.2 3001"]
    );
}

#[test]
fn an_error_names_both_dynos_with_the_same_port() {
    let collision = assigned(5000, 1, &["web", "worker"], "web=2,worker=1").unwrap_err();

    assert_eq!(collision, "`web.2` and `worker.1` would both get port 5001");
}

#[test]
fn an_error_names_the_dyno_whose_port_is_over_65535() {
    assert_eq!(assigned(65_535, 100, &["web"], "web=1").unwrap(), ["web.1 65535"]);
    assert_eq!(
        assigned(65_500, 100, &["web", "worker"], "all=1").unwrap_err(),
        "`worker.1` would get port 65600, but the highest port is 65535"
    );
}

#[test]
fn a_block_has_ten_ports_per_type_or_more_for_large_quantities() {
    let types = types(&["web", "worker"]);

    let one = PortBlock::for_formation(&formation(&types, "all=1"), 2);
    let many = PortBlock::for_formation(&formation(&types, "web=11"), 2);

    assert_eq!(one, PortBlock { step: 10, size: 20 });
    assert_eq!(many, PortBlock { step: 20, size: 40 });
    assert_eq!(one.candidates(32_768).take(3).collect::<Vec<_>>(), [20_000, 20_020, 20_040]);
    assert_eq!(one.candidates(21_010).last(), Some(20_980));
    assert_eq!(one.units(20_020).collect::<Vec<_>>(), [20_020, 20_030]);
}

#[test]
fn s5_4_a_dyno_never_gets_a_port_after_the_reserved_block() {
    let types = types(&["web", "worker"]);
    let rule = Ports::in_block(20_000, PortBlock { step: 10, size: 20 }, &types);
    let assigned = |whole: &str| rule.assign(&formation(&types, whole)).map_err(|error| error.to_string());

    assert_eq!(assigned("web=1,worker=10").unwrap().last().unwrap().1, 20_019);
    let message = "`worker.11` would get port 20020, but only ports below 20020 are reserved";
    assert_eq!(assigned("web=1,worker=11"), Err(message.to_owned()));
}

#[test]
fn s14_1_a_type_for_which_the_block_has_no_room_gets_spare_ports() {
    let before = types(&["web", "worker"]);
    let after = types(&["api", "web", "worker"]);
    let rule = Ports::in_block(20_000, PortBlock { step: 10, size: 20 }, &before);
    let spare = after.iter().map(|name| (name.clone(), PortRange { first: 20_500, end: 20_510 })).collect();
    let assigned = |rule: Ports, whole: &str| rule.assign(&formation(&after, whole)).map_err(|error| error.to_string());

    let refused = "`api.1` would get port 20020, but only ports below 20020 are reserved";
    assert_eq!(assigned(rule.clone().extended(&after, &HashMap::new()), "api=1"), Err(refused.to_owned()));
    let ports: Vec<u16> =
        assigned(rule.clone().extended(&after, &spare), "all=1").unwrap().into_iter().map(|at| at.1).collect();
    assert_eq!(ports, [20_500, 20_000, 20_010]);
    let refused = "`api.11` would get port 20510, but only ports below 20510 are reserved";
    assert_eq!(assigned(rule.extended(&after, &spare), "api=11"), Err(refused.to_owned()));
}

#[test]
fn s14_1_a_new_start_renumbers_ports_unless_they_are_automatic() {
    let before = types(&["web", "worker"]);
    let after = types(&["api", "web", "worker"]);
    let fixed = Ports::new(5_000, 100, &before).extended(&after, &HashMap::new());
    let block = Ports::in_block(20_000, PortBlock { step: 10, size: 20 }, &before);

    assert_eq!(fixed.of_new_start(&after), Some(Ports::new(5_000, 100, &after)));
    assert_eq!(block.of_new_start(&after), None);
    assert!(block.of_new_start(&before).is_some());
    assert_eq!(block.of_one_start().of_new_start(&before), None);
}

#[test]
fn there_is_no_candidate_if_there_are_too_few_ports() {
    let block = PortBlock { step: 1_000, size: 100_000 };

    assert_eq!(block.candidates(32_768).next(), None);
}

#[test]
fn s5_4_blocks_end_below_32768_if_ephemeral_ports_begin_below_21000() {
    let block = PortBlock { step: 10, size: 20 };

    assert_eq!(block.candidates(1_024).last(), Some(32_740));
    assert_eq!(block.candidates(20_999).last(), Some(32_740));
}

proptest! {
    #[test]
    fn no_port_is_assigned_twice_unless_the_step_is_0(base in 1_u16.., step in 0_u16..300, a in 0..400, b in 0..400) {
        let types = types(&["a", "b"]);
        let result = Ports::new(base, step, &types).assign(&formation(&types, &format!("a={a},b={b}")));

        if let (Ok(assigned), true) = (result, step > 0) {
            let ports: std::collections::BTreeSet<u16> = assigned.iter().map(|(_, port)| *port).collect();
            prop_assert_eq!(ports.len(), assigned.len());
            prop_assert!(ports.iter().all(|port| *port >= base));
        }
    }

    #[test]
    fn every_block_ends_below_the_ephemeral_ports(step in 1_u16..100, types in 1_u32..50, ephemeral in 21_000_u16..) {
        let block = PortBlock { step: step * 10, size: u32::from(step) * 10 * types };

        for base in block.candidates(ephemeral) {
            prop_assert!(base >= FIRST_BLOCK && u32::from(base) + block.size <= u32::from(ephemeral));
        }
    }
}
