//! The name of an app (S10.3).

use std::path::Path;

/// The longest name in characters.
const MAX_LEN: usize = 40;

/// The name if there is nothing to make one from.
const NAMELESS: &str = "app";

/// The name of the app with this root: the last part of the path in lower case, with a `-` for every character that is not
/// a letter or a digit of ASCII.
#[must_use]
pub fn app_name(root: &Path) -> String {
    let last = root.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let allowed = |character: char| if character.is_ascii_alphanumeric() { character } else { '-' };
    let name: String = last.chars().map(allowed).take(MAX_LEN).collect();
    if name.chars().all(|character| character == '-') { NAMELESS.to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_3_an_app_is_named_after_its_directory() {
        let name = |root: &str| app_name(Path::new(root));

        assert_eq!(name("/srv/My Shop_2"), "my-shop-2");
        assert_eq!(name("/srv/Größe"), "gr--e");
        assert_eq!(name(&format!("/{}", "x".repeat(50))), "x".repeat(40));
        for nameless in ["/", "", "/srv/___", "/srv/.."] {
            assert_eq!(name(nameless), "app", "{nameless}");
        }
    }
}
