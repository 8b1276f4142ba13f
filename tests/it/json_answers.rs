//! What commands print with `--json` if they succeed (S17.1).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{App, Call, Ended, until};
use crate::running::{dynos, pid_of, start};

const RULES: &str = include_str!("../../docs/semantics.md");

/// What a command that succeeds prints.
#[track_caller]
fn answer(call: Call) -> Value {
    let finished = call.run();
    finished.expect_end(Ended::Code(0));
    assert_eq!(finished.stderr(), "");
    assert!(finished.stdout.ends_with(b"\n"), "{}", finished.stdout());
    serde_json::from_slice(&finished.stdout).unwrap()
}

/// The same answer without times and ids, which differ between runs. Asserts that they are texts.
fn without_times_and_ids(mut answer: Value) -> Value {
    fn removed(object: &mut Value, keys: &[&str]) {
        for key in keys {
            let value = object.as_object_mut().unwrap().remove(*key);
            assert!(value.is_some_and(|value| value.as_str().is_some_and(|text| !text.is_empty())), "{key}: {object}");
        }
    }
    for formation in answer.as_array_mut().unwrap() {
        removed(formation, &["id", "created_at", "updated_at"]);
        removed(&mut formation["app"], &["id"]);
    }
    answer
}

#[test]
fn s17_1_scale_restart_wait_and_stop_print_what_they_did_as_json() {
    let app = App::new("clock: exec sleep 1000\nworker: exec sleep 1001\n");
    let running = start(&app, []);
    let formation = |clock: u32, worker: u32| {
        let one = |process_type: &str, quantity: u32, command: &str| {
            let app = json!({"name": "app"});
            json!({"type": process_type, "quantity": quantity, "size": "Local", "command": command, "app": app})
        };
        json!([one("clock", clock, "exec sleep 1000"), one("worker", worker, "exec sleep 1001")])
    };

    for (changes, clock, worker) in [(&["clock=2", "worker-1"][..], 2, 0), (&["worker=1", "--wait"], 2, 1), (&[], 2, 1)]
    {
        let scaled = answer(app.dyno(["scale", "--json"]).args(changes));
        assert_eq!(without_times_and_ids(scaled), formation(clock, worker), "{changes:?}");
    }
    let before = pid_of(&app, "worker.1");
    let restarted = answer(app.dyno(["restart", "worker", "--wait", "--json"]));
    let run = restarted["dynos"][0]["run"].as_u64();
    assert_eq!(restarted, json!({"dynos": [{"name": "worker.1", "run": run}]}));
    assert!(run.is_some() && pid_of(&app, "worker.1") != before, "{restarted}");
    // The status says it all.
    app.dyno(["wait", "--json"]).run().expect(Ended::Code(0), "", "");
    assert_eq!(answer(app.dyno(["stop", "worker", "--json"])), json!({"dynos": [{"name": "worker.1"}]}));
    until("worker.1 is down", || dynos(&app)[2]["state"] == "down");
    let mut stopped = answer(app.dyno(["stop", "--json"]));
    // The search for what worker.1 has left may go on for a moment; until then it is stopped, too.
    stopped["dynos"].as_array_mut().unwrap().retain(|dyno| dyno["name"] != "worker.1");
    assert_eq!(stopped, json!({"dynos": [{"name": "clock.1"}, {"name": "clock.2"}]}));
    running.finish().expect_end(Ended::Code(0));
}

#[test]
fn s17_1_the_rule_names_every_command_with_json() {
    let (_, rule) = RULES.split_once("\n**S17.1** ").unwrap();
    let (rule, _) = rule.split_once("\n\n").unwrap();
    let names: BTreeSet<&str> =
        rule.split('`').skip(1).step_by(2).map(|name| name.split(" --").next().unwrap()).collect();
    let command = dynorun::cli::whole_command();
    let visible = command.get_subcommands().filter(|command| !command.is_hide_set());

    for command in visible {
        let has_json = command.get_arguments().any(|it| it.get_long() == Some("json") && !it.is_hide_set());
        assert_eq!(names.contains(command.get_name()), has_json, "{}: {names:?}", command.get_name());
    }
    let explain = App::new("web: true\n").dyno(["config", "--explain", "A", "--json"]).run();
    explain.expect_end(Ended::Code(2));
}
