use std::sync::Arc;

use super::*;
use crate::model::{ExitStatus, Secret};
use crate::release::ReleaseFacts;
use crate::routing::backend::tests::{row, web};
use crate::supervisor::{Quantity, WhyNotUp};

fn page(code: HCode, row: Option<&Row>, lines: &[&str]) -> ErrorPage {
    let formation = vec![Quantity { process_type: web(), quantity: 0 }];
    page_of(&Snapshot { formation, ..Snapshot::default() }, code, row, lines)
}

fn page_of(snapshot: &Snapshot, code: HCode, row: Option<&Row>, lines: &[&str]) -> ErrorPage {
    let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    let rules = RouterRules::plain();
    let facts = PageFacts { process_type: &web(), row, lines: &lines, rules: &rules, snapshot, port: 4900 };
    ErrorPage::of_code(code, &facts)
}

fn crashed() -> Row {
    Row { last_exit: Some(ExitStatus::Code(1)), ..row("web.1", 1, LifeStage::Crashed) }
}

#[test]
fn s16_5_a_page_names_the_dyno_its_state_its_lines_and_what_to_type() {
    let page = page(HCode::H10, Some(&crashed()), &["\u{1b}[31mError: no <db>\u{1b}[0m", "bye"]);

    let html = page.html();
    let body = html.split_once("<body>\n").unwrap().1;
    assert_eq!(
        body,
        "<p class=\"status\">503 H10</p>\n<h1>App crashed</h1>\n\
         <p>web.1 is not running and will not be restarted.</p>\n\
         <dl>\n<dt>Dyno</dt><dd>web.1</dd>\n<dt>State</dt><dd>crashed</dd>\n\
         <dt>Last run</dt><dd>exited with code 1</dd>\n</dl>\n\
         <h2>Last lines of web.1</h2>\n\
         <pre><span>Error: no &lt;db&gt;</span>\n<span>bye</span></pre>\n\
         <h2>What to try</h2>\n\
         <pre><span>dyno why web.1</span>\n<span>dyno logs web.1</span>\n<span>dyno restart web.1</span></pre>\n\
         </body>\n</html>\n"
    );
    assert!(html.starts_with("<!doctype html>\n") && html.contains("<title>503 App crashed</title>"), "{html}");
}

#[test]
fn s16_5_a_program_gets_the_same_as_json() {
    let json = serde_json::to_string(&page(HCode::H10, Some(&crashed()), &["a\"b"])).unwrap();
    assert_eq!(
        json,
        r#"{"status":503,"code":"H10","error":"App crashed","message":"web.1 is not running and will not be restarted.","dyno":{"name":"web.1","state":"crashed","last_exit":"exited with code 1"},"lines":["a\"b"],"commands":["dyno why web.1","dyno logs web.1","dyno restart web.1"]}"#
    );
    let json = serde_json::to_string(&page(HCode::H14, None, &[])).unwrap();
    assert_eq!(
        json,
        r#"{"status":503,"code":"H14","error":"No web processes running","message":"No `web` dyno is running.","commands":["dyno scale web=1"]}"#
    );
}

#[test]
fn s16_5_each_code_says_what_happened() {
    let up = row("web.1", 7, LifeStage::Up);
    let message = |code| page(code, Some(&up), &[]).message;
    assert_eq!(message(HCode::H12), "web.1 did not begin its answer within 30 seconds.");
    assert_eq!(message(HCode::H13), "web.1 closed the connection without an answer.");
    assert_eq!(message(HCode::H15), "web.1 read nothing of the request for 55 seconds.");
    assert_eq!(message(HCode::H25(AnswerFault::Cookie)), "web.1 sent a cookie longer than 8192 bytes.");
    assert_eq!(message(HCode::H25(AnswerFault::Header)), "web.1 sent headers that are too long.");
    assert_eq!(message(HCode::H25(AnswerFault::StatusLine)), "web.1 sent a status line longer than 8192 bytes.");
    assert_eq!(message(HCode::H25(AnswerFault::ContentLength)), "web.1 sent an invalid `Content-Length`.");
    assert_eq!(message(HCode::H18), "The connection to web.1 broke before its answer was complete.");
    assert_eq!(message(HCode::H20), "No `web` dyno was up within 30 seconds.");
    assert_eq!(message(HCode::H21), "web.1 does not listen on its PORT (5007).");
    assert_eq!(page(HCode::H99, None, &[]).message, "No connection to a `web` dyno could be made.");
    let busy = page(HCode::H11, Some(&up), &["x"]);
    assert_eq!((busy.dyno, busy.lines), (None, Vec::<String>::new()));
}

#[test]
fn s16_5_a_dyno_that_is_starting_says_what_is_missing() {
    let not_up = Some(WhyNotUp::NotListening { port: 5001 });
    let booting = Row { not_up, ..row("web.1", 1, LifeStage::Booting) };
    let state = |row: Row| page(HCode::H20, Some(&row), &[]).dyno.unwrap().state;
    assert_eq!(state(booting.clone()), "starting, but not listening on its PORT (5001)");
    assert_eq!(state(Row { not_up: Some(WhyNotUp::NotStarted), ..booting }), "starting: has not started yet");
    let clearing = row("web.1", 1, LifeStage::Clearing);
    assert_eq!(state(clearing), "exited; what it left running is being stopped");
}

#[test]
fn s16_5_only_the_last_20_lines_are_shown() {
    let lines: Vec<String> = (1..=30).map(|number| number.to_string()).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let shown = page(HCode::H10, Some(&crashed()), &lines).lines;
    assert_eq!((shown.len(), shown[0].as_str(), shown[19].as_str()), (20, "11", "30"));
}

#[test]
fn s16_5_the_page_is_about_the_dyno_that_explains_it_best() {
    let rows =
        vec![row("web.1", 1, LifeStage::Up), row("web.2", 2, LifeStage::Crashed), row("api.1", 3, LifeStage::Lost)];
    let snapshot = Snapshot { rows, ..Snapshot::default() };
    let meant = |had: Option<&DynoName>| PageFacts::row(&snapshot, &web(), had).map(|row| row.dyno.to_string());

    assert_eq!(meant(None).as_deref(), Some("web.2"));
    assert_eq!(meant(Some(&DynoName::new(web(), 1))).as_deref(), Some("web.1"));
    assert_eq!(meant(Some(&DynoName::new(web(), 9))), None);
    assert_eq!(PageFacts::row(&snapshot, &ProcessType::new("x").unwrap(), None), None);
}

#[test]
fn s16_5_no_page_shows_the_value_of_a_config_var() {
    let mut facts = ReleaseFacts::default();
    facts.config_vars.insert("API_KEY".to_owned(), Secret::new("hunter2"));
    let (facts, rows) = (Arc::new(facts), vec![crashed()]);
    let snapshot = Snapshot { files: Arc::clone(&facts), facts, rows, ..Snapshot::default() };

    for code in [HCode::H10, HCode::H12, HCode::H14, HCode::H20, HCode::H21, HCode::H99] {
        let page = page_of(&snapshot, code, snapshot.rows.first(), &["bye"]);

        let shown = page.html() + &serde_json::to_string(&page).unwrap();
        assert!(shown.contains("web.1") && !shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn s16_2_a_refused_request_is_explained() {
    let page = |rejection, host| ErrorPage::of_rejection(rejection, host, &RouterRules::plain());
    let misdirected = page(Rejection::Misdirected, "Evil.example:5000");
    assert_eq!((misdirected.status, misdirected.error.as_str()), (421, "Misdirected Request"));
    assert_eq!(misdirected.message, "`evil.example` is not a name of this app unless `--hosts` allows it.");
    assert_eq!(misdirected.commands, ["dyno start --router --hosts evil.example", "http://localhost:5000"]);
    let html = misdirected.html();
    assert!(
        html.contains("<p><code>evil.example</code> is not a name of this app unless <code>--hosts</code>"),
        "{html}"
    );
    assert!(html.contains("<span><a href=\"http://localhost:5000/\">http://localhost:5000</a></span></pre>"), "{html}");
    // The target named the other host.
    let other = page(Rejection::Misdirected, "localhost");
    assert_eq!(other.message, "The `Host` header is not a name of this app.");
    assert_eq!(other.commands, ["http://localhost:5000"]);
    assert_eq!(page(Rejection::TwoLengths, "localhost").status, 400);
    let character = page(Rejection::TargetCharacter(b'<'), "localhost");
    let other_app = page(Rejection::OtherApp, "other.localhost");
    let expected =
        "This connection belongs to another app: try again; if that fails, no such app or process type is running.";
    assert_eq!((other_app.status, other_app.message.as_str()), (421, expected));
    let expected = "The request has passed through routers of `dyno` 5 times: an app probably sends it back.";
    assert_eq!(page(Rejection::Loop, "localhost").message, expected);
    let expected = "The request has a malformed trailer, or a header that is not allowed as a trailer.";
    assert_eq!(page(Rejection::Trailer, "localhost").message, expected);
    assert_eq!(character.message, "`<` is not allowed in a URL: write %3C.");
    assert!(character.html().contains("<p><code>&lt;</code> is not allowed in a URL: write %3C.</p>"));
}

#[test]
fn s16_5_without_web_in_the_procfile_the_page_names_other_addresses() {
    let [api, up] = ["api", "worker"].map(|name| ProcessType::new(name).unwrap());
    let formation = [api, up].map(|process_type| Quantity { process_type, quantity: 1 }).into();
    let rows = vec![row("api.1", 1, LifeStage::Up)];

    let page = page_of(&Snapshot { formation, rows, ..Snapshot::default() }, HCode::H14, None, &[]);

    let message = "The Procfile has no process type `web`, which gets all requests to this address.";
    assert_eq!((page.message.as_str(), page.commands), (message, vec!["http://shop-api.localhost:4900".to_owned()]));
}

#[test]
fn s16_5_a_dyno_that_has_crashed_meanwhile_can_be_restarted() {
    let crashed = page(HCode::H13, Some(&crashed()), &[]);
    assert_eq!(crashed.commands, ["dyno why web.1", "dyno logs web.1", "dyno restart web.1"]);
    let up = page(HCode::H13, Some(&row("web.1", 7, LifeStage::Up)), &[]);
    assert_eq!(up.commands, ["dyno logs web.1"]);
}

#[test]
fn s16_5_the_page_says_that_a_dyno_runs_but_does_not_listen() {
    let mut up = row("web.1", 7, LifeStage::Up);
    up.life.ready = false;
    let port = up.port.unwrap();
    up.life.expected_port = Some(port);

    let page = page(HCode::H20, Some(&up), &[]);

    assert_eq!(page.message, format!("web.1 is not listening on its PORT ({port}) after 30 seconds."));
    assert_eq!(page.dyno.unwrap().state, format!("running, but not listening on its PORT ({port})"));
}
