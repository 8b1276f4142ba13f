//! What commands print with `--json` if they succeed (S17.1).

use serde_json::{Value, json};

use crate::harness::{App, Call, Ended, until};
use crate::running::{dynos, pid_of, start};

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
    let stopped = answer(app.dyno(["stop", "--json"]));
    assert_eq!(stopped, json!({"dynos": [{"name": "clock.1"}, {"name": "clock.2"}]}));
    running.finish().expect_end(Ended::Code(0));
}
