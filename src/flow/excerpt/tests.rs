//! What is read again line by line is what the object says there.

use std::io::Write;

use proptest::prelude::*;

use super::*;
use crate::flow::{Input, decode};

/// Takes records as their line and what their fields say, of the lines that are wanted.
#[derive(Default)]
struct Records {
    wanted: Option<Vec<u32>>,
    found: Vec<(u64, Record, String)>,
    malformed: Vec<u64>,
}

impl RecordSink for Records {
    fn record(&mut self, record: &Record, fields: &impl Fields) {
        let texts = [Field::InterfaceId, Field::LogStatus].map(|field| {
            let text = fields.readable(field);
            text.unwrap_or_default().into_owned()
        });
        let mut all = texts.join(" ");
        fields.extra(&mut |name, text| {
            all += &format!(" {name}={}", String::from_utf8_lossy(text));
        });
        self.found.push((record.line, *record, all));
    }

    fn wants_line(&self, line: u64) -> bool {
        let wanted = self.wanted.as_ref();
        wanted.is_none_or(|wanted| wanted.binary_search(&(line as u32)).is_ok())
    }

    fn status(&mut self, _record: &Record, _skip: bool, _fields: &impl Fields) {}

    fn malformed(&mut self, line: u64, _why: &MalformedLine, _text: &[u8]) {
        self.malformed.push(line);
    }

    fn unverified(&mut self) {}
}

const HEADER: &str = "version interface-id srcaddr dstaddr srcport dstport protocol start end action log-status what-else";

/// A line of a log: a record, mostly.
fn line(number: usize, kind: u8) -> String {
    let row = |space: &str, end: &str| {
        let port = 1024 + number % 60_000;
        let words = format!(
            "5 eni-{} 10.0.0.1 10.0.1.2 {port} 443 6 1772002800 1772002860 REJECT OK note-{number}",
            number % 7
        );
        words.replace(' ', space) + end
    };
    match kind {
        0 => String::new(),
        1 => "5 eni-1 too short".to_owned(),
        2 => row("  ", "\r"),
        3 => row(" ", &"x".repeat(300)),
        _ => row(" ", ""),
    }
}

/// Members of these texts, in blocks of a few kilobytes.
fn gzip(texts: &[&str]) -> Bytes {
    let members = texts.iter().flat_map(|text| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        for some in text.as_bytes().chunks(3_000) {
            encoder.write_all(some).expect("memory");
            encoder.flush().expect("memory");
        }
        encoder.finish().expect("memory")
    });
    members.collect()
}

fn marked() -> DecodeOptions {
    DecodeOptions {
        max_marks: usize::MAX,
        ..DecodeOptions::default()
    }
}

/// A scratch whose marks are a few kilobytes apart.
fn scratch() -> Scratch {
    let mut scratch = Scratch::default();
    scratch.gunzip.stretch = 5_000;
    scratch
}

/// All records of an object, and its marks.
fn read(packed: &Bytes, scratch: &mut Scratch) -> (Records, Option<Marks>) {
    let mut all = Records::default();
    let decoded = decode(Input::Bytes(packed), &marked(), scratch, &mut all).expect("whole");
    (all, decoded.marks)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn lines_that_are_read_again_say_the_same(
        kinds in prop::collection::vec(0u8..20, 1..3_000),
        cut in 0.0..1.0,
        picks in prop::collection::vec(0.0..1.0, 0..12),
        ends in any::<bool>(),
    ) {
        let lines: Vec<String> = std::iter::once(HEADER.to_owned())
            .chain(kinds.iter().enumerate().map(|(number, kind)| line(number, *kind)))
            .collect();
        let mut text = lines.join("\n");
        if ends {
            text.push('\n');
        }
        let cut = (text.len() as f64 * cut) as usize;
        let packed = gzip(&[&text[..cut], &text[cut..]]);
        let mut scratch = scratch();
        let (all, marks) = read(&packed, &mut scratch);
        let marks = marks.expect("a header, and lines below it");
        prop_assert!(marks.marks.len() + 3 > text.len() / 9_000);

        let mut wanted: Vec<u32> = picks
            .iter()
            .map(|pick| (lines.len() as f64 * pick) as u32 + 1)
            // A line that says something.
            .filter(|line| !lines[*line as usize - 1].is_empty())
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        prop_assert!((0.0..=1.0).contains(&marks.share(&wanted)));
        let mut again = Records::default();
        let is_same = marks.decode(&packed, &wanted, HEADER, &marked(), &mut scratch, &mut again);
        prop_assert!(is_same.expect("such lines"));
        let is_wanted = |line: &u64| wanted.binary_search(&(*line as u32)).is_ok();
        let expected: Vec<_> = all.found.into_iter().filter(|(line, ..)| is_wanted(line)).collect();
        prop_assert_eq!(&again.found, &expected);
        let malformed: Vec<u64> = all.malformed.into_iter().filter(is_wanted).collect();
        prop_assert_eq!(again.malformed, malformed);

        // Half of what was read, by lines of the object.
        let mut excerpt = Excerpt::default();
        wanted.iter().for_each(|line| excerpt.push(*line, lines[*line as usize - 1].as_bytes()));
        prop_assert_eq!(excerpt.lines(), &wanted);
        let half: Vec<u32> = wanted.iter().copied().step_by(2).collect();
        let mut some = Records { wanted: Some(half.clone()), ..Records::default() };
        excerpt.decode(HEADER, &marked(), &mut scratch, &mut some).expect("decoded");
        let is_in_half = |(line, ..): &(u64, Record, String)| half.contains(&(*line as u32));
        let expected: Vec<_> = again.found.into_iter().filter(is_in_half).collect();
        // Rows that the fast path does not know come whatever is wanted.
        some.found.retain(is_in_half);
        prop_assert_eq!(some.found, expected);
    }
}

fn rows(count: usize) -> String {
    (0..count).map(|number| line(number, 9) + "\n").collect()
}

#[test]
fn another_object_is_not_taken_for_the_one_that_was_read() {
    let text = format!("{HEADER}\n{}", rows(500));
    let (packed, other) = (gzip(&[&text]), gzip(&[&text.replace("443", "444")]));
    let mut scratch = scratch();
    let marks = read(&packed, &mut scratch).1.expect("regular");
    let mut lines = |object: &Bytes, lines: &[u32]| {
        let mut found = Records::default();
        let decoded = marks.decode(object, lines, HEADER, &marked(), &mut scratch, &mut found);
        let found: Vec<u64> = found.found.iter().map(|(line, ..)| *line).collect();
        (decoded.map_err(|error| error.to_string()), found)
    };
    assert_eq!(lines(&packed, &[3, 400]), (Ok(true), vec![3, 400]));
    assert_eq!(lines(&other, &[3, 400]), (Ok(false), vec![]));
    // Nor are lines that are not there.
    assert!(lines(&packed, &[400, 600]).0.is_err());
}

#[test]
fn what_is_read_again_takes_little_memory() {
    // A line behind many blanks, and many lines.
    let text = format!("{HEADER}\n{}{}", " ".repeat(3 << 20), rows(20_000));
    let packed = gzip(&[&text]);
    let mut scratch = scratch();
    let (all, marks) = read(&packed, &mut scratch);
    let wanted: Vec<u32> = (2..20_002).collect();
    let mut again = Records::default();
    let marks = marks.expect("regular");
    let decoded = marks.decode(
        &packed,
        &wanted,
        HEADER,
        &marked(),
        &mut scratch,
        &mut again,
    );
    assert!(decoded.expect("read") && again.found == all.found);

    let mut picker = Picker {
        wanted: &wanted,
        line: 1,
        begun: Vec::new(),
        most: 1 << 20,
        excerpt: Excerpt::default(),
    };
    picker.take(format!("{HEADER}\n").as_bytes());
    for _ in 0..8 {
        picker.take(&[b' '; 1 << 20]);
        assert_eq!(picker.begun.capacity(), 0);
    }
    for _ in 0..8 {
        picker.take(&[b'x'; 1 << 20]);
        assert!(picker.begun.capacity() <= 2 << 20);
    }

    let mut few = Excerpt::default();
    few.push(2, line(1, 9).as_bytes());
    assert!(few.memory() < 8 << 10);
}

#[test]
fn objects_whose_rows_are_not_their_lines_have_no_marks() {
    let rows = rows(300);
    let wrapped: String = (0..300)
        .map(|number| format!("{{\"message\":\"{}\"}}\n", line(number, 9)))
        .collect();
    let other = HEADER.replace("srcport dstport", "dstport srcport");
    let default =
        "2 123456789012 eni-1 10.0.0.1 10.0.1.2 40000 443 6 1 40 1772002800 1772002860 REJECT OK\n";
    for (text, is_regular) in [
        (format!("{HEADER}\n{rows}"), true),
        (format!("\n{HEADER}\n\n{rows}"), true),
        (format!("{HEADER}\n{rows}{wrapped}"), false),
        (format!("{HEADER}\n{rows}{other}\n{rows}"), false),
        (format!("{HEADER}\n{rows}{HEADER}\n{rows}"), false),
        (default.repeat(300), false),
        (format!("{}{HEADER}\n{rows}", default.repeat(3)), false),
    ] {
        let (_, marks) = read(&gzip(&[&text]), &mut scratch());
        assert_eq!(marks.is_some(), is_regular, "{}", &text[..200]);
    }
    let few = DecodeOptions {
        max_marks: 50_000,
        ..DecodeOptions::default()
    };
    for (count, has_marks) in [(100, true), (3_000, false)] {
        let packed = gzip(&[&format!("{HEADER}\n{}", self::rows(count))]);
        let decoded = decode(
            Input::Bytes(&packed),
            &few,
            &mut scratch(),
            &mut Records::default(),
        );
        assert_eq!(decoded.expect("whole").marks.is_some(), has_marks);
    }
    let plain = Bytes::from(format!("{HEADER}\n{rows}"));
    assert!(read(&plain, &mut scratch()).1.is_none());
}
