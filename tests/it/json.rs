//! `--log-format json` (S7.3): each line is one valid object, whatever the bytes are, and no byte is lost.

use serde_json::Value;

use crate::harness::{App, Ended, Finished};

/// Random bytes, the same ones each time. Most lines are short; one is too long for a single log line.
fn garbage() -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut noise = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    });
    let mut bytes: Vec<u8> = noise.by_ref().take(300_000).collect();
    bytes.extend(noise.filter(|byte| *byte != b'\n').take(200_000));
    bytes.extend(
        b"\n\"quoted\" \\ {\"a\": [1]} \x1b[31mred\x1b[0m \xe2\x82\xac \xf0\x9f\x98\x80 \xc2\x9b \x7f\0\t\r.\r\n\n",
    );
    bytes.extend(b"no end of line \xff");
    bytes
}

/// The objects of all lines. Asserts that each has the expected keys and no others.
fn objects(finished: &Finished) -> Vec<Value> {
    let lines = finished.stdout.strip_suffix(b"\n").unwrap().split(|byte| *byte == b'\n');
    let objects: Vec<Value> = lines.map(|line| serde_json::from_slice(line).unwrap()).collect();
    for object in &objects {
        let keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
        let source = object["source"].as_str().unwrap();
        assert!(["app", "dyno", "system"].contains(&source), "{object}");
        assert_eq!(keys.contains(&"dyno"), source != "system", "{object}");
        let known = ["time", "source", "dyno", "message", "message_base64", "continued"];
        assert!(keys.iter().all(|key| known.contains(key)), "{object}");
        let time = object["time"].as_str().unwrap();
        assert!(time.len() == 27 && time.ends_with('Z'), "{object}");
    }
    objects
}

fn from_base64(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    for group in text.as_bytes().chunks(4) {
        let value = |letter: &u8| LETTERS.iter().position(|known| known == letter).unwrap_or(0);
        let bits = group.iter().fold(0, |bits, letter| bits << 6 | value(letter));
        let count = 3 - std::str::from_utf8(group).unwrap().matches('=').count();
        bytes.extend(&u32::try_from(bits).unwrap().to_be_bytes()[1..=count]);
    }
    bytes
}

/// The bytes of the line in an object.
fn bytes_of(object: &Value) -> Vec<u8> {
    match object.get("message_base64") {
        Some(encoded) => from_base64(encoded.as_str().unwrap()),
        None => object["message"].as_str().unwrap().as_bytes().to_vec(),
    }
}

#[test]
fn s7_3_each_line_is_one_object_and_any_bytes_are_recoverable() {
    let app = App::new("web: cat garbage\n").file("garbage", garbage());

    let finished = app.dyno(["start", "--log-format", "json", "--pty", "never"]).run();

    finished.expect_end(Ended::Code(0));
    let objects = objects(&finished);
    let mut seen = Vec::new();
    for object in objects.iter().filter(|object| object["source"] == "app") {
        if object.get("continued").is_some() {
            assert_eq!(seen.pop(), Some(b'\n'), "{object}");
        }
        seen.extend(bytes_of(object));
        seen.push(b'\n');
    }
    // `\r\n` becomes `\n` (S7.6).
    let mut expected = garbage();
    expected.push(b'\n');
    let expected =
        expected.iter().enumerate().filter(|(at, byte)| **byte != b'\r' || expected.get(at + 1) != Some(&b'\n'));
    assert!(seen.iter().eq(expected.map(|(_, byte)| byte)));
    let notices: Vec<&Value> = objects.iter().filter(|object| object["source"] == "dyno").collect();
    assert_eq!(notices.last().unwrap()["message"], "exited with code 0");
}

#[test]
fn s7_3_notices_are_objects_with_the_words_of_the_text_format() {
    let app = App::new("release: echo migrated\nweb: exit 3\n");

    let finished = app.dyno(["start", "--log-format", "json"]).run();

    finished.expect_end(Ended::Code(3));
    let summary = |object: &Value| {
        let message = object["message"].as_str().unwrap();
        let message = if message.starts_with("started with pid ") { "started with pid PID" } else { message };
        let dyno = object.get("dyno").map_or("-", |dyno| dyno.as_str().unwrap());
        format!("{} {dyno} {message}", object["source"].as_str().unwrap())
    };
    assert_eq!(
        objects(&finished).iter().map(summary).collect::<Vec<_>>(),
        [
            "dyno release.1 started with pid PID",
            "app release.1 migrated",
            "dyno release.1 exited with code 0",
            "dyno web.1 started with pid PID",
            "dyno web.1 exited with code 3",
        ]
    );
}

#[test]
fn s7_3_with_heroku_the_json_format_stays_json() {
    let app = App::new("worker: echo hi; exit 3\n");

    let finished = app.dyno(["start", "--heroku", "--no-router", "--max-restarts", "0", "--log-format", "json"]).run();

    finished.expect_end(Ended::Code(3));
    let objects = objects(&finished);
    assert_eq!(objects.last().unwrap()["message"], "crashed: not restarted");
    assert!(objects.iter().any(|object| object["message"] == "hi" && object["dyno"] == "worker.1"));
}

#[test]
fn an_unknown_log_format_lists_the_known_ones() {
    let app = App::new("web: touch started\n");

    let finished = app.dyno(["start", "--log-format", "xml"]).run();

    finished.expect(
        Ended::Code(2),
        "",
        "error: `xml` is not a valid value for `--log-format`\n\nhint: write `text`, `heroku` or `json`\n",
    );
    assert!(!app.has("started"));
}
