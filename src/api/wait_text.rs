//! What a command that waits for dynos says: what is missing, and why the wait has failed (S10.2).

use super::{WaitAnswer, WaitResult, WaitUntil};

impl WaitAnswer {
    /// What a late answer waits for: `web.1 to listen on port 5000`.
    #[must_use]
    pub fn missing(&self, until: WaitUntil) -> String {
        let dyno = self.subject();
        match (until, self.port) {
            _ if self.leaving => format!("{dyno} to end"),
            (WaitUntil::Up | WaitUntil::Failure, Some(port)) => format!("{dyno} to listen on port {port}"),
            (WaitUntil::Up | WaitUntil::Failure, None) => format!("{dyno} to come up"),
            (WaitUntil::Exit, _) => format!("{dyno} to end"),
        }
    }

    /// Why the wait has failed. `seconds`: how long the wait has lasted; `found`: a port on which its dyno listens.
    #[must_use]
    pub fn failure(&self, until: WaitUntil, seconds: u64, found: Option<u16>) -> String {
        let dyno = self.dyno.as_ref().map_or_else(|| self.subject().to_owned(), |dyno| format!("`{dyno}`"));
        if let Some(why) = &self.prevented {
            return format!("{dyno} was not started: {why}");
        }
        match (self.result, self.exit_status) {
            (WaitResult::Crashed, status) => format!("{dyno} has crashed (status {})", status.unwrap_or(1)),
            (WaitResult::Gone | WaitResult::Ended, Some(status)) => format!("{dyno} has ended (status {status})"),
            (WaitResult::Gone, None) => format!("{dyno} was stopped"),
            (WaitResult::Late | WaitResult::Up, _) | (WaitResult::Ended, None) => match (until, self.port) {
                _ if self.leaving => format!("{dyno} has not ended after {seconds} s"),
                (WaitUntil::Exit, _) => format!("{dyno} has not ended after {seconds} s"),
                (WaitUntil::Up | WaitUntil::Failure, None) => format!("{dyno} is not up after {seconds} s"),
                (WaitUntil::Up | WaitUntil::Failure, Some(port)) => {
                    let elsewhere = found.map_or_else(String::new, |found| format!(", but on port {found}"));
                    format!("{dyno} does not listen on port {port} after {seconds} s{elsewhere}")
                }
            },
        }
    }

    /// The exit status of a wait that failed because of a dyno; never 0. None: the time was over.
    #[must_use]
    pub fn failed_status(&self) -> Option<u8> {
        match self.result {
            WaitResult::Crashed | WaitResult::Gone | WaitResult::Ended => Some(self.exit_status.unwrap_or(1).max(1)),
            WaitResult::Late | WaitResult::Up => None,
        }
    }

    /// The dyno that it is about.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.dyno.as_deref().unwrap_or("the app")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(result: WaitResult, exit_status: Option<u8>, port: Option<u16>) -> WaitAnswer {
        let dyno = Some("web.1".to_owned());
        WaitAnswer { result, dyno, exit_status, leaving: false, pid: None, port, last_words: None, prevented: None }
    }

    #[test]
    fn s10_2_a_failed_wait_says_why_and_never_has_the_status_0() {
        let up = |answer: &WaitAnswer, found| (answer.failure(WaitUntil::Up, 60, found), answer.failed_status());
        let crashed = answer(WaitResult::Crashed, Some(0), None);
        let stopped = answer(WaitResult::Gone, None, None);
        let late = answer(WaitResult::Late, None, Some(5_000));

        assert_eq!(up(&crashed, None), ("`web.1` has crashed (status 0)".to_owned(), Some(1)));
        assert_eq!(up(&stopped, None), ("`web.1` was stopped".to_owned(), Some(1)));
        let elsewhere = "`web.1` does not listen on port 5000 after 60 s, but on port 5173";
        assert_eq!(up(&late, Some(5_173)), (elsewhere.to_owned(), None));
        assert_eq!(late.missing(WaitUntil::Up), "web.1 to listen on port 5000");
        let nothing = WaitAnswer { dyno: None, ..stopped };
        assert_eq!(up(&nothing, None).0, "the app was stopped");
    }
}
