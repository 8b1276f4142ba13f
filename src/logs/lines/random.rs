//! Any bytes, reads and pauses: nothing waits forever, log files get every byte, and plain text is unchanged.

use proptest::prelude::*;

use super::tests::Run;

/// The next thing that happens on the stream.
#[derive(Debug, Clone)]
enum Step {
    Bytes(Vec<u8>),
    Pause,
    KeepWriting,
    LeaderExits,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let byte = prop_oneof![
        4 => prop::sample::select(&b"\x1b\x1b[[?;0123459ABGHJKhlm\n\n\n\r\x08\xc3\xa9ab "[..]),
        1 => any::<u8>(),
    ];
    let step = prop_oneof![
        4 => prop::collection::vec(byte, 0..40).prop_map(Step::Bytes),
        1 => Just(Step::Pause),
        1 => Just(Step::KeepWriting),
        1 => Just(Step::LeaderExits),
    ];
    prop::collection::vec(step, 0..12)
}

fn runs() -> impl Strategy<Value = fn() -> Run> {
    prop::sample::select(vec![|| Run::on_terminal(5, 20), Run::on_pipe as fn() -> Run])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.clamp(500, 20_000), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_waits_forever_and_log_files_get_every_byte(run in runs(), steps in steps()) {
        // Line ends differ: a pause cuts a line, and `\r\n` becomes `\n`.
        let kept = |bytes: &[u8]| -> Vec<u8> { bytes.iter().copied().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect() };
        let mut run = run();
        let mut all = Vec::new();
        for step in steps {
            match step {
                Step::Bytes(bytes) => {
                    run.write_bytes(&bytes);
                    all.extend(bytes);
                }
                Step::Pause => {
                    run.flush(true);
                    prop_assert_eq!(run.lines.patience(), None, "{:?}", all);
                }
                Step::KeepWriting => run.keep_writing(),
                Step::LeaderExits => {
                    run.flush_all();
                    prop_assert_eq!(run.lines.patience(), None, "{:?}", all);
                    prop_assert_eq!(kept(&run.files), kept(&all));
                }
            }
        }

        let files = run.into_file_bytes();

        prop_assert_eq!(kept(&files), kept(&all));
    }

    #[test]
    fn text_without_control_characters_is_unchanged(
        lines in prop::collection::vec("[a-z \té漢]{0,30}", 0..30),
        read in 1_usize..60,
        run in runs(),
    ) {
        let mut run = run();
        let text: String = lines.iter().map(|line| line.clone() + "\n").collect();
        for part in text.as_bytes().chunks(read) {
            run.write_bytes(part);
        }

        prop_assert_eq!(run.end(), lines);
    }
}
