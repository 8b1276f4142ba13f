//! How engines name the stop signal of a type.

use crate::supervisor::SignalName;

/// The signal that every engine sends by default.
pub(super) const SIGTERM: i32 = 15;

/// `INT` for 2, and the number itself for a signal without a name.
pub(super) fn signal_name(number: i32) -> String {
    let name = SignalName(number).to_string();
    name.strip_prefix("SIG").map_or_else(|| number.to_string(), str::to_owned)
}
