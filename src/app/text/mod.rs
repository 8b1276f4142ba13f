//! What all parsers share: the lines of a file, the problems found in it, and the nearest known name.

pub(super) mod json_fault;
pub(super) mod nearest;
pub(super) mod problem;
pub(super) mod source;
