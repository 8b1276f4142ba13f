//! What the user wrote: the parsers of Procfile, `.env`, `.foreman` and options.
//!
//! Pure: text in, values out. `commands` reads the files, the clock and the environment of this process; `supervisor`
//! decides what to do with the values.
//!
//! Every parser takes the bytes of a file and returns its values together with all of its [`Problem`]s. The caller adds
//! the name of the file.

mod app_json;
mod command;
mod env;
mod foreman_file;
mod formation;
mod own_block;
mod ports;
mod procfile;
mod start_order;
mod text;
mod watch_list;

pub use app_json::{AppJson, DeclaredQuantity, DeclaredVariable, HealthCheck, HealthCheckKind};
pub(crate) use command::shell_words::is_plain;
pub use command::{
    AppendError, Construct, append_text, append_words, bash_word, join_words, launch, line_for_shell, program_word,
    quote_word, shown_words,
};
pub use env::{
    DynoVariables, EditedEnv, EnvDifference, EnvEntry, EnvFile, EnvScope, EnvironmentTooBig, InvalidSetting, Layers,
    MAX_VARIABLE_BYTES, Origin, PortVariable, SourcedValue, app_url_variable, edit_env, env_line, is_env_key,
    is_set_by_dyno, sibling_variables, url_of_port,
};
pub use foreman_file::{ForemanFile, Setting};
pub use formation::{Formation, FormationError, FormationRequest, FormationWarning, MAX_QUANTITY, Scale};
pub use own_block::OwnBlock;
pub use ports::{
    BLOCK_UNIT, DEFAULT_BASE, DEFAULT_STEP, PortBase, PortBlock, PortError, PortOwner, PortRange, Ports, RouterPort,
    parse_port,
};
pub use procfile::{Procfile, ProcfileEntry};
pub use start_order::{Prerequisite, StartOrder, StartOrderError, Until};
pub use text::nearest::nearest;
pub(crate) use text::nearest::{did_you_mean, one_of, some_in_words, some_of};
pub use text::problem::{Problem, Severity};
pub use text::source::MAX_FILE_BYTES;
pub(crate) use text::source::list_items;
pub use watch_list::{WatchList, WatchListError};
