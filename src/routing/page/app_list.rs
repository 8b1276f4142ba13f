//! The page at the front door: all apps, each with its addresses (S16.7).

use std::fmt::Write;

use serde::Serialize;

use super::html::{Escaped, document};
use crate::model::ProcessType;

/// The list of the apps that run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FrontDoorPage {
    /// The name that the client asked for, if no app has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    /// The apps.
    pub apps: Vec<FrontDoorApp>,
}

/// One app of the list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FrontDoorApp {
    /// Its name.
    pub name: String,
    /// Its state, as in `dyno ls`.
    pub state: String,
    /// Its directory.
    pub root: String,
    /// The addresses of its process types that listen, that of `web` first.
    pub urls: Vec<String>,
}

impl FrontDoorApp {
    /// An app with the addresses that it has at a front door on this port.
    #[must_use]
    pub fn new<'a>(name: &str, state: &str, root: &str, port: u16, types: impl Iterator<Item = &'a str>) -> Self {
        let url = |label: &str| format!("http://{}.localhost:{port}", label.replace('_', "-").to_ascii_lowercase());
        let (web, others): (Vec<&str>, Vec<&str>) = types.partition(|process_type| *process_type == ProcessType::WEB);
        let web = web.first().map(|_| url(name));
        let urls = web.into_iter().chain(others.iter().map(|process_type| url(&format!("{name}-{process_type}"))));
        Self { name: name.to_owned(), state: state.to_owned(), root: root.to_owned(), urls: urls.collect() }
    }
}

impl FrontDoorPage {
    /// The status: 404 if an app is missing.
    #[must_use]
    pub fn status(&self) -> u16 {
        if self.missing.is_some() { 404 } else { 200 }
    }

    /// The page for a person.
    #[must_use]
    pub fn html(&self) -> String {
        let mut body = String::new();
        let title = match &self.missing {
            Some(name) => format!("No running app or process type is called {name}"),
            None => "Running apps".to_owned(),
        };
        let _ = writeln!(body, "<h1>{}</h1>", Escaped(&title));
        if self.apps.is_empty() {
            body.push_str("<p>No app is running. Start one from its directory:</p>\n<pre>dyno start</pre>\n");
        } else {
            body.push_str("<dl>\n");
            for app in &self.apps {
                let _ = writeln!(body, "<dt>{}</dt>\n<dd>{}</dd>", Escaped(&app.name), Escaped(&app.state));
                for url in &app.urls {
                    let _ = writeln!(body, "<dd><a href=\"{0}/\">{0}</a></dd>", Escaped(url));
                }
                let _ = writeln!(body, "<dd class=\"code\">{}</dd>", Escaped(&app.root));
            }
            body.push_str("</dl>\n");
        }
        document(&title, &body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s16_7_the_front_door_lists_all_apps_with_links() {
        let shop = FrontDoorApp::new("shop", "up", "/srv/<shop>", 4900, ["api", "web", "Admin_UI"].into_iter());
        let page = FrontDoorPage { missing: None, apps: vec![shop] };

        assert_eq!(page.status(), 200);
        let html = page.html();
        let list = "<h1>Running apps</h1>\n<dl>\n<dt>shop</dt>\n<dd>up</dd>\n\
                    <dd><a href=\"http://shop.localhost:4900/\">http://shop.localhost:4900</a></dd>\n\
                    <dd><a href=\"http://shop-api.localhost:4900/\">http://shop-api.localhost:4900</a></dd>\n\
                    <dd><a href=\"http://shop-admin-ui.localhost:4900/\">http://shop-admin-ui.localhost:4900</a></dd>\n\
                    <dd class=\"code\">/srv/&lt;shop&gt;</dd>\n</dl>\n";
        assert!(html.contains(list), "{html}");
    }

    #[test]
    fn s16_7_an_unknown_name_is_404_with_the_list() {
        let page = FrontDoorPage { missing: Some("<gone>".into()), apps: Vec::new() };

        assert_eq!(page.status(), 404);
        let html = page.html();
        assert!(
            html.contains("<h1>No running app or process type is called &lt;gone&gt;</h1>\n<p>No app is running."),
            "{html}"
        );
        assert_eq!(serde_json::to_string(&page).unwrap(), r#"{"missing":"<gone>","apps":[]}"#);
    }
}
