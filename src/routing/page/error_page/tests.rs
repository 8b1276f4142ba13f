use super::*;
use crate::model::ExitStatus;
use crate::routing::backend::tests::{row, web};
use crate::supervisor::WhyNotUp;

fn page(code: HCode, row: Option<&Row>, lines: &[&str]) -> ErrorPage {
    let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    ErrorPage::of_code(code, &PageFacts { process_type: &web(), row, lines: &lines, rules: &RouterRules::plain() })
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
        "<h1>App crashed <span class=\"code\">H10</span></h1>\n\
         <p>web.1 is not running and will not be restarted.</p>\n\
         <dl>\n<dt>Dyno</dt><dd>web.1</dd>\n<dt>State</dt><dd>crashed</dd>\n\
         <dt>Last run</dt><dd>exited with code 1</dd>\n</dl>\n\
         <p>Its last lines:</p>\n<pre>Error: no &lt;db&gt;\nbye</pre>\n\
         <p>What to try:</p>\n<pre>dyno why web.1\ndyno logs web.1\ndyno restart web.1</pre>\n\
         <footer>dyno router</footer>\n</body>\n</html>\n"
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
    assert_eq!(message(HCode::H20), "No `web` dyno was up within 30 seconds.");
    assert_eq!(message(HCode::H21), "web.1 does not listen on its PORT (5007).");
    assert_eq!(page(HCode::H99, None, &[]).message, "No `web` dyno accepted a connection.");
    let busy = page(HCode::H22, Some(&up), &["x"]);
    assert_eq!((busy.dyno, busy.lines), (None, Vec::<String>::new()));
}

#[test]
fn s16_5_a_dyno_that_is_starting_says_what_is_missing() {
    let not_up = Some(WhyNotUp::NotListening { port: 5001 });
    let booting = Row { not_up, ..row("web.1", 1, LifeStage::Booting) };
    let state = page(HCode::H20, Some(&booting), &[]).dyno.unwrap().state;
    assert_eq!(state, "starting: does not listen on $PORT (5001)");
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
fn s16_2_a_refused_request_is_explained() {
    let page = ErrorPage::of_rejection(Rejection::Misdirected, &RouterRules::plain());
    assert_eq!((page.status, page.error.as_str()), (421, "Misdirected Request"));
    assert_eq!(page.message, "The `Host` header is not a name of this app.");
    assert_eq!(page.commands, ["dyno start --router --hosts NAME", "http://localhost:5000"]);
    assert_eq!(ErrorPage::of_rejection(Rejection::TwoLengths, &RouterRules::plain()).status, 400);
    let character = ErrorPage::of_rejection(Rejection::TargetCharacter(b'<'), &RouterRules::plain());
    assert_eq!(character.message, "`<` is not allowed in a URL: write %3C.");
    assert!(character.html().contains("<p>`&lt;` is not allowed in a URL: write %3C.</p>"));
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
