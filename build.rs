//! Passes on what only a build script knows: for which target this is built. `dyno version` says it.

fn main() -> Result<(), std::env::VarError> {
    use std::io::Write;

    let target = std::env::var("TARGET")?;
    let _ = writeln!(std::io::stdout(), "cargo::rerun-if-changed=build.rs\ncargo::rustc-env=DYNO_TARGET={target}");
    Ok(())
}
