//! Checks that no two types of `src` have the same name, so that a name in a message of the compiler, in a comment or in
//! a search means one thing.

use std::collections::BTreeMap;

use super::{Source, production_code, rust};

/// Names that tests alone define may occur again.
pub(super) fn repeated_types(tree: &[Source]) -> Vec<String> {
    let mut first: BTreeMap<String, String> = BTreeMap::new();
    let mut broken = Vec::new();
    for source in production_code(tree) {
        for token in types(&rust::without_tests(&rust::tokens(&source.text)).0) {
            let place = format!("{}:{}", source.path, token.line);
            match first.get(&token.text) {
                Some(other) => {
                    broken.push(source.at(token.line, &format!("`{}` is also a type at {other}", token.text)));
                }
                None => {
                    first.insert(token.text, place);
                }
            }
        }
    }
    broken
}

/// The names of the types that are defined here, without the associated types of traits.
fn types(tokens: &[rust::Token]) -> Vec<rust::Token> {
    let mut depth = 0_usize;
    let mut names = Vec::new();
    for pair in tokens.windows(2) {
        match pair[0].text.as_str() {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            "struct" | "enum" | "trait" | "union" => names.push(pair[1].clone()),
            "type" if depth == 0 => names.push(pair[1].clone()),
            _ => {}
        }
    }
    names.retain(|name| name.text.starts_with(char::is_uppercase));
    names
}

#[test]
fn two_types_of_one_name_are_found() {
    let source = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
    let place = source("src/a.rs", "\npub struct Place(u8);\nimpl Iterator for Place { type Item = u8; }");
    let other = "impl Iterator for X { type Item = u8; }\nmod m { enum Place { A } }";
    let only_in_a_test = "#[cfg(test)]\nmod tests {\n struct Place;\n}";

    let found = repeated_types(&[place.clone(), source("src/b.rs", other)]);

    assert_eq!(found, ["src/b.rs:2: `Place` is also a type at src/a.rs:2"]);
    assert_eq!(repeated_types(&[place.clone(), source("src/b.rs", "type Place = u8;")]).len(), 1);
    assert_eq!(repeated_types(&[place.clone(), source("src/b.rs", only_in_a_test)]), [""; 0]);
    assert_eq!(repeated_types(&[place, source("tests/it/b.rs", "struct Place;")]), [""; 0]);
}
