//! Decides which of the running starts a command means (S10.1, S10.2).
//!
//! Pure: the caller lists the starts and the directories. Not here: which dyno of a start is meant.

use super::StartDescription;

/// Where a command was typed, and how its options narrow the search. Paths are text as in a [`StartDescription`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Whereabouts {
    /// `DYNO_SESSION`, if it is set.
    pub session: Option<String>,
    /// The current directory, then its parents up to the first one that holds a `.git` or a `Procfile`.
    pub directories: Vec<String>,
    /// `--root`: only starts with this root.
    pub root: Option<String>,
    /// `--procfile`: only starts with this Procfile.
    pub procfile: Option<String>,
    /// `--app`: only starts of the app with this name, wherever they run.
    pub app: Option<String>,
    /// `--name`: only starts with this name.
    pub name: Option<String>,
    /// `--run`: only the start with this process id, wherever it runs.
    pub pid: Option<i32>,
}

impl Whereabouts {
    /// Whether the current directory does not matter.
    fn is_anywhere(&self) -> bool {
        self.root.is_some() || self.app.is_some() || self.pid.is_some()
    }

    /// Whether the options allow a start.
    fn allows(&self, start: &StartDescription) -> bool {
        self.root.as_ref().is_none_or(|root| start.root == *root)
            && self.procfile.as_ref().is_none_or(|procfile| start.procfile == *procfile)
            && self.app.as_ref().is_none_or(|app| start.app == *app)
            && self.name.as_ref().is_none_or(|name| start.name.as_ref() == Some(name))
            && self.pid.is_none_or(|pid| start.pid == pid)
    }
}

/// The starts that are meant. `T`: a start that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MeantBy<T> {
    /// None runs here.
    None,
    /// All of these, oldest first, as one formation.
    Starts(Vec<T>),
    /// One of these, but it is not clear which: all of them run beside other starts, or two apps have the same name.
    OneOf(Vec<T>),
}

/// The starts that a command means. `starts`: those that run.
#[must_use]
pub fn meant_starts<T>(
    starts: Vec<T>,
    description: impl Fn(&T) -> &StartDescription,
    place: &Whereabouts,
) -> MeantBy<T> {
    let is_narrowed = place.is_anywhere() || place.procfile.is_some() || place.name.is_some();
    let is_own = |start: &T| place.session.as_deref() == Some(description(start).session.as_str());
    if !is_narrowed && starts.iter().any(is_own) {
        return MeantBy::Starts(starts.into_iter().filter(is_own).collect());
    }
    let mut starts: Vec<T> = starts.into_iter().filter(|start| place.allows(description(start))).collect();
    starts.sort_by_key(|start| description(start).started_at_ms);
    if !place.is_anywhere() {
        let Some(found) = nearest_directory(&starts, &description, place) else { return MeantBy::None };
        starts.retain(|start| is_at(description(start), found, place));
    }
    let is_exclusive = |start: &T| description(start).kind.is_exclusive();
    if starts.iter().any(is_exclusive) {
        starts.retain(is_exclusive);
        // A name is not always unique: it is not remembered if the state directory cannot be written.
        let mut roots = starts.iter().map(|start| &description(start).root);
        let first = roots.next();
        if place.app.is_some() && roots.any(|root| Some(root) != first) {
            return MeantBy::OneOf(starts);
        }
        return MeantBy::Starts(starts);
    }
    match starts.len() {
        0 => MeantBy::None,
        1 => MeantBy::Starts(starts),
        _ => MeantBy::OneOf(starts),
    }
}

/// The position of the nearest directory with a start.
fn nearest_directory<T>(
    starts: &[T],
    description: impl Fn(&T) -> &StartDescription,
    place: &Whereabouts,
) -> Option<usize> {
    (0..place.directories.len()).find(|at| starts.iter().any(|start| is_at(description(start), *at, place)))
}

/// Whether a start belongs to this directory. The directory in which it was typed is only compared with the current one.
fn is_at(start: &StartDescription, at: usize, place: &Whereabouts) -> bool {
    let directory = place.directories.get(at);
    directory == Some(&start.root) || at == 0 && directory == Some(&start.directory)
}

#[cfg(test)]
mod tests {
    use super::super::StartKind;
    use super::*;

    fn start(session: &str, root: &str, kind: StartKind) -> StartDescription {
        StartDescription {
            pid: 1,
            session: session.to_owned(),
            kind,
            app: "app".to_owned(),
            name: None,
            root: root.to_owned(),
            directory: root.to_owned(),
            procfile: format!("{root}/Procfile"),
            types: vec!["web".to_owned()],
            started_at_ms: 0,
            url: None,
            web_port: None,
            files: Vec::new(),
            log_directory: None,
        }
    }

    fn at(directories: &[&str]) -> Whereabouts {
        Whereabouts { directories: directories.iter().map(|&path| path.to_owned()).collect(), ..Whereabouts::default() }
    }

    fn meant(starts: &[StartDescription], place: &Whereabouts) -> MeantBy<String> {
        let sessions = |starts: Vec<StartDescription>| starts.into_iter().map(|start| start.session).collect();
        match meant_starts(starts.to_vec(), |start| start, place) {
            MeantBy::None => MeantBy::None,
            MeantBy::Starts(starts) => MeantBy::Starts(sessions(starts)),
            MeantBy::OneOf(starts) => MeantBy::OneOf(sessions(starts)),
        }
    }

    fn these(sessions: &[&str]) -> MeantBy<String> {
        MeantBy::Starts(sessions.iter().map(|&session| session.to_owned()).collect())
    }

    #[test]
    fn s10_2_a_start_is_found_from_its_root_and_from_below() {
        let starts = [start("shop", "/srv/shop", StartKind::Start), start("blog", "/srv/blog", StartKind::Start)];

        assert_eq!(meant(&starts, &at(&["/srv/shop"])), these(&["shop"]));
        assert_eq!(meant(&starts, &at(&["/srv/blog/app/models", "/srv/blog/app", "/srv/blog"])), these(&["blog"]));
        assert_eq!(meant(&starts, &at(&["/srv"])), MeantBy::None);
        assert_eq!(meant(&starts, &at(&[])), MeantBy::None);
    }

    #[test]
    fn s10_2_the_nearest_directory_wins_and_the_search_ends_at_its_limit() {
        let starts = [start("outer", "/srv", StartKind::Start), start("inner", "/srv/shop", StartKind::Start)];

        assert_eq!(meant(&starts, &at(&["/srv/shop/app", "/srv/shop", "/srv"])), these(&["inner"]));
        assert_eq!(meant(&starts[..1], &at(&["/srv/shop"])), MeantBy::None);
    }

    #[test]
    fn s10_2_a_start_is_found_from_where_it_was_typed_but_not_from_below() {
        let mut typed = start("dev", "/srv/shop/app", StartKind::Start);
        typed.directory = "/srv/shop".to_owned();

        assert_eq!(meant(&[typed.clone()], &at(&["/srv/shop"])), these(&["dev"]));
        assert_eq!(meant(&[typed], &at(&["/srv/shop/lib", "/srv/shop"])), MeantBy::None);
    }

    #[test]
    fn s10_2_inside_a_dyno_its_own_start_is_meant() {
        let starts = [start("shop", "/srv/shop", StartKind::Start), start("smoke", "/srv/shop", StartKind::Smoke)];
        let inside = |session: &str| Whereabouts { session: Some(session.to_owned()), ..at(&["/srv/shop"]) };

        assert_eq!(meant(&starts, &inside("smoke")), these(&["smoke"]));
        assert_eq!(meant(&starts, &inside("of a run that has ended")), these(&["shop"]));
    }

    #[test]
    fn s10_1_starts_beside_others_are_meant_only_if_it_is_clear_which() {
        let smoke = |session| start(session, "/srv/shop", StartKind::Smoke);

        assert_eq!(meant(&[smoke("a"), start("b", "/srv/shop", StartKind::Start)], &at(&["/srv/shop"])), these(&["b"]));
        assert_eq!(meant(&[smoke("a")], &at(&["/srv/shop"])), these(&["a"]));
        let both = MeantBy::OneOf(vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(meant(&[smoke("a"), smoke("b")], &at(&["/srv/shop"])), both);
    }

    #[test]
    fn s10_2_root_and_procfile_narrow_the_search() {
        let mut dev = start("dev", "/srv/shop", StartKind::Start);
        dev.procfile = "/srv/shop/Procfile.dev".to_owned();
        let starts = [start("shop", "/srv/shop", StartKind::Start), dev];
        let procfile = Some("/srv/shop/Procfile.dev".to_owned());

        assert_eq!(meant(&starts, &at(&["/srv/shop"])), these(&["shop", "dev"]));
        assert_eq!(meant(&starts, &Whereabouts { procfile, ..at(&["/srv/shop"]) }), these(&["dev"]));
        let elsewhere = Whereabouts { root: Some("/srv/shop".to_owned()), ..at(&["/home"]) };
        assert_eq!(meant(&starts, &elsewhere), these(&["shop", "dev"]));
    }

    #[test]
    fn s10_2_a_name_that_two_apps_have_selects_neither() {
        let mut worker = start("worker", "/srv/shop", StartKind::Start);
        worker.procfile = "/srv/shop/Procfile.worker".to_owned();
        let starts =
            [start("shop", "/srv/shop", StartKind::Start), worker, start("copy", "/tmp/shop", StartKind::Start)];
        let named = Whereabouts { app: Some("app".to_owned()), ..at(&["/home"]) };

        assert_eq!(meant(&starts[..2], &named), these(&["shop", "worker"]));
        let all = MeantBy::OneOf(["shop", "worker", "copy"].map(str::to_owned).to_vec());
        assert_eq!(meant(&starts, &named), all);
        let in_root = Whereabouts { root: Some("/tmp/shop".to_owned()), ..named };
        assert_eq!(meant(&starts, &in_root), these(&["copy"]));
    }

    #[test]
    fn s10_2_app_and_run_find_a_start_from_any_directory() {
        let mut blog = start("blog", "/srv/blog", StartKind::Start);
        (blog.app, blog.pid) = ("blog".to_owned(), 7);
        let mut smoke = start("smoke", "/srv/blog", StartKind::Smoke);
        (smoke.app, smoke.pid) = ("blog".to_owned(), 8);
        let starts = [start("shop", "/srv/shop", StartKind::Start), blog, smoke];
        let app = |name: &str| Whereabouts { app: Some(name.to_owned()), ..at(&["/srv/shop"]) };
        let run = |pid| Whereabouts { pid: Some(pid), ..at(&["/srv/shop"]) };

        assert_eq!(meant(&starts, &app("blog")), these(&["blog"]));
        assert_eq!(meant(&starts, &app("wiki")), MeantBy::None);
        assert_eq!(meant(&starts, &run(8)), these(&["smoke"]));
        assert_eq!(meant(&starts, &run(9)), MeantBy::None);
    }

    #[test]
    fn s10_2_a_name_narrows_the_starts_of_a_directory() {
        let mut copy = start("copy", "/srv/shop", StartKind::Start);
        copy.name = Some("copy".to_owned());
        let starts = [start("shop", "/srv/shop", StartKind::Start), copy];
        let name = Some("copy".to_owned());

        assert_eq!(meant(&starts, &at(&["/srv/shop"])), these(&["shop", "copy"]));
        assert_eq!(meant(&starts, &Whereabouts { name: name.clone(), ..at(&["/srv/shop"]) }), these(&["copy"]));
        assert_eq!(meant(&starts, &Whereabouts { name, ..at(&["/home"]) }), MeantBy::None);
    }
}
