//! Answers a request to read the files of the app again (S14.1).
//!
//! One reload reads at a time: two readers of a named pipe would each get a part of it. The supervisor decides what a
//! release changes.

use std::rc::Rc;

use super::api_server::{ApiServer, Connection, MAX_WAITING};
use super::api_service::{SHOWN_LINES, not_claimed};
use super::calls::ApiCall;
use super::file_reading::ReadFiles;
use super::start_registry::NotRegistered;
use crate::api::{ApiAnswer, ApiError, ReloadAnswer, ReloadProblem, ReloadResult, ReloadedFiles};
use crate::error::{Complaint, Error, Status};
use crate::model::{DynoName, ExitStatus, ProcessType};
use crate::supervisor::{Command, Deploy, DeployOrigin, DynoRole, Reply, Snapshot, StartPhase};

/// The status of a release whose command exited with 0 after it was stopped.
const STOPPED: u8 = 1;

impl ApiServer {
    /// Reads the files of the app again, and answers when the formation runs on them or goes on as before (S14.1).
    pub(super) async fn reload(self: &Rc<Self>, connection: &Connection) -> Result<ApiAnswer, ApiError> {
        Ok(ApiAnswer::ok(&self.reload_files(connection).await?))
    }

    /// The same, with the answer as a value.
    pub(super) async fn reload_files(self: &Rc<Self>, connection: &Connection) -> Result<ReloadAnswer, ApiError> {
        let Some(reload) = self.reload.clone() else {
            return Err(ApiError::conflict("a smoke test reads its files only once"));
        };
        if self.count_waiting() >= MAX_WAITING {
            return Err(ApiError::unavailable(format!("{MAX_WAITING} clients are waiting already")));
        }
        self.wait_apart(connection);
        let reading = async {
            let turn = self.reading.lock().await;
            // A file that changes after this moment may no longer be what was read.
            let at_ms = jiff::Timestamp::now().as_millisecond();
            (turn, at_ms, self.read(reload, DeployOrigin::Files, |line| connection.inform(line)).await)
        };
        let (turn, at_ms, read) = tokio::select! {
            read = reading => read,
            ending = self.until_stopping() => return Err(ending),
        };
        let ReadFiles { release, files, paths, warnings, mut notes, note_if_unchanged } =
            read.ok_or_else(|| ApiError::unavailable("the files of the app could not be read"))?;
        let before = self.ask(ApiCall::Snapshot).await?;
        let mut answer = match release {
            Ok(deploy) => {
                let server = Rc::clone(self);
                // A task of its own, which runs to its end even if the client is gone, so that no lock is left behind.
                let accepted = tokio::task::spawn_local(async move {
                    let accepted = server.accept_deploy(deploy).await;
                    // Releases the locks on process types that nothing uses: the release was refused, fails, or removes
                    // them.
                    server.release_unused();
                    accepted
                });
                let accepted = accepted.await.map_err(|_| ApiError::ending())?;
                drop(turn);
                let (reply, left_out) = accepted?;
                notes.extend(left_out);
                let (server, reloaded) = (Rc::clone(self), ReloadedFiles { at_ms, paths });
                // A task of its own, too, so that what runs is recorded even if the client is gone.
                let settled = tokio::task::spawn_local(async move {
                    let answer = server.outcome(reply).await?;
                    if matches!(answer.result, ReloadResult::Unchanged | ReloadResult::Succeeded) {
                        server.applied(reloaded, &files).await;
                    }
                    Ok(answer)
                });
                settled.await.map_err(|_| ApiError::ending())??
            }
            Err(error) => invalid(before.release, &error),
        };
        if answer.result == ReloadResult::Succeeded {
            notes.extend(moved(&before, &self.ask(ApiCall::Snapshot).await?));
        }
        notes.extend(note_if_unchanged.filter(|_| answer.result == ReloadResult::Unchanged));
        (answer.warnings, answer.notes) = (problems(&warnings), problems(&notes));
        Ok(answer)
    }

    /// Waits until everything is being stopped: then nothing needs the files any more.
    pub(super) async fn until_stopping(&self) -> ApiError {
        let is_decided = Box::new(|snapshot: &Snapshot| snapshot.phase == StartPhase::Stopping);
        let depends_on = Box::new(|_: &DynoName| false);
        // Without an answer, everything has been stopped already.
        let _ = self.ask(|answer| ApiCall::Wait { is_decided, depends_on, answer }).await;
        ApiError::ending()
    }

    async fn outcome(&self, reply: Reply) -> Result<ReloadAnswer, ApiError> {
        match reply {
            Reply::Deploying { version, difference } => self.until_settled(version, &difference).await,
            Reply::Unchanged | Reply::Scaled(_) | Reply::Restarting(_) | Reply::Stopping(_) | Reply::Started(_) => {
                // Of now: a release with the same files may have replaced another one meanwhile.
                Ok(ReloadAnswer::unchanged(self.ask(ApiCall::Snapshot).await?.release))
            }
        }
    }

    /// Passes on the release that the files describe.
    pub(super) async fn accept_deploy(&self, deploy: Deploy) -> Result<(Reply, Vec<Complaint>), ApiError> {
        let added = deploy.added_types();
        self.accept(&added, |elsewhere| Command::Deploy(Box::new(deploy.without(&elsewhere)))).await
    }

    /// Locks the process types that a release adds, and passes the release to the supervisor. A type that another start
    /// of the app already runs is not added here, and a note says so. `command`: passes the release on without these types.
    pub(super) async fn accept(
        &self,
        added: &[ProcessType],
        command: impl FnOnce(Vec<ProcessType>) -> Command,
    ) -> Result<(Reply, Vec<Complaint>), ApiError> {
        let (mut elsewhere, mut notes) = (Vec::new(), Vec::new());
        let _turn = self.scaling.lock().await;
        let formation = self.ask(ApiCall::Snapshot).await?.formation;
        let held = self.registered.types();
        let is_new = |name: &&ProcessType| {
            let is_unknown = formation.iter().all(|entry| entry.process_type != **name);
            is_unknown && held.iter().all(|known| known != name.as_str())
        };
        loop {
            let added = added.iter().filter(is_new).filter(|name| !elsewhere.contains(*name));
            let added: Vec<ProcessType> = added.cloned().collect();
            if added.is_empty() {
                break;
            }
            let types = held.iter().cloned().chain(added.iter().map(ToString::to_string)).collect();
            let Err(error) = self.registered.set_types(types).await else { break };
            let running = match &error {
                NotRegistered::Running { process_type, by } => {
                    added.iter().find(|name| name.as_str() == process_type).map(|name| (name.clone(), by.pid))
                }
                NotRegistered::Locked(_) | NotRegistered::Unreadable(_) | NotRegistered::Refused(_) => None,
            };
            let Some((name, pid)) = running else { return Err(not_claimed(error)) };
            let fact =
                format!("`{name}` is already running in another start (dyno pid {pid}), so it is not started again");
            notes.push(Complaint::new(fact, ""));
            elsewhere.push(name);
        }
        let reply = self.ask(|answer| ApiCall::Command(command(elsewhere), answer)).await?;
        let reply = reply.map_err(|refusal| ApiError::of_refusal(&refusal, false))?;
        self.deployed.notify_one();
        Ok((reply, notes))
    }

    /// Waits until a release is no longer pending.
    pub(super) async fn until_settled(&self, version: u32, difference: &str) -> Result<ReloadAnswer, ApiError> {
        let is_decided = Box::new(move |snapshot: &Snapshot| {
            snapshot.phase == StartPhase::Stopping || ReloadAnswer::settled(version, "", snapshot).is_some()
        });
        let depends_on = Box::new(|_: &DynoName| false);
        let snapshot = self.ask(|answer| ApiCall::Wait { is_decided, depends_on, answer }).await?;
        let mut answer = ReloadAnswer::settled(version, difference, &snapshot).ok_or_else(ApiError::ending)?;
        if answer.result == ReloadResult::Succeeded {
            // A file that is changed after the answer restarts the types that watch it.
            let _ = self.watched_release.subscribe().wait_for(|watched| *watched >= version).await;
        }
        if answer.result == ReloadResult::Failed {
            // The exit of a dyno is known before its last words are read.
            let _ = self.ask(ApiCall::Settle).await;
            let command = snapshot.rows.iter().chain(&snapshot.removed).find(|row| row.role == DynoRole::Release);
            let exit = command.and_then(|row| row.last_exit).map(ExitStatus::shell_code);
            answer.stopped = command.and_then(|row| row.life.ends.first()).is_some_and(|end| end.requested);
            let otherwise = if answer.stopped { STOPPED } else { Status::Internal.code() };
            answer.status = exit.filter(|code| *code != 0).unwrap_or(otherwise);
            // Without the lines of an earlier release command.
            let since = snapshot.releases.iter().find(|info| info.version == version).map(|info| info.at);
            let lines = command.map(|row| self.archive.last_lines_since(&row.dyno.to_string(), SHOWN_LINES, since));
            answer.lines = lines.unwrap_or_default();
        }
        Ok(answer)
    }
}

/// The note about process types that a new start would give other ports, if it is new.
pub(super) fn moved(before: &Snapshot, after: &Snapshot) -> Option<Complaint> {
    let has_dynos =
        |name: &ProcessType| after.formation.iter().any(|entry| entry.process_type == *name && entry.quantity > 0);
    let new =
        after.moved_ports.iter().filter(|port| !before.moved_ports.contains(port) && has_dynos(&port.process_type));
    let moves: Vec<String> =
        new.map(|port| format!("`{}` {} instead of {}", port.process_type, port.next, port.now)).collect();
    let fact = format!("the next start will use other ports: {}", moves.join(", "));
    (!moves.is_empty()).then(|| Complaint::new(fact, ""))
}

fn invalid(version: u32, error: &Error) -> ReloadAnswer {
    ReloadAnswer::invalid(version, error.status().code(), problems(error.complaints()))
}

pub(super) fn problems(complaints: &[Complaint]) -> Vec<ReloadProblem> {
    let problem = |Complaint { fact, hint }: &Complaint| ReloadProblem { message: fact.clone(), hint: hint.clone() };
    complaints.iter().map(problem).collect()
}
