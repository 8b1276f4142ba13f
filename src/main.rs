//! The binary `dyno`.

fn main() {}
