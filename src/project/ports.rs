//! The base port of an app, where it comes from, and the problems of its ports (S5).

use super::findings::{Finding, Findings};
use super::places::Places;
use crate::app::{
    BaseSource, BaseSources, DEFAULT_STEP, Layers, Origin, PortBase, PortError, Ports, Procfile, Severity,
};
use crate::error::{Error, Status};
use crate::model::{DynoName, Secret};
use crate::settings::of_file;

/// Where the base port comes from.
pub(crate) enum Given {
    /// A line of a file, with this key.
    File { name: String, line: usize, key: &'static str },
    /// The shell: `check` ignores it, because another shell can have another value.
    Shell,
    /// An option, or the default.
    OptionOrDefault,
}

impl Given {
    fn file(&self) -> Option<(&str, usize, &'static str)> {
        match self {
            Self::File { name, line, key } => Some((name, *line, key)),
            Self::Shell | Self::OptionOrDefault => None,
        }
    }

    /// The error for a base that cannot be used.
    pub(crate) fn refused(&self, error: &PortError) -> Error {
        let status = if self.file().is_some() { Status::Config } else { Status::Usage };
        let place = match (error, self.file()) {
            (PortError::OutOfRange { .. } | PortError::Collision { .. }, Some((name, line, _))) => {
                format!("{name}:{line}: ")
            }
            // The message for a bad base names its place.
            (PortError::BadBase { .. }, _) | (PortError::OutOfRange { .. } | PortError::Collision { .. }, None) => {
                String::new()
            }
        };
        Error::new(status, format!("{place}{error}"), error.hint())
    }
}

/// The base port, or why it is not a port (S5.2). `option`: `-p`.
pub(crate) fn base(
    option: Option<&str>,
    prefer_shell: bool,
    layers: &Layers,
    places: &Places,
) -> (Result<PortBase, PortError>, Given) {
    let in_files = layers.get_from_files("PORT");
    let in_files = in_files.as_ref().and_then(|given| Some((given.origin.to_string(), given.value.as_ref()?)));
    let setting = layers.get_from_options("PORT").and_then(|given| given.value);
    let sources = BaseSources {
        option,
        setting: setting.as_ref().map(Secret::reveal),
        foreman_file: places.foreman.port.as_ref().map(|setting| setting.value),
        env_file: in_files.as_ref().map(|(at, value)| (at.as_str(), value.reveal())),
        shell: layers.scope().inherited.get(b"PORT").map(Secret::reveal),
        prefer_shell,
    };
    let source = sources.first();
    let given = match source {
        BaseSource::ForemanFile(_) => places.foreman.port.as_ref().map(|setting| Given::File {
            name: places.foreman_name.clone(),
            line: setting.line,
            key: "port",
        }),
        BaseSource::EnvFile(..) => layers.get_from_files("PORT").and_then(|given| match given.origin {
            Origin::File { name, line } => Some(Given::File { name, line, key: "PORT" }),
            Origin::Shell | Origin::Default | Origin::Option | Origin::Dyno => None,
        }),
        BaseSource::Shell(_) => Some(Given::Shell),
        BaseSource::Option(_) | BaseSource::Setting(_) | BaseSource::Default => None,
    };
    (source.base(), given.unwrap_or(Given::OptionOrDefault))
}

/// For `check`: finds the settings in files that make `start` without options refuse its ports. `file`: the name of the
/// Procfile.
pub(crate) fn find(file: &str, procfile: Option<&Procfile>, layers: &Layers, places: &Places, findings: &mut Findings) {
    let (base, given) = base(None, false, layers, places);
    let mut find = |name: &str, line: usize, key: &str, message: String, hint: &str| {
        findings.push(Finding::new(Severity::Error, name, line, message, hint).about(key));
    };
    let base = match (base, &given) {
        (Ok(PortBase::Fixed(base)), Given::File { .. } | Given::OptionOrDefault) => base,
        (Err(_), Given::File { name, line, key }) => {
            let message = "`PORT` is not a port number from 1 to 65535".to_owned();
            return find(name, *line, key, message, "write a line such as `PORT=5000`");
        }
        (Ok(_) | Err(_), Given::Shell) | (Ok(PortBase::Auto) | Err(_), _) => return,
    };
    let Some(procfile) = procfile else { return };
    let types = procfile.formation_types();
    // Problems of the formation itself are reported already.
    let Some(formation) = of_file(&places.foreman, &types) else { return };
    let Err(error) = Ports::new(base, DEFAULT_STEP, &types).assign(&formation) else { return };
    let dyno = match &error {
        PortError::OutOfRange { dyno, .. } | PortError::Collision { second: dyno, .. } => Some(dyno),
        PortError::BadBase { .. } => None,
    };
    let entry = dyno.and_then(|dyno| procfile.get(&dyno.process_type));
    match (given.file(), entry) {
        (Some((name, line, key)), _) => find(name, line, key, error.to_string(), error.hint()),
        (None, Some(entry)) => find(file, entry.line, entry.process_type.as_str(), error.to_string(), error.hint()),
        (None, None) => {}
    }
}

/// `web.1 5000, web.2 5001, worker.1 5010`.
pub(crate) fn list(ports: &[(DynoName, u16)]) -> String {
    ports.iter().map(|(dyno, port)| format!("{dyno} {port}")).collect::<Vec<_>>().join(", ")
}
