//! Random numbers: the mark on all processes of one start, and the number of a one-off dyno.

use std::fs::File;
use std::io::Read;

use crate::error::{Error, Status};

/// 128 random bits in hexadecimal digits: they mark every process of one start (S3.1).
pub(super) fn session() -> Result<String, Error> {
    Ok(format!("{:032x}", u128::from_ne_bytes(random()?)))
}

/// The number of a one-off dyno, 1000..=9999 (S9.1).
pub(super) fn one_off_number() -> Result<u32, Error> {
    // 2^64 is so much larger than 9000 that all numbers are practically equally likely.
    let number = u64::from_ne_bytes(random()?) % 9_000;
    Ok(1_000 + u32::try_from(number).unwrap_or(0))
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
    fn a_session_has_32_digits_and_is_never_the_same() {
        let (one, other) = (session().expect("random bytes"), session().expect("random bytes"));

        assert!(one.len() == 32 && one != other);
    }
}
