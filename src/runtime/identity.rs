//! What identifies a start: the mark on all of its processes, the number of a one-off dyno, the name of the user; and
//! the secrets that its clients need.

use std::fs::File;
use std::io::Read;

use nix::unistd::{User, getuid};

use crate::error::{Error, Status};
use crate::release::Release;
use crate::supervisor::NoticeStyle;

/// 128 random bits in hexadecimal digits: the mark on every process of one start (S3.1), or a secret.
pub(crate) fn random_hex() -> Result<String, Error> {
    Ok(format!("{:032x}", u128::from_ne_bytes(random()?)))
}

/// The number of a one-off dyno, 1000..=9999 (S9.1).
pub(crate) fn one_off_number() -> Result<u32, Error> {
    // 2^64 is so much larger than 9000 that all numbers are practically equally likely.
    let number = u64::from_ne_bytes(random()?) % 9_000;
    Ok(1_000 + u32::try_from(number).unwrap_or(0))
}

/// The author of the release in the log: the user who starts it.
pub(crate) fn release_user(style: NoticeStyle) -> String {
    let name = match style {
        NoticeStyle::Heroku => login_name(|name| std::env::var(name).ok()),
        // No name is shown, and looking one up can take longer than starting a dyno.
        NoticeStyle::Plain => None,
    };
    name.unwrap_or_else(|| Release::LOCAL_USER.to_owned())
}

/// Whether a release with this author was made by the user who runs this.
pub(crate) fn is_user(name: &str) -> bool {
    name == Release::LOCAL_USER || login_name(|variable| std::env::var(variable).ok()).as_deref() == Some(name)
}

/// The user name from the variables of the login, else from the system's user database.
fn login_name(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let by_login = ["LOGNAME", "USER"].into_iter().filter_map(variable).find(|user| is_printable(user));
    let by_system = || User::from_uid(getuid()).ok().flatten().map(|user| user.name);
    by_login.or_else(by_system).filter(|user| is_printable(user))
}

/// Whether a name can be put into a line of the log.
fn is_printable(user: &str) -> bool {
    !user.is_empty() && !user.contains(char::is_control)
}

fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    let read = File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut bytes));
    read.map_err(|error| {
        let fact = format!("cannot read random bytes from `/dev/urandom`: {}", crate::project::reason(&error));
        Error::new(Status::Internal, fact, "")
    })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_one_off_dyno_has_four_digits() {
        for _ in 0..100 {
            let number = one_off_number().expect("random bytes");
            assert!((1_000..=9_999).contains(&number), "{number}");
        }
    }

    #[test]
    fn random_hex_has_32_digits_and_is_never_the_same() {
        let (one, other) = (random_hex().expect("random bytes"), random_hex().expect("random bytes"));

        assert!(one.len() == 32 && one != other);
    }

    #[test]
    fn the_author_of_a_release_is_the_login_name_on_one_line() {
        let with = |logname: &str, user: &str| {
            let variables = [("LOGNAME", logname.to_owned()), ("USER", user.to_owned())];
            login_name(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone()))
        };

        assert_eq!(with("ada", "root").as_deref(), Some("ada"));
        assert_eq!(with("", "ada").as_deref(), Some("ada"));
        assert_eq!(with("a\nb", "ada").as_deref(), Some("ada"));
        assert_eq!(with("", ""), login_name(|_| None));
    }
}
