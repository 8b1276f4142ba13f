//! The page at the front door: all apps, each with its addresses (S16.7).

use std::fmt::Write;

use serde::Serialize;

use super::html::{Escaped, WithCode, document, link};
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
        let (web, others): (Vec<&str>, Vec<&str>) = types.partition(|process_type| *process_type == ProcessType::WEB);
        let web = web.first().map(|_| url(name, port));
        let others = others.iter().map(|process_type| url(&format!("{name}-{process_type}"), port));
        let urls = web.into_iter().chain(others);
        Self { name: name.to_owned(), state: state.to_owned(), root: root.to_owned(), urls: urls.collect() }
    }
}

/// The address of an app, or of a process type of one.
pub(super) fn url(name: &str, port: u16) -> String {
    format!("http://{}.localhost:{port}", name.replace('_', "-").to_ascii_lowercase())
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
            Some(name) => format!("No running app or process type is called `{name}`"),
            None => "Running apps".to_owned(),
        };
        if self.missing.is_some() {
            body.push_str("<p class=\"status\">404</p>\n");
        }
        let _ = writeln!(body, "<h1>{}</h1>", WithCode(&title));
        if self.apps.is_empty() {
            body.push_str("<p>No app is running. Start one from its directory:</p>\n<pre>dyno start</pre>\n");
            return document(&title, &body);
        }
        if self.missing.is_some() {
            body.push_str("<p>These are running:</p>\n");
        }
        body.push_str("<ul>\n");
        for app in &self.apps {
            let (name, state) = (Escaped(&app.name), Escaped(&app.state));
            let _ = writeln!(body, "<li><h2>{name} <span class=\"state {state}\">{state}</span></h2>");
            for url in &app.urls {
                let _ = writeln!(body, "<p>{}</p>", link(url));
            }
            let _ = writeln!(body, "<p class=\"root\"><code>{}</code></p></li>", Escaped(&app.root));
        }
        body.push_str("</ul>\n");
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
        let list = "<body>\n<h1>Running apps</h1>\n<ul>\n\
                    <li><h2>shop <span class=\"state up\">up</span></h2>\n\
                    <p><a href=\"http://shop.localhost:4900/\">http://shop.localhost:4900</a></p>\n\
                    <p><a href=\"http://shop-api.localhost:4900/\">http://shop-api.localhost:4900</a></p>\n\
                    <p><a href=\"http://shop-admin-ui.localhost:4900/\">http://shop-admin-ui.localhost:4900</a></p>\n\
                    <p class=\"root\"><code>/srv/&lt;shop&gt;</code></p></li>\n</ul>\n</body>";
        assert!(html.contains(list), "{html}");
    }

    #[test]
    fn s16_7_an_unknown_name_is_404_with_the_list() {
        let page = FrontDoorPage { missing: Some("<gone>".into()), apps: Vec::new() };

        assert_eq!(page.status(), 404);
        let html = page.html();
        let title = "<p class=\"status\">404</p>\n<h1>No running app or process type is called <code>&lt;gone&gt;</code></h1>\n";
        assert!(html.contains(&format!("{title}<p>No app is running.")), "{html}");
        assert_eq!(serde_json::to_string(&page).unwrap(), r#"{"missing":"<gone>","apps":[]}"#);
        let app = FrontDoorApp::new("shop", "up", "/srv/shop", 4900, std::iter::empty());
        let html = FrontDoorPage { apps: vec![app], ..page }.html();
        assert!(html.contains(&format!("{title}<p>These are running:</p>\n<ul>\n<li><h2>shop <")), "{html}");
    }
}
