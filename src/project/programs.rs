//! Programs of a Procfile that cannot be executed, for the notes of `check` (S1.6).
//!
//! A note and not an error: a program may be built or installed later, and a profile may change `PATH`.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::findings::{Finding, Findings};
use super::program_lookup::{Obstacle, ProgramLookup, program_of};
use crate::app::{DynoVariables, Layers, PortVariable, Procfile, ProcfileEntry, Severity};
use crate::model::DynoName;

/// Maximum number of programs that are looked up: no real app has more, and each lookup reads the disk several times.
const MAX_PROGRAMS: usize = 1_000;

/// Notes the programs that cannot be executed. `file`: the name of the Procfile; `directory`: where its commands run.
pub(crate) fn find(file: &str, procfile: &Procfile, layers: &Layers, directory: &Path, findings: &mut Findings) {
    let Some(first) = procfile.entries().first() else { return };
    // `PATH` is the same in every dyno.
    let dyno = DynoName::new(first.process_type.clone(), 1);
    let variables = DynoVariables { dyno: &dyno, port: PortVariable::Kept, session: "", app: "", siblings: &[] };
    let environment = layers.environment(&variables);
    // A line with another finding is reported already, and its command is probably not the intended one.
    let odd: HashSet<usize> = findings.iter().filter(|finding| finding.file == file).filter_map(|it| it.line).collect();
    let lookup = ProgramLookup { environment: &environment, directory };
    let mut known = HashMap::new();
    findings.push_limited(procfile.entries().iter().filter_map(|entry| {
        let program = program_of(&entry.command).filter(|_| !odd.contains(&entry.line))?;
        if known.len() >= MAX_PROGRAMS && !known.contains_key(&program) {
            return None;
        }
        let found = known.entry(program.clone()).or_insert_with(|| lookup.obstacle(&program));
        Some(finding(file, entry, &String::from_utf8_lossy(&program), found.as_ref()?))
    }));
}

fn finding(file: &str, entry: &ProcfileEntry, program: &str, obstacle: &Obstacle) -> Finding {
    let name = &entry.process_type;
    let message = format!("`{name}` runs `{program}`, which {obstacle}");
    Finding::new(Severity::Warning, file, entry.line, message, obstacle.hint()).about(name.as_str())
}
