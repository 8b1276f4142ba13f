//! The base port, and what sets it (S5.2).

use std::fmt::Display;

use super::precedence::{ForemanRank, Given, SetBy, ranked};
use crate::app::{ForemanFile, Layers, Origin, PortBase, PortError, parse_port};

/// What the options say about ports.
#[derive(Debug, Clone, Default)]
pub(crate) struct PortSettings {
    /// `-p`.
    pub(crate) base: Option<String>,
    /// `--port-step`.
    pub(crate) step: Option<u16>,
    /// `--strict-ports`.
    pub(crate) strict: bool,
    /// `--fixed-ports`.
    pub(crate) fixed: bool,
    /// Whether only lines of files set the base: `check` has no option for it, and another shell can have another value.
    pub(crate) only_files: bool,
}

/// The base port with everything that sets one.
pub(crate) struct BasePort {
    /// The strongest first.
    given: Vec<Given<Vec<u8>>>,
}

impl BasePort {
    /// `file_name`: the name of `.foreman`.
    pub(crate) fn new(settings: &PortSettings, file: &ForemanFile, file_name: &str, layers: &Layers) -> Self {
        let option = settings.base.as_deref().map(|text| Given { value: text.into(), by: SetBy::Option("-p") });
        let foreman = file.port.as_ref().map(|setting| {
            let by = SetBy::Foreman { file: file_name.to_owned(), line: setting.line, key: "port" };
            (ForemanRank::AboveFiles, Given { value: setting.value.to_string().into_bytes(), by })
        });
        let mut given = ranked(option, "PORT", layers, foreman, <[u8]>::to_vec);
        given.retain(|one| !settings.only_files || !one.by.is_shell());
        Self { given }
    }

    /// Its text, and what sets it. None: nothing does.
    pub(crate) fn into_given(self) -> Option<Given<Vec<u8>>> {
        self.given.into_iter().next()
    }

    /// What sets it.
    pub(crate) fn set_by(&self) -> SetBy {
        self.given.first().map_or(SetBy::Default, |winner| winner.by.clone())
    }

    /// What else would set it.
    pub(crate) fn overridden(&self) -> impl Iterator<Item = &SetBy> {
        self.given.iter().skip(1).map(|given| &given.by)
    }

    /// The base.
    ///
    /// # Errors
    /// [`PortError::BadBase`]. It names the place unless that is a line of a file, and the text only if it comes from `-p`:
    /// any other may be a secret.
    pub(crate) fn base(&self) -> Result<PortBase, PortError> {
        let Some(Given { value, by }) = self.given.first() else { return Ok(PortBase::Checkout) };
        if matches!(by, SetBy::Option(_)) && value == b"auto" {
            return Ok(PortBase::Auto);
        }
        parse_port(value).map(PortBase::Fixed).ok_or_else(|| {
            let from = match by {
                SetBy::Option(name) => format!("`{name} {}`", String::from_utf8_lossy(value)),
                SetBy::Variable { name, origin: Origin::Option } => format!("`{name}` given with `--set`"),
                SetBy::Variable { name, origin: Origin::Shell } => format!("`{name}` in the shell"),
                SetBy::Variable { name, origin: Origin::File { .. } | Origin::Default | Origin::Dyno } => {
                    format!("`{name}`")
                }
                SetBy::Default | SetBy::Foreman { .. } => by.to_string(),
            };
            PortError::BadBase { from }
        })
    }
}

/// `router 5000, web.1 5100, web.2 5101`.
pub(crate) fn port_list<T: Display>(ports: &[(T, u16)]) -> String {
    ports.iter().map(|(owner, port)| format!("{owner} {port}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Environment;

    fn base(option: Option<&str>, shell: &str) -> Result<PortBase, String> {
        let mut inherited = Environment::default();
        inherited.set("PORT", shell);
        let layers = Layers::new(inherited, false);
        let settings = PortSettings { base: option.map(str::to_owned), ..PortSettings::default() };
        BasePort::new(&settings, &ForemanFile::default(), ".foreman", &layers).base().map_err(|error| error.to_string())
    }

    #[test]
    fn s5_5_without_any_setting_the_base_depends_on_the_checkout() {
        assert_eq!(base(None, ""), Ok(PortBase::Checkout));
        assert_eq!(base(Some("auto"), "6000"), Ok(PortBase::Auto));
        assert_eq!(base(None, " 6000"), Ok(PortBase::Fixed(6_000)));
    }

    #[test]
    fn an_invalid_base_names_its_source_and_shows_only_the_text_of_an_option() {
        let refused = |from: &str| Err(format!("{from} is not a port number from 1 to 65535"));

        assert_eq!(base(Some("abc"), ""), refused("`-p abc`"));
        assert_eq!(base(Some(""), "6000"), refused("`-p `"));
        assert_eq!(base(None, "65536"), refused("`PORT` in the shell"));
    }
}
