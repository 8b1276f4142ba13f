//! Ids and long names in a path, and the state of a release.

use super::*;

#[test]
fn s10_3_a_process_type_is_found_by_name_and_by_id() {
    let (_, formation) = get("/apps/app/formation");
    let id = formation[1]["id"].as_str().expect("an id");

    assert_eq!(get(&format!("/apps/app/formation/{id}")), (200, formation[1].clone()));
    let (status, changed) = ask("PATCH", &format!("/apps/app/formation/{id}"), r#"{"quantity":3}"#);
    assert_eq!((status, &changed["type"], &changed["quantity"]), (200, &"worker".into(), &3.into()));
}

#[test]
fn s15_1_the_status_of_a_release_says_how_its_command_ended() {
    for (status, shown) in [
        (ReleaseStatus::Pending, "pending"),
        (ReleaseStatus::Succeeded, "succeeded"),
        (ReleaseStatus::Failed, "failed"),
        (ReleaseStatus::Superseded, "expired"),
    ] {
        let releases = Arc::new(vec![release(2), ReleaseInfo { status, ..release(3) }]);
        let all = ReleaseResource::all(&app(), &Snapshot { release: 2, releases, ..running() });
        let shown_now = serde_json::to_value(&all).expect("JSON");
        assert_eq!((&shown_now[1]["status"], &shown_now[1]["current"]), (&shown.into(), &false.into()));
        assert_eq!((&shown_now[0]["status"], &shown_now[0]["current"]), (&"succeeded".into(), &true.into()));
    }
}

#[test]
fn s10_3_a_message_shows_only_the_beginning_of_a_long_name() {
    let long = "x".repeat(10_000);
    let update = format!(r#"{{"updates":[{{"type":"{long}","quantity":1}}]}}"#);
    for (method, path, body) in [
        ("GET", format!("/{long}"), ""),
        ("GET", format!("/apps/{long}"), ""),
        ("GET", format!("/apps/app/{long}"), ""),
        ("GET", format!("/apps/app/dynos/{long}"), ""),
        ("GET", format!("/apps/app/formation/{long}"), ""),
        ("GET", format!("/apps/app/releases/{long}"), ""),
        ("DELETE", format!("/apps/app/dynos/{long}"), ""),
        ("DELETE", format!("/apps/app/dynos/{long}.1"), ""),
        ("PATCH", format!("/apps/app/formation/{long}"), r#"{"quantity":1}"#),
        ("PATCH", "/apps/app/formation".to_owned(), update.as_str()),
    ] {
        let (status, error) = ask(method, &path, body);
        let message = error["message"].as_str().expect("a message");
        assert!(status >= 400 && message.len() < 200, "{method}: {status} {message}");
    }
}

#[test]
fn a_dyno_name_has_an_index_without_sign_or_leading_zero() {
    let dyno = |name: &str| target(name).map(|target| target.to_string()).map_err(|error| error.status);

    assert_eq!(dyno("web.1"), Ok("web.1".to_owned()));
    assert_eq!(dyno("web"), Ok("web".to_owned()));
    for name in ["web.", ".1", "web.01", "web.0", "web.+1", "web.-1", "web.1.1", "web.4294967296", "w b", "", "é.1"] {
        assert_eq!(dyno(name), Err(404), "{name}");
    }
}
