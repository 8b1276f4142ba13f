//! When the release command runs, and what it reaches.

use super::{MoveFinding, MoveTarget, MovedType};

/// What the name of a program or of its task contains if it only prepares files.
const BUILDS: [&str; 7] =
    ["collectstatic", "assets:precompile", "webpack", "npm run build", "yarn build", "vite build", "npm ci"];

pub(super) fn find(target: MoveTarget, moved: &MovedType<'_>) -> Vec<MoveFinding> {
    if !moved.process_type.is_release() {
        return Vec::new();
    }
    [builds(target, moved), when(target, moved)].into_iter().flatten().collect()
}

/// Files that it builds are not those of the dynos.
fn builds(target: MoveTarget, moved: &MovedType<'_>) -> Option<MoveFinding> {
    let build = BUILDS.into_iter().find(|build| moved.command.contains(build)).filter(|_| target.loses_files())?;
    let message = format!("`release` builds files (`{build}`) in a container of its own, so no other dyno sees them");
    let what = if target == MoveTarget::Heroku { "slug" } else { "image" };
    // A task may also upload them.
    Some(moved.finding(false, message, format!("run `{build}` when the {what} is built")))
}

fn when(target: MoveTarget, moved: &MovedType<'_>) -> Option<MoveFinding> {
    let (message, hint) = match target {
        // A dyno, or a Job, with the same network and config vars as the others, before every release.
        MoveTarget::Heroku | MoveTarget::Kubernetes => return None,
        MoveTarget::Dokku => (
            "dokku runs `release` in a container of the new image, which reaches only services that are linked to the app",
            "link them before the first deploy, as in `dokku postgres:link DATABASE APP`",
        ),
        MoveTarget::Compose => (
            "compose runs `release` whenever `docker compose up` starts the app, not once for each release",
            "make sure that it can run again, or leave it out: `dyno export compose --no-release`",
        ),
        MoveTarget::Systemd => (
            "systemd runs `release` whenever it starts the app, also after a reboot, not once for each release",
            "make sure that it can run again, or leave it out: `dyno export systemd --no-release`",
        ),
        MoveTarget::Cnb => (
            "nothing runs `release` when an image starts, and nothing gives it a network or config vars while it is built",
            "run it before the others: `docker run --rm --env-file .env --entrypoint release IMAGE`",
        ),
    };
    Some(moved.finding(false, message.to_owned(), hint))
}
