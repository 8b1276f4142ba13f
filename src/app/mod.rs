//! What the user wrote: the domain types, and the parsers of Procfile, `.env`, `.foreman` and options.
//!
//! Pure: text in, values out. `commands` reads the files, the clock and the environment of this process; `supervisor`
//! decides what to do with the values.
//!
//! Every parser takes the bytes of a file and returns its values together with all of its [`Problem`]s. The caller adds
//! the name of the file.

mod command_line;
mod command_scan;
mod dyno;
mod env_entry;
mod env_file;
mod env_json;
mod env_line;
mod env_message;
mod env_reference;
mod env_value;
mod environment;
mod environment_limits;
mod foreign_file;
mod foreman_file;
mod formation;
mod formation_error;
mod http_check;
mod layers;
mod listen_address;
mod nearest;
mod now;
mod ports;
mod problem;
mod process_type;
mod procfile;
mod procfile_entry;
mod procfile_line;
mod procfile_message;
mod profile;
mod scale;
mod shell_words;
mod source_text;
mod spawn_spec;
mod without_shell;

pub use command_line::{AppendError, ShellLine, append_words, join_words, quote_word, shell_line};
pub use dyno::{DynoName, ExitStatus, LeftRunning, RunId};
pub use env_entry::EnvEntry;
pub use env_file::{EnvFile, EnvScope};
pub use env_line::is_env_key;
pub use environment::{Environment, Secret};
pub use environment_limits::{EnvironmentTooBig, MAX_VARIABLE_BYTES};
pub use foreman_file::{ForemanFile, Setting};
pub use formation::{Formation, FormationRequest, MAX_QUANTITY};
pub use formation_error::{FormationError, FormationWarning};
pub use http_check::{HttpCheck, HttpCheckError};
pub use layers::{DynoVariables, InvalidSetting, Layers, Origin, PortVariable, SourcedValue};
pub use listen_address::{http_url, is_loopback_only, reachable_at};
pub use nearest::nearest;
pub(crate) use nearest::{did_you_mean, some_of};
pub use now::Now;
pub use ports::{
    BLOCK_UNIT, BaseSource, BaseSources, DEFAULT_BASE, DEFAULT_STEP, PortBase, PortBlock, PortError, Ports, parse_port,
};
pub use problem::{Problem, Severity};
pub use process_type::{InvalidProcessType, ProcessType};
pub use procfile::Procfile;
pub use procfile_entry::ProcfileEntry;
pub use profile::with_profile;
pub use scale::Scale;
pub use source_text::MAX_FILE_BYTES;
pub use spawn_spec::{DynoSpec, Focus, Io, PtySize, Shell, SpawnSpec};
pub use without_shell::{Direct, without_shell};
