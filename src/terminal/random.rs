//! Properties that hold for all output and all keys.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::model::PtySize;

/// Pieces from which output is made that programs and attackers write.
const PIECES: [&[u8]; 31] = [
    b"a",
    b"\xe4\xb8\xad",
    b"\xcc\x81",
    b"\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9",
    b"\xe2\x9d\xa4\xef\xb8\x8f",
    b"\xff",
    b"\r\n",
    b"\n",
    b"\r",
    b"\t",
    b"\x08",
    b"\x1b",
    b"\x1b[",
    b"\x1b[?1049h",
    b"\x1b[?1049l",
    b"\x1b[?47;1006h",
    b"\x1b[65535;65535H",
    b"\x1b[0;0H",
    b"\x1b[99999999999A",
    b"\x1b[2;3r",
    b"\x1b[9;1r",
    b"\x1b[?6h",
    b"\x1b[?7l",
    b"\x1b[65535@\x1b[65535P\x1b[65535X",
    b"\x1b[65535L\x1b[65535M\x1b[65535S\x1b[65535T",
    b"\x1b[J\x1b[1J\x1b[1K\x1bM\x1bD",
    b"\x1b7\x1b8\x1bc",
    b"\x1b]0;title",
    b"\x07",
    b"\x1b[38;2;1;2;3;48;5;300;4:3m",
    b"\x1b[>1u\x1b[<9u\x1b[>4;2m\x1b=\x1b[!p\x1b[3 q",
];

fn output() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => (0..PIECES.len()).prop_map(|at| PIECES[at].to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..20),
        1 => (1usize..6000).prop_map(|count| b"\x1b[2;2Hflood\r\n".repeat(count)),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

fn size() -> impl Strategy<Value = PtySize> {
    (0u16..8, 0u16..12).prop_map(|(rows, cols)| PtySize { rows, cols })
}

proptest! {
    // Drawing is slow, above all without optimisation.
    #![proptest_config(ProptestConfig { cases: (ProptestConfig::default().cases / 8).min(2000), ..ProptestConfig::default() })]

    #[test]
    fn s10_5_any_output_on_any_size_can_be_drawn(
        parts in prop::collection::vec((output(), size()), 1..6), first in size()
    ) {
        let mut record = ScreenRecord::new(first);
        for (at, (bytes, size)) in parts.iter().enumerate() {
            record.push(bytes);
            if at % 2 == 0 {
                record.resize(*size);
            }
            let text = record.text();
            prop_assert_eq!(text.rows.len(), usize::from(text.size.rows));
            record.redraw(at % 2 == 1);
        }
    }
}

proptest! {
    #[test]
    fn s10_5_modes_do_not_depend_on_where_the_output_is_cut(bytes in output(), cut in any::<prop::sample::Index>()) {
        let cut = cut.index(bytes.len() + 1);
        let (mut whole, mut parts) = (ScreenModes::default(), ScreenModes::default());
        whole.feed(&bytes);
        parts.feed(&bytes[..cut]);
        parts.feed(&bytes[cut..]);
        prop_assert_eq!(parts, whole);
    }

    #[test]
    fn s10_5_modes_can_always_be_set_again_and_unset(bytes in output()) {
        let (mut modes, mut again) = (ScreenModes::default(), ScreenModes::default());
        modes.feed(&bytes);
        // The sequence that has begun at the end is not part of the modes.
        modes.feed(b"\x18");
        again.feed(&modes.set());
        prop_assert_eq!(again.set(), modes.set());
        again.feed(&modes.unset());
        prop_assert_eq!(again, ScreenModes::default());
    }

    #[test]
    fn s10_5_what_is_kept_is_what_was_written(parts in prop::collection::vec(output(), 0..6)) {
        let mut record = ScreenRecord::new(PtySize { rows: 3, cols: 9 });
        let all = parts.concat();
        for part in &parts {
            record.push(part);
        }
        prop_assert_eq!(record.end(), all.len() as u64);
        let from = all.len().saturating_sub(64 << 10);
        let mut kept = Vec::new();
        prop_assert_eq!(record.after(from as u64, usize::MAX, &mut kept), Some(all.len() as u64));
        prop_assert_eq!(&kept[..], &all[from..]);
    }

    #[test]
    fn s10_5_no_key_is_lost_or_changed(
        presses in prop::collection::vec((prop::collection::vec(prop_oneof![Just(0x1cu8), Just(1), Just(2)], 0..4), 0u64..900), 0..8)
    ) {
        let mut reader = KeyReader::new(KeyTable::Attach("ctrl-a,ctrl-a,ctrl-b".parse().unwrap()));
        let (mut now, mut pressed, mut passed) = (Duration::ZERO, Vec::new(), Vec::new());
        for (keys, pause) in &presses {
            now += Duration::from_millis(*pause);
            let mut parts: Vec<KeyPart> = reader.expire(now).into_iter().collect();
            pressed.extend_from_slice(keys);
            parts.extend(reader.press(keys, now));
            for part in parts {
                match part {
                    KeyPart::Text(text) => passed.extend(text),
                    KeyPart::Interrupt => prop_assert!(false, "only with --focus"),
                    KeyPart::Detach => return Ok(()),
                }
            }
        }
        now += Duration::from_secs(1);
        if let Some(KeyPart::Text(text)) = reader.expire(now) {
            passed.extend(text);
        }
        prop_assert_eq!(passed, pressed);
    }

    #[test]
    fn s10_5_frames_arrive_as_they_were_sent_and_garbage_is_refused(
        keys in prop::collection::vec(any::<u8>(), 0..100), rows in any::<u16>(), cols in any::<u16>(),
        garbage in prop::collection::vec(any::<u8>(), 0..100), cut in any::<prop::sample::Index>()
    ) {
        let sent = [AttachFrame::Keys(keys), AttachFrame::Size(PtySize { rows, cols })];
        let mut bytes = Vec::new();
        for frame in &sent {
            frame.encode(&mut bytes);
        }
        let cut = cut.index(bytes.len() + 1);
        let mut decoder = FrameDecoder::default();
        let mut received = Vec::new();
        for part in [&bytes[..cut], &bytes[cut..]] {
            decoder.feed(part);
            while let Some(frame) = decoder.attach_frame().unwrap() {
                received.push(frame);
            }
        }
        prop_assert_eq!(&received[..], &sent[..]);
        decoder.feed(&garbage);
        while let Ok(Some(_)) = decoder.attach_frame() {}
    }
}

#[test]
fn s10_5_a_character_that_becomes_wide_in_the_last_column_can_be_drawn() {
    let heart = "\u{2764}\u{fe0f}";
    for (rows, cols, bytes) in [(24, 80, format!("\x1b[24;80H{heart}\x1b[23;80Hx")), (3, 1, heart.to_owned())] {
        for cut in 0..=bytes.len() {
            let mut record = ScreenRecord::new(PtySize { rows, cols });
            record.push(&bytes.as_bytes()[..cut]);
            record.text();
            record.push(&bytes.as_bytes()[cut..]);
            assert_eq!(record.text().rows.len(), usize::from(rows));
        }
    }
}

#[test]
fn s10_5_a_frame_that_is_too_long_is_refused_before_it_arrives() {
    let mut decoder = FrameDecoder::default();
    decoder.feed(&[b'k', 0xff, 0xff, 0xff, 0xff]);

    assert_eq!(decoder.attach_frame(), Err(InvalidFrame));
}

#[test]
fn s10_5_long_output_is_split_into_valid_frames() {
    let bytes = vec![b'x'; MAX_FRAME + 1];
    let mut sent = Vec::new();
    TerminalFrame::Output(bytes.clone()).encode(&mut sent);
    TerminalFrame::RunEnded("ended".to_owned()).encode(&mut sent);
    let mut decoder = FrameDecoder::default();
    decoder.feed(&sent);

    let mut received = Vec::new();
    while let Ok(Some(TerminalFrame::Output(part))) = decoder.terminal_frame() {
        received.extend(part);
    }

    assert_eq!(received, bytes);
}
