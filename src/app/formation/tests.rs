//! Tests the quantities that a request leads to, and its errors and warnings.

use proptest::prelude::*;

use super::*;

fn types() -> Vec<ProcessType> {
    ["web", "release", "worker", "my-clock"].iter().map(|name| ProcessType::new(name).unwrap()).collect()
}

fn shown(formation: &Formation) -> String {
    let items: Vec<String> = formation.iter().map(|(name, quantity)| format!("{name}={quantity}")).collect();
    items.join(" ")
}

/// Resolves a request written as on the command line: `-m X`, `-c X`, `-x X`, and names.
fn resolve(line: &[&str]) -> Result<(String, Vec<FormationWarning>), Vec<FormationError>> {
    let (mut whole, mut lists) = (None, [Vec::new(), Vec::new(), Vec::new()]);
    let mut words = line.iter();
    while let Some(word) = words.next() {
        match *word {
            "-m" => whole = words.next().copied(),
            "-c" => lists[0].extend(words.next().map(|word| (*word).to_owned())),
            "-x" => lists[1].extend(words.next().map(|word| (*word).to_owned())),
            name => lists[2].push(name.to_owned()),
        }
    }
    let [changed, except, only] = &lists;
    let request = FormationRequest { whole, changed, only, except };
    let (formation, warnings) = Formation::resolve(&types(), &request)?;
    Ok((shown(&formation), warnings))
}

fn formation(line: &[&str]) -> String {
    let (formation, warnings) = resolve(line).unwrap();
    assert_eq!(warnings, [], "{line:?}");
    formation
}

fn errors(line: &[&str]) -> Vec<String> {
    resolve(line).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn the_default_is_one_dyno_of_each_type_except_release() {
    assert_eq!(formation(&[]), "web=1 worker=1 my-clock=1");
}

#[test]
fn a_whole_formation_gives_0_to_types_that_are_not_named() {
    assert_eq!(formation(&["-m", "web=2"]), "web=2 worker=0 my-clock=0");
    assert_eq!(formation(&["-m", "all=1, web=2"]), "web=2 worker=1 my-clock=1");
    let (formation, warnings) = resolve(&["-m", "web=2,all=3,web=4"]).unwrap();
    assert_eq!(formation, "web=4 worker=3 my-clock=3");
    assert_eq!(warnings, [FormationWarning::Twice { name: "web".to_owned(), quantity: 4 }]);
}

#[test]
fn several_quantities_of_one_type_get_one_warning_with_the_last() {
    for (list, quantity) in [("web=1,web=2,web=1", 1), ("web=1,web=2,web=2", 2), ("web=1,web=2,web=3", 3)] {
        let (_, warnings) = resolve(&["-m", list]).unwrap();

        assert_eq!(warnings, [FormationWarning::Twice { name: "web".to_owned(), quantity }], "{list}");
    }
}

#[test]
fn concurrency_keeps_unnamed_types_at_1() {
    assert_eq!(formation(&["-c", "web=2", "-c", "worker=0"]), "web=2 worker=0 my-clock=1");
}

#[test]
fn named_types_are_the_only_ones_started_and_may_have_quantities() {
    assert_eq!(formation(&["worker", "web"]), "web=1 worker=1 my-clock=0");
    assert_eq!(formation(&["web=2"]), "web=2 worker=0 my-clock=0");
    assert_eq!(formation(&["all=1,web=0"]), "web=0 worker=1 my-clock=1");
    assert_eq!(formation(&["all"]), "web=1 worker=1 my-clock=1");
    assert_eq!(formation(&["-m", "all=5", "web"]), "web=1 worker=0 my-clock=0");
    assert_eq!(formation(&["web", "-c", "all=3"]), "web=3 worker=0 my-clock=0");
}

#[test]
fn except_wins_over_all_other_options() {
    assert_eq!(formation(&["-x", "worker,my-clock"]), "web=1 worker=0 my-clock=0");
    assert_eq!(formation(&["-m", "all=2", "-x", "web"]), "web=0 worker=2 my-clock=2");
}

#[test]
fn every_unknown_name_is_an_error_that_suggests_names() {
    let errors = resolve(&["-m", "wbe=1,postgres=1"]).unwrap_err();

    assert_eq!(errors[0].to_string(), "the Procfile has no process type `wbe`");
    assert_eq!(errors[0].hint(), "did you mean `web`?");
    assert_eq!(errors[1].hint(), "it has `web`, `worker`, `my-clock`");
}

#[test]
fn quantity_0_of_an_unknown_name_is_a_warning() {
    let (formation, warnings) = resolve(&["-m", "all=1,stripe=0", "-x", "js"]).unwrap();

    assert_eq!(formation, "web=1 worker=1 my-clock=1");
    assert_eq!(warnings[0].to_string(), "the Procfile has no process type `stripe` to leave out");
    assert_eq!(warnings.len(), 2);
    let (_, warnings) = resolve(&["-m", "all=1", "-x", "wroker"]).unwrap();
    assert_eq!(warnings[0].hint(), "did you mean `worker`?");
}

#[test]
fn release_is_refused_unless_its_quantity_is_0() {
    assert_eq!(formation(&["-m", "all=1,release=0"]), "web=1 worker=1 my-clock=1");
    for line in [vec!["release"], vec!["-m", "release=1"], vec!["-c", "release=2"]] {
        let errors = resolve(&line).unwrap_err();
        assert_eq!(errors, [FormationError::Release]);
        assert_eq!(errors[0].hint(), "leave it out: it runs before the formation anyway; `dyno release` runs it alone");
    }
}

#[test]
fn quantity_0_of_release_skips_the_release_phase() {
    let keeps = |request: FormationRequest<'_>| Formation::resolve(&types(), &request).unwrap().0.keeps_release();
    let list = |text: &str| [text.to_owned()];

    assert!(keeps(FormationRequest { whole: Some("all=1"), ..FormationRequest::default() }));
    assert!(!keeps(FormationRequest { whole: Some("all=1, release=0"), ..FormationRequest::default() }));
    assert!(!keeps(FormationRequest { changed: &list("release=0"), ..FormationRequest::default() }));
    assert!(!keeps(FormationRequest { only: &list("web,release=0"), ..FormationRequest::default() }));
    assert!(!keeps(FormationRequest { except: &list("release"), ..FormationRequest::default() }));
    let named = list("web");
    assert!(!keeps(FormationRequest { only: &named, changed: &list("release=0"), ..FormationRequest::default() }));
}

#[test]
fn blanks_are_allowed_and_empty_items_are_errors() {
    assert_eq!(formation(&["-c", " web   =   2, worker = 3 "]), "web=2 worker=3 my-clock=1");
    assert_eq!(formation(&["-c", "web=2,"]), "web=2 worker=1 my-clock=1");
    assert_eq!(errors(&["-c", "web="]), ["`web` has no quantity"]);
    assert_eq!(errors(&["-c", "web"]), ["`web` has no quantity"]);
    assert_eq!(errors(&["-c", "=1"]), ["`=1` has no process type before the `=`"]);
    assert_eq!(errors(&["-c", ","]), ["`,` has an empty item", "`,` has an empty item"]);
    assert_eq!(errors(&["-m", ""]), ["`` has an empty item"]);
    assert_eq!(errors(&["-c", "web===2"]), ["`==2` is not a quantity for `web`"]);
    assert_eq!(
        errors(&["-c", "web=x,worker=-1"]),
        ["`x` is not a quantity for `web`", "`-1` is not a quantity for `worker`"]
    );
}

#[test]
fn a_type_can_have_up_to_1000_dynos() {
    assert_eq!(formation(&["-m", "web=1000"]), "web=1000 worker=0 my-clock=0");
    assert_eq!(errors(&["-m", "web=1001"]), ["`1001` is too many dynos of `web`: the limit is 1000"]);
    assert_eq!(errors(&["-m", "web=99999999999"]), ["`99999999999` is too many dynos of `web`: the limit is 1000"]);
}

#[test]
fn a_quantity_for_a_type_that_is_not_named_is_a_warning() {
    let (formation, warnings) = resolve(&["web", "-c", "worker=2"]).unwrap();

    assert_eq!(formation, "web=1 worker=0 my-clock=0");
    assert_eq!(warnings, [FormationWarning::NotAmongTheNamed { name: "worker".to_owned() }]);
}

proptest! {
    #[test]
    fn resolving_any_text_never_panics(text in "[a-z=, 0-9-]{0,20}") {
        for line in [["-m", &text], ["-c", &text], ["-x", &text], ["web", &text]] {
            let _ = resolve(&line);
        }
    }
}
