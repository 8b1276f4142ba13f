//! Problems of the ports of an app, for `check` (S5).

use super::findings::{Finding, Findings};
use super::places::Places;
use crate::app::{DEFAULT_STEP, Layers, PortBase, PortError, Ports, Procfile, Severity};
use crate::settings::{BasePort, of_file};

/// For `check`: finds the settings in files that make `start` without options refuse its ports. `file`: the name of the
/// Procfile.
pub(crate) fn find(file: &str, procfile: Option<&Procfile>, layers: &Layers, places: &Places, findings: &mut Findings) {
    let base_port = BasePort::new(None, &places.foreman, &places.foreman_name, layers);
    let by = base_port.set_by();
    let mut find = |name: &str, line: usize, key: &str, message: String, hint: &str| {
        findings.push(Finding::new(Severity::Error, name, line, message, hint).about(key));
    };
    // Another shell can have another value.
    if by.is_shell() {
        return;
    }
    let base = match (base_port.base(), by.line()) {
        (Ok(PortBase::Fixed(base)), _) => base,
        (Err(_), Some((name, line, key))) => {
            let message = "`PORT` is not a port number from 1 to 65535".to_owned();
            return find(name, line, key, message, "write a line such as `PORT=5000`");
        }
        (Ok(PortBase::Auto) | Err(_), _) => return,
    };
    let Some(procfile) = procfile else { return };
    let types = procfile.formation_types();
    // Problems of the formation itself are reported already.
    let Some(formation) = of_file(&places.foreman, &types) else { return };
    let Err(error) = Ports::new(base, DEFAULT_STEP, &types).assign(&formation) else { return };
    let dyno = match &error {
        PortError::OutOfRange { dyno, .. } | PortError::Collision { second: dyno, .. } => Some(dyno),
        PortError::BadBase { .. } | PortError::OutsideBlock { .. } => None,
    };
    let entry = dyno.and_then(|dyno| procfile.get(&dyno.process_type));
    match (by.line(), entry) {
        (Some((name, line, key)), _) => find(name, line, key, error.to_string(), error.hint()),
        (None, Some(entry)) => find(file, entry.line, entry.process_type.as_str(), error.to_string(), error.hint()),
        (None, None) => {}
    }
}
