//! What a smoke test shows while it waits (S19.5), and the `BASE_URL` of its command (S19.3).

use core::net::{IpAddr, Ipv6Addr};

use super::*;

/// Both ticks of a progress line: the lookup of ports, then the line.
fn ticks(smoke: &mut Tested, after: u64) -> [Vec<String>; 2] {
    [feed(smoke, Event::Tick, at(after)), feed(smoke, Event::Tick, at(after))]
}

fn no_lines() -> [Vec<String>; 2] {
    [Vec::new(), Vec::new()]
}

#[test]
fn s19_5_a_line_names_each_dyno_that_is_not_up_and_why() {
    let mut smoke = begun(probing(plan(&["web.1", "web.2", "worker.1", "worker.2"], true)), policy(), rules());
    for name in ["web.1", "web.2", "worker.1"] {
        spawned(&mut smoke, name, at(0));
    }
    listens(&mut smoke, "web.1", at(1));
    assert_eq!(smoke.next_deadline(), Some(5 * SECOND));
    assert_eq!(feed(&mut smoke, Event::Tick, at_ms(4_999)), [""; 0]);

    let line = "system: still waiting after 5 seconds: web.1 listens but does not answer GET /health; \
                web.2 does not listen on $PORT (5002); worker.2 has not started yet";
    assert_eq!(ticks(&mut smoke, 5), [vec!["#2 find listener".to_owned()], vec![line.to_owned()]]);
    assert_eq!(smoke.next_deadline(), Some(15 * SECOND));
}

#[test]
fn s19_5_the_other_port_of_a_dyno_is_named_in_one_line_only() {
    let mut smoke = begun(plan(&["web.1"], true), policy(), rules());
    spawned(&mut smoke, "web.1", at(0));
    feed(&mut smoke, Event::Tick, at(5));
    let run = run_of(&smoke, "web.1");

    assert_eq!(feed(&mut smoke, Event::ListensElsewhere { run, port: 5173 }, at(5)), [""; 0]);

    let line = "system: still waiting after 5 seconds: web.1 listens on port 5173, not on $PORT (5001)";
    assert_eq!(feed(&mut smoke, Event::Tick, at(5)), [line]);
    let [_, later] = ticks(&mut smoke, 15);
    assert_eq!(later, ["system: still waiting after 15 seconds: web.1 does not listen on $PORT (5001)"]);
}

#[test]
fn s19_5_one_line_says_how_long_all_dynos_must_stay_up() {
    let settling = |settle| {
        let mut smoke = begun(plan(&["web.1"], true), policy(), SmokeRules { settle, ..rules() });
        spawned(&mut smoke, "web.1", at(0));
        ready(&mut smoke, "web.1", at(1));
        smoke
    };
    let mut long = settling(60 * SECOND);

    assert_eq!(long.next_deadline(), Some(6 * SECOND));
    let line = "system: still waiting after 5 seconds: all dynos must stay up for 60 seconds";
    assert_eq!(ticks(&mut long, 6).concat(), [line]);
    assert_eq!((long.next_deadline(), ticks(&mut long, 20)), (Some(61 * SECOND), no_lines()));
    let [lines, later] = ticks(&mut settling(5 * SECOND), 6);
    assert!(!lines.concat().contains("still waiting") && later.is_empty(), "{lines:?}");
}

#[test]
fn s19_5_no_line_is_shown_while_the_command_runs() {
    let mut testing = testing(policy());
    assert_eq!((testing.next_deadline(), ticks(&mut testing, 600)), (None, no_lines()));
}

#[test]
fn s19_5_no_line_is_shown_after_a_timeout() {
    let mut smoke = begun(plan(&["web.1"], true), Policy { boot_timeout: Some(5 * SECOND), ..policy() }, rules());
    spawned(&mut smoke, "web.1", at(0));

    let [lines, later] = ticks(&mut smoke, 5);

    assert!(!lines.concat().contains("still waiting"), "{lines:?}");
    assert_eq!(later, [""; 0]);
}

#[test]
fn s19_5_a_wrong_answer_is_reported_once_per_kind_and_dyno() {
    let mut smoke = begun(probing(plan(&["web.1", "web.2"], true)), policy(), rules());
    for name in ["web.1", "web.2"] {
        spawned(&mut smoke, name, at(0));
        listens(&mut smoke, name, at(1));
    }
    let mut says = |name: &str, answer| answered(&mut smoke, name, answer, at(2)).concat();

    let missing = "answers GET /health with 404, not 200 to 399; trying again";
    assert_eq!(says("web.1", HttpAnswer::Status(404)), format!("web.1: {missing}"));
    assert_eq!(says("web.2", HttpAnswer::Status(404)), format!("web.2: {missing}"));
    let closed = "web.1: closes the connection without answering GET /health; trying again";
    assert_eq!(says("web.1", HttpAnswer::None(HttpSilence::Closed)), closed);
    let noise = "web.1: answers GET /health with something that is not HTTP; trying again";
    assert_eq!(says("web.1", HttpAnswer::None(HttpSilence::NotHttp)), noise);
    for again in [
        HttpAnswer::Status(404),
        HttpAnswer::None(HttpSilence::Closed),
        HttpAnswer::None(HttpSilence::Refused),
        HttpAnswer::None(HttpSilence::Slow),
    ] {
        assert_eq!(says("web.1", again), "");
    }
}

/// `BASE_URL` of the command that these effects start.
fn base_url(steps: &[Step]) -> Option<String> {
    let spec = steps
        .iter()
        .find_map(|step| if let Step::Effect(Effect::Spawn(spawn)) = step { Some(&spawn.spec) } else { None });
    let value = spec.expect("the command is started").environment.get(b"BASE_URL")?;
    Some(String::from_utf8_lossy(value.reveal()).into_owned())
}

#[test]
fn s19_3_the_command_gets_the_address_at_which_web_1_answered() {
    let is_up = |name: &str, address: IpAddr, smoke: &mut Tested| {
        let run = run_of(smoke, name);
        feed(smoke, Event::Ready { run, address, loopback_only: true }, at(1));
    };
    let mut smoke = begun(plan(&["web.1", "web.2"], true), policy(), rules());
    for name in ["web.1", "web.2"] {
        spawned(&mut smoke, name, at(0));
    }
    is_up("web.2", LOCALHOST, &mut smoke);
    is_up("web.1", Ipv6Addr::LOCALHOST.into(), &mut smoke);
    assert_eq!(base_url(&smoke.handle(Event::Tick, at(2))).as_deref(), Some("http://[::1]:5001"));
}

#[test]
fn a_type_that_exits_with_0_gets_a_hint_unless_it_should_listen() {
    let hint = |name: &str, how: ExitStatus| {
        let mut smoke = begun(plan(&["web.1", "setup.1"], true), policy(), rules());
        for name in ["web.1", "setup.1"] {
            spawned(&mut smoke, name, at(0));
        }
        end(&mut smoke, name, how, at(1));
        smoke.report(Outcome::Code(1), at(2).mono).hint
    };

    assert_eq!(hint("setup.1", code(0)).as_deref(), Some("if `setup` is meant to exit, add `--can-die setup`"));
    assert_eq!([hint("setup.1", code(3)), hint("setup.1", killed_by(15)), hint("web.1", code(0))], [None, None, None]);
}
