//! Reads `.env` files, and merges all layers of variables into the environment of a dyno (S2, S3).

mod edit;
mod entry;
mod file;
mod json;
mod layers;
mod limits;
pub(super) mod line;
mod message;
mod reference;
mod siblings;
mod spelling;
mod value;

pub use edit::{EditedEnv, EnvDifference, edit_env};
pub use entry::EnvEntry;
pub use file::{EnvFile, EnvScope};
pub use layers::{DynoVariables, InvalidSetting, Layers, Origin, PortVariable, SourcedValue, is_set_by_dyno};
pub use limits::{EnvironmentTooBig, MAX_VARIABLE_BYTES};
pub use line::is_env_key;
pub use siblings::{app_url_variable, sibling_variables, url_of_port};
pub use spelling::env_line;
