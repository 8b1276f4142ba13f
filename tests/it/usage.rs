//! `ps` shows the CPU time and memory of all processes of a dyno (S10.2).

use nix::sys::signal::Signal;

use crate::harness::{App, Ended};
use crate::process_table;
use crate::running::{dynos, stop};

/// How many bytes the dyno `big` holds.
const HELD: u64 = 50_000_000;

/// A command whose leader is only a `sleep`; the work is done by a child of a shell below it.
fn below(line: &str) -> String {
    format!("sh -c 'sh -c \"$0\" & wait' '{line}' & exec sleep 1000")
}

#[test]
fn s10_2_ps_shows_the_cpu_time_and_the_memory_of_all_processes() {
    let busy = below("i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; echo counted; read -r line <never");
    let big = below(&format!("x=$(head -c {HELD} /dev/zero | tr \"\\0\" x); echo filled ${{#x}}; read -r line <never"));
    let app = App::new(&format!("busy: {busy}\nbig: {big}\nidle: exec sleep 1000\n")).fifo("never");
    let running = app.dyno(["start"]).spawn();
    running.until_shown("| counted\n");
    running.until_shown(&format!("| filled {HELD}\n"));

    let shown = dynos(&app);
    let table = app.dyno(["ps"]).run().stdout();

    let used = |at: usize| (shown[at]["cpu"].as_f64().unwrap(), shown[at]["memory"].as_u64().unwrap());
    let [(busy_cpu, busy_memory), (_, big_memory), (idle_cpu, idle_memory)] = [0, 1, 2].map(used);
    assert!(busy_cpu > 0.0 && busy_cpu > idle_cpu, "{shown:?}");
    assert!(big_memory >= HELD && busy_memory < HELD && idle_memory < HELD && idle_memory > 0, "{shown:?}");
    let columns = |name: &str| -> (f64, f64) {
        let line = table.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{table}"));
        let words: Vec<&str> = line.split_whitespace().collect();
        (words[5].strip_suffix('s').unwrap().parse().unwrap(), words[6].strip_suffix('M').unwrap().parse().unwrap())
    };
    assert!(columns("busy.1").0 > 0.0, "{table}");
    assert!(columns("big.1").1 >= 47.0 && columns("idle.1").1 < 47.0, "{table}");
    stop(&app, running).expect_end(Ended::Code(0));
}

// Most of the program is code that only the start or the last client has used.
#[test]
fn an_app_at_rest_gives_back_the_memory_of_its_start() {
    let app = App::new("web: exec sleep 1000\n");
    let dyno = app.dyno(["start"]).spawn();
    dyno.until_shown("web.1  | started");
    let of_main = |field: &str| process_table::memory_kib(dyno.main(), field);
    let is_at_rest = || 2 * of_main("VmRSS") < of_main("VmHWM");
    dyno.until("the code of the start is not mapped", is_at_rest);

    app.dyno(["ps"]).run().expect_end(Ended::Code(0));
    dyno.until("the code of the answer is not mapped", is_at_rest);

    dyno.signal(Signal::SIGTERM);
    dyno.finish().expect_end(Ended::Signal(Signal::SIGTERM));
}
