//! Any way of cutting a text, and any kernel, gives the same records.

use super::*;
use crate::flow::{Field, Fields, Layout, MalformedLine};
use proptest::prelude::*;

/// Writes down all that it is handed.
#[derive(Default)]
struct Log(Vec<String>);

impl Log {
    fn write(&mut self, word: &str, record: &Record, fields: &impl Fields) {
        let text = |field| fields.text(field).map(String::from_utf8_lossy);
        let mut extra = String::new();
        fields.extra(&mut |name, text| {
            extra += &format!(" {name}={}", String::from_utf8_lossy(text))
        });
        self.0.push(format!(
            "{word} {record:?} {:?} {:?}{extra}",
            text(Field::InterfaceId),
            text(Field::VpcId)
        ));
    }
}

impl RecordSink for Log {
    fn record(&mut self, record: &Record, fields: &impl Fields) {
        self.write("record", record, fields);
    }

    fn status(&mut self, record: &Record, skip: bool, fields: &impl Fields) {
        self.write(if skip { "skip" } else { "none" }, record, fields);
    }

    fn malformed(&mut self, line: u64, why: &MalformedLine, text: &[u8]) {
        self.0.push(format!(
            "malformed {line} {why} {}",
            String::from_utf8_lossy(text)
        ));
    }

    fn unverified(&mut self) {
        self.0.push("unverified".to_owned());
    }
}

/// Decodes a text that is cut into pieces of these lengths, over and over.
fn decode(
    text: &[u8],
    cuts: &[usize],
    kernel: Kernel,
    options: &DecodeOptions,
) -> (Vec<String>, String) {
    let (mut scratch, mut log) = (TextScratch::default(), Log::default());
    let mut decoder = TextDecoder::new(options, &mut scratch);
    decoder.kernel = kernel;
    let (mut rest, mut next) = (text, 0);
    let mut result = Ok(());
    while !rest.is_empty() && result.is_ok() {
        let (piece, behind) = rest.split_at(cuts[next % cuts.len()].min(rest.len()));
        result = decoder.push(piece, &mut log);
        (rest, next) = (behind, next + 1);
    }
    let decoded = match result.and_then(|()| decoder.finish(&mut log)) {
        Ok(decoded) => decoded,
        Err(error) => {
            assert!(log.0.is_empty(), "handed on before an error: {:?}", log.0);
            return (Vec::new(), error.to_string());
        }
    };
    assert!(decoded.tally.adds_up(), "{:?}", decoded.tally);
    let malformed = log
        .0
        .iter()
        .filter(|line| line.starts_with("malformed"))
        .count();
    assert_eq!(malformed as u64, decoded.tally.malformed);
    (log.0, format!("{decoded:?}"))
}

fn small_lines() -> DecodeOptions {
    DecodeOptions {
        max_line: 160,
        ..DecodeOptions::default()
    }
}

/// Any cut, any kernel and any block length must give the same as the whole at once.
fn check_cuts(text: &[u8], cuts: &[usize], options: &DecodeOptions) {
    let whole = decode(text, &[usize::MAX], Kernel::detect(), options);
    let all = Kernel::all().into_iter().map(|kernel| (kernel, cuts));
    for (kernel, cuts) in all.chain([(Kernel::Portable, &[1][..])]) {
        let (log, decoded) = decode(text, cuts, kernel, options);
        if let Some(at) =
            (0..log.len().max(whole.0.len())).find(|at| log.get(*at) != whole.0.get(*at))
        {
            let shown = |log: &[String]| {
                log.get(at)
                    .map(|line| line.chars().take(300).collect::<String>())
            };
            panic!(
                "cut {cuts:?}: {:?} is not {:?}",
                shown(&log),
                shown(&whole.0)
            );
        }
        assert_eq!(decoded, whole.1);
    }
}

const LINES: &[&str] = &[
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status",
    "version vpc-id srcaddr dstaddr srcport dstport protocol packets bytes start end shiny action log-status",
    "srcaddr vpc-id dstaddr",
    "2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK",
    "2 123456789010 eni-1235b8ca123456789 172.31.9.69 172.31.9.12 49761 3389 6 20 4249 1418530010 1418530070 REJECT OK",
    "2 123456789010 eni-1235b8ca123456789 - - - - - - - 1431280876 1431280934 - NODATA",
    "2 123456789010 eni-11111111aaaaaaaaa - - - - - - - 1431280876 1431280934 - SKIPDATA",
    "2 123456789010 eni-1235b8ca123456789 2001:db8:1234:a100:8d6e:3477:df66:f105 2001:db8:1234:a102:3304:8879:34cf:4071 34892 22 6 54 8855 1477913708 1477913820 ACCEPT OK",
    "2 vpc-0abc 10.0.0.1 10.0.0.2 443 50000 6 1 40 1477913708 1477913820 new ACCEPT OK",
    "10.0.0.1 vpc-0abc 10.0.0.2",
    "2  123456789010 eni-0  10.0.0.1 10.0.0.2 0 0 1 4 336 1432917027 1432917142 ACCEPT OK ",
    "2 123456789010 eni-0 10.0.0.1 10.0.0.2 x 0 1 4 336 1432917027 1432917142 ACCEPT OK",
    "2 12345\u{0}789010 eni-\u{fffd} 10.0.0.1 10.0.0.2 1 0 17 4 336 1432917027 1432917142 ACCEPT OK",
    "2014-12-14T04:06:50.000Z 2 1 eni-0 10.0.0.1 10.0.0.2 1 2 6 20 4249 1418530010 1418530070 ACCEPT OK",
    r#"{"message":"2 1 eni-0 10.0.0.1 10.0.0.2 1 2 6 20 4249 1418530010 1418530070 ACCEPT OK"}"#,
    r#"{"messageType":"CONTROL_MESSAGE","logEvents":[{"id":"","timestamp":1,"message":"CWL CONTROL MESSAGE"}]}"#,
    r#"{"logEvents":[{"message":"2 1 eni-0 - - - - - - - 1418530010 1418530070 - NODATA"},{"message":"x"}]}"#,
    r#"{"message":"{}}"#,
    "{}",
    "",
    " \t",
    "garbage",
];

fn texts() -> impl Strategy<Value = Vec<u8>> {
    let end = prop_oneof![6 => Just("\n"), 1 => Just("\r\n"), 1 => Just(""), 1 => Just(" \n"), 1 => Just("\n\n")];
    let line = prop_oneof![
        8 => prop::sample::select(LINES).prop_map(|line| line.as_bytes().to_vec()),
        4 => Just(LINES[3].as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => (100..2000_usize).prop_map(|length| vec![b'y'; length]),
    ];
    let lines = prop::collection::vec((line, end), 0..30);
    (prop::bool::ANY, lines).prop_map(|(header, lines)| {
        let mut text = if header {
            format!("{}\n", LINES[0]).into_bytes()
        } else {
            Vec::new()
        };
        for (line, end) in lines {
            text.extend_from_slice(&line);
            text.extend_from_slice(end.as_bytes());
        }
        text
    })
}

proptest! {
    #[test]
    fn any_cut_gives_the_same(text in texts(), cuts in prop::collection::vec(1..300_usize, 1..5)) {
        check_cuts(&text, &cuts, &DecodeOptions::default());
        check_cuts(&text, &cuts, &small_lines());
    }

    #[test]
    fn random_bytes_add_up(text in prop::collection::vec(any::<u8>(), 0..400), cuts in prop::collection::vec(1..50_usize, 1..4)) {
        check_cuts(&text, &cuts, &small_lines());
        let options = DecodeOptions { layout: Some(Arc::new(Layout::default_format())), ..small_lines() };
        check_cuts(&text, &cuts, &options);
    }
}

#[test]
fn a_line_of_100_mb_is_malformed_and_not_buffered() {
    let (options, mut scratch, mut log) = (
        DecodeOptions::default(),
        TextScratch::default(),
        Log::default(),
    );
    let mut decoder = TextDecoder::new(&options, &mut scratch);
    let push = |decoder: &mut TextDecoder<'_>, text: &[u8], log: &mut Log| {
        decoder.push(text, log).expect("has a layout")
    };
    push(&mut decoder, format!("{}\n", LINES[0]).as_bytes(), &mut log);
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..100 {
        push(&mut decoder, &piece, &mut log);
        assert!(decoder.scratch.partial.capacity() <= 2 << 20);
    }
    push(
        &mut decoder,
        format!("\n{}\n", LINES[3]).as_bytes(),
        &mut log,
    );
    let tally = decoder.finish(&mut log).expect("has a layout").tally;
    assert_eq!(
        (tally.lines, tally.headers, tally.malformed, tally.records),
        (3, 1, 1, 1)
    );
    assert!(
        log.0[0].starts_with("malformed 2 expected a line of at most 1048576 bytes, got more xxx")
    );
    assert!(log.0[0].len() < 70_000);
}
