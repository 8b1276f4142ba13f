//! The `Range` header of a list: `version ..; max=15, order=desc`.

use super::ReleaseResource;

/// Which releases a client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReleaseRange {
    /// The most that it wants; None: all.
    max: Option<usize>,
    /// Whether the newest comes first. The platform begins with the oldest unless it is asked for that.
    newest_first: bool,
}

impl ReleaseRange {
    /// Reads a header. Only `max` and `order` have an effect; anything else is ignored, like an unknown header.
    pub(super) fn parse(header: Option<&str>) -> Self {
        let mut range = Self { max: None, newest_first: false };
        let options = header.and_then(|text| text.split_once(';')).map_or("", |(_, options)| options);
        for option in options.split([',', ';']) {
            match option.trim().split_once('=') {
                Some(("max", number)) => range.max = number.trim().parse().ok(),
                Some(("order", order)) => range.newest_first = order.trim() == "desc",
                Some(_) | None => {}
            }
        }
        range
    }

    /// The releases that the client wants, in the order it wants.
    pub(super) fn apply(self, mut releases: Vec<ReleaseResource>) -> Vec<ReleaseResource> {
        releases.sort_by_key(|release| release.version);
        if self.newest_first {
            releases.reverse();
        }
        releases.truncate(self.max.unwrap_or(usize::MAX));
        releases
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s15_1_the_ranges_of_known_clients_are_understood() {
        for (header, max, newest_first) in [
            ("version ..; max=15, order=desc", Some(15), true),
            ("version ..; order=desc,max=1", Some(1), true),
            ("id ..; max=1000;", Some(1000), false),
            ("version ..; ;", None, false),
            ("version ..; order=asc", None, false),
            ("version ..", None, false),
            ("", None, false),
            ("max", None, false),
            (";;=,max=x", None, false),
        ] {
            assert_eq!(ReleaseRange::parse(Some(header)), ReleaseRange { max, newest_first }, "{header}");
        }
        assert_eq!(ReleaseRange::parse(None), ReleaseRange { max: None, newest_first: false });
    }
}
