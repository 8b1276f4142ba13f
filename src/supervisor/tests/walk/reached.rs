//! What a walk must reach.

use super::*;

/// The effects and notices that a walk must reach; it proves nothing about those that it misses.
pub(super) const EVERYTHING: [&str; 73] = [
    "ReleaseRunning",
    "OneOffRequested",
    "ReleaseCreated",
    "Starting",
    "Started",
    "StateChanged",
    "Completed",
    "LoopbackOnly",
    "NotListening",
    "StillNotUp",
    "WrongAnswer",
    "NotAnswering",
    "ListensElsewhere",
    "ListensAt",
    "IgnoresPort",
    "HeldBack",
    "NothingToWaitFor",
    "NotStarted",
    "StoppingProcesses",
    "KillingProcess",
    "KillingRemaining",
    "SpawnFailed",
    "Exited",
    "CommandNotFound",
    "CommandNotExecutable",
    "Restarting",
    "EndRequested",
    "Scaled",
    "ShutdownRequested",
    "Retire",
    "reply Scaled",
    "reply Restarting",
    "reply Stopping",
    "reply Started",
    "reply Deploying",
    "reply Unchanged",
    "Deploying",
    "ReleaseDescribed",
    "RolledBack",
    "UnknownRelease",
    "NeverRan",
    "UnknownType",
    "UnknownDyno",
    "TooMany",
    "Impossible",
    "RunsOnce",
    "ShuttingDown",
    "ReleasePhase",
    "GaveUp",
    "BootTimeout",
    "ExitTimeout",
    "Unkillable",
    "ReleaseFailed",
    "StoppingOthers",
    "StopAvoidable",
    "StopRequested",
    "Stopping",
    "WaitingForExit",
    "Killing",
    "GuardianStuck",
    "FindListener",
    "PassInterrupt",
    "Spawn",
    "Drain",
    "Stop",
    "Kill",
    "Pause",
    "Continue",
    "Usr1",
    "Usr2",
    "Suspend",
    "Code",
    "Signal",
];

/// The name of an effect or notice, as in `EVERYTHING`.
pub(super) fn kind(effect: &Effect) -> String {
    let shown = match effect {
        Effect::Notify(notice) => format!("{:?}", notice.kind),
        Effect::Signal { signal, .. } => format!("{signal:?}"),
        Effect::Finish(outcome) => format!("{outcome:?}"),
        Effect::Spawn(_) => "Spawn".into(),
        Effect::Reply { result: Ok(reply), .. } => return format!("reply {}", first_word(&format!("{reply:?}"))),
        Effect::Reply { result: Err(refusal), .. } => format!("{refusal:?}"),
        Effect::Retire { .. } => "Retire".into(),
        Effect::Drain { .. }
        | Effect::FindListener { .. }
        | Effect::PassInterrupt { .. }
        | Effect::Suspend
        | Effect::ReplaceGuardian => format!("{effect:?}"),
    };
    first_word(&shown)
}

fn first_word(text: &str) -> String {
    text.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default().into()
}
