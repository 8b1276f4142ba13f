//! The reports on stderr after the end of a run, about failures that cannot be in its log (S11).

use crate::commands::show_error;
use crate::console::diagnostics::show_complaint;
use crate::error::{Complaint, Error, GUARDIAN_KILLED, Status};
use crate::reports::last_words::{self, Reader};
use crate::runtime::{Ending, FailedLaunch, write_diagnostics};

/// Reports on stderr what is not in the log.
pub(in crate::commands) fn report(ending: &Ending) {
    let complaints = complaints(ending);
    if !complaints.is_empty() {
        show_error(&Error::all(Status::Internal, complaints));
    }
    if let Some(failed) = ending.decisive_launch() {
        report_launch(failed);
    }
}

/// Reports why a detached start was stopped. The last lines of the dyno that failed come first.
fn report_launch(failed: &FailedLaunch) {
    let mut hint = String::new();
    if let Some(dyno) = &failed.dyno {
        let lines: Vec<Vec<u8>> = failed.last_lines.iter().map(|line| line.clone().into_bytes()).collect();
        let reader = Reader { colors: false, github: false };
        write_diagnostics(last_words::render(dyno, &lines, reader).as_bytes());
        hint = format!("`dyno why {dyno}` says more");
    }
    show_complaint(&Complaint::new(&failed.message, hint));
}

fn complaints(ending: &Ending) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    if ending.guardian_lost {
        let others = if ending.survivors.is_empty() { "all dynos were killed" } else { "some processes survived" };
        complaints.push(Complaint::new(format!("{GUARDIAN_KILLED}; {others}"), ""));
    }
    for survivor in &ending.survivors {
        let pid = survivor.split(' ').next().unwrap_or_default();
        let hint = format!(
            "`ps -p {pid} -o stat,wchan` shows why; it ends when the kernel lets it, or use `sudo kill -9 {pid}`"
        );
        complaints.push(Complaint::new(format!("process {survivor} could not be killed"), hint));
    }
    if let Some(fact) = &ending.output_error {
        complaints.push(Complaint::new(fact, "all dynos were stopped"));
    }
    if ending.unwritten_bytes > 0 {
        complaints.push(Complaint::new(lost_bytes(ending.unwritten_bytes), ""));
    }
    complaints
}

fn lost_bytes(bytes: u64) -> String {
    let bytes = if bytes == 1 { "1 byte of output was".to_owned() } else { format!("{bytes} bytes of output were") };
    format!("{bytes} lost: the reader stopped reading")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::Outcome;

    #[test]
    fn s11_failures_that_the_log_cannot_report_are_reported_at_the_end() {
        let reported = |change: &dyn Fn(&mut Ending)| -> Vec<(String, String)> {
            let mut ending = Ending::plain(Outcome::Code(0));
            change(&mut ending);
            complaints(&ending).into_iter().map(|complaint| (complaint.fact, complaint.hint)).collect()
        };
        let one = |fact: &str, hint: &str| vec![(fact.to_owned(), hint.to_owned())];

        assert_eq!(reported(&|_| ()), []);
        assert_eq!(
            reported(&|ending| ending.guardian_lost = true),
            one("`dyno`'s helper process (the guardian) was killed; all dynos were killed", "")
        );
        let survivors = vec!["7 (sh)".to_owned()];
        let hint = "`ps -p 7 -o stat,wchan` shows why; it ends when the kernel lets it, or use `sudo kill -9 7`";
        let survived = one("process 7 (sh) could not be killed", hint);
        assert_eq!(reported(&|ending| ending.survivors.clone_from(&survivors)), survived);
        let both = |ending: &mut Ending| {
            ending.survivors.clone_from(&survivors);
            ending.guardian_lost = true;
        };
        assert_eq!(
            reported(&both),
            [one("`dyno`'s helper process (the guardian) was killed; some processes survived", ""), survived].concat()
        );
        let fact = "the output could not be written: No space left on device";
        assert_eq!(
            reported(&|ending| ending.output_error = Some(fact.to_owned())),
            one(fact, "all dynos were stopped")
        );
        assert_eq!(
            reported(&|ending| ending.unwritten_bytes = 7),
            one("7 bytes of output were lost: the reader stopped reading", "")
        );
        assert_eq!(lost_bytes(1), "1 byte of output was lost: the reader stopped reading");
    }
}
