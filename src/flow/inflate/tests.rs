//! Against zlib-rs, which reads the same streams by other means: what is whole, what is broken, and what comes of it.

use std::io::Write;
use std::ops::ControlFlow;

use flate2::{Compression, GzBuilder};
use proptest::prelude::*;

use super::*;

const MUCH: u64 = 1 << 30;

fn gzip(text: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::new(level));
    encoder
        .write_all(text)
        .and_then(|()| encoder.finish())
        .expect("writing to memory")
}

fn inflate(packed: &[u8], most: u64) -> Result<Vec<u8>, String> {
    let mut gunzip = Gunzip::default();
    let mut results = Vec::new();
    let mut places = Vec::new();
    // What is left of one object in memory must not matter to the next.
    for stretch in [usize::MAX, 100] {
        gunzip.stretch = stretch;
        let mut text = Vec::new();
        let given = gunzip.each_step(packed, None, most, |step| {
            match step {
                Step::Slice(slice) => text.extend_from_slice(slice),
                Step::Block(place) => places.push((text.len(), place.keep())),
            }
            Ok(ControlFlow::Continue(()))
        });
        results.push(given.map(|given| {
            assert_eq!(given, text.len() as u64);
            text
        }));
    }
    if let Ok(text) = &results[1] {
        // The last place again, from the middle of everything; and a few others.
        let some = places.len().div_ceil(8).max(1);
        for (begin, place) in places.iter().rev().step_by(some) {
            let mut rest = Vec::new();
            let given = gunzip.each_step(packed, Some(place), most, |step| {
                if let Step::Slice(slice) = step {
                    rest.extend_from_slice(slice);
                }
                Ok(ControlFlow::Continue(()))
            });
            assert_eq!(given.ok(), Some(rest.len() as u64));
            assert!(rest == text[*begin..], "from byte {begin}");
        }
    }
    let mut results = results
        .into_iter()
        .map(|result| result.map_err(|error| error.to_string()));
    let (first, second) = (results.next(), results.next());
    let (first, second) = first.zip(second).expect("it ran twice");
    // How much came out before it broke depends on the slices.
    let reason = |error: &String| error.rsplit(": ").next().map(str::to_owned);
    assert!(first.as_ref().map_err(reason) == second.as_ref().map_err(reason));
    first
}

fn twin(packed: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let mut reader = flate2::bufread::MultiGzDecoder::new(packed);
    reader.read_to_end(&mut text).ok().map(|_| text)
}

fn check(packed: &[u8]) {
    let found = inflate(packed, MUCH);
    let expected = twin(packed);
    assert!(
        found.as_ref().ok() == expected.as_ref(),
        "{:?} for {}",
        found.err(),
        expected.is_some()
    );
}

/// Pieces of text whose repetitions lie at all distances: near ones, ones beyond a slice, and none.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => (1_usize..40, prop::collection::vec(any::<u8>(), 1..40)).prop_map(|(times, some)| some.repeat(times)),
        2 => (1_usize..2_000, any::<u8>()).prop_map(|(times, byte)| vec![byte; times]),
        4 => (0_u32..1_000).prop_map(|number| format!("2 123456789010 eni-{number} 10.0.0.{} - - ACCEPT OK\n", number % 7).repeat(3).into_bytes()),
        1 => (any::<u64>(), 1_usize..70_000).prop_map(|(seed, length)| {
            let mut state = seed;
            let next = |_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (state >> 56) as u8
            };
            (0..length).map(next).collect()
        }),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| {
        let mut text: Vec<u8> = pieces.concat();
        if text.len() > 100 {
            // Once more, so that matches reach back as far as they may, and now and then beyond a slice.
            text.extend(text.clone());
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn what_was_packed_comes_out(texts in prop::collection::vec(text(), 1..4), level in 0_u32..10) {
        let packed: Vec<u8> = texts.iter().flat_map(|text| gzip(text, level)).collect();
        let found = inflate(&packed, MUCH).expect("it is whole");
        prop_assert!(found == texts.concat());
    }

    #[test]
    fn a_damaged_stream_is_read_as_its_twin_reads_it(text in text(), level in 0_u32..10, damage in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..=255), 0..3), cut in prop::option::of(any::<prop::sample::Index>())) {
        let mut packed = gzip(&text, level);
        for (place, bits) in damage {
            let place = place.index(packed.len());
            packed[place] ^= bits;
        }
        if let Some(cut) = cut {
            packed.truncate(cut.index(packed.len()));
        }
        check(&packed);
    }

    #[test]
    fn any_bits_are_read_as_their_twin_reads_them(head in 0_u8..8, bits in prop::collection::vec(any::<u8>(), 0..400)) {
        // A member of whatever follows, in a block of any kind. Nearly none has a right checksum, so both streams are
        // compared without one.
        let mut bits = bits;
        if let Some(first) = bits.first_mut() {
            *first = *first & !7 | head;
        }
        let mut found = Vec::new();
        let mut deflate = deflate::Deflate::default();
        deflate.begin(0);
        let mut window = vec![0; 1 << 16];
        let mut from = 0;
        let end = loop {
            match deflate.fill(&bits, &mut window, from, usize::MAX) {
                Err(_) => break None,
                Ok(until) => {
                    found.extend_from_slice(&window[from..until]);
                    if deflate.end().is_some() {
                        break deflate.end();
                    }
                    let kept = until.min(deflate::WINDOW);
                    window.copy_within(until - kept..until, 0);
                    from = kept;
                }
            }
        };
        let mut twin = flate2::bufread::DeflateDecoder::new(&bits[..]);
        let mut expected = Vec::new();
        match (twin.read_to_end(&mut expected), end) {
            (Ok(_), Some(end)) => {
                prop_assert!(found == expected);
                prop_assert_eq!(end as u64, twin.total_in());
            }
            (Err(_), None) => {}
            (expected, found) => prop_assert!(false, "{:?} for {:?}", found, expected),
        }
    }
}

/// Writes codes bit by bit, as RFC 1951 numbers them.
#[derive(Default)]
struct Bits(Vec<bool>);

impl Bits {
    /// A number, its lowest bit first.
    fn number(mut self, number: u32, bits: u32) -> Bits {
        self.0.extend((0..bits).map(|bit| number >> bit & 1 == 1));
        self
    }

    fn bytes(self) -> Vec<u8> {
        let byte = |bits: &[bool]| {
            bits.iter()
                .rev()
                .fold(0, |byte, bit| byte << 1 | u8::from(*bit))
        };
        self.0.chunks(8).map(byte).collect()
    }
}

/// A block with its own codes, of which the code lengths themselves are given, all with five bits.
fn block(litlens: u32, distances: u32, lengths: &[u32]) -> Bits {
    let mut bits = Bits::default().number(1, 1).number(2, 2);
    bits = bits
        .number(litlens - 257, 5)
        .number(distances - 1, 5)
        .number(15, 4);
    // Sixteen code lengths of four bits, in the order of the RFC: 16, 17, 18 have none.
    for symbol in [
        16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
    ] {
        bits = bits.number(if symbol < 16 { 4 } else { 0 }, 3);
    }
    for length in lengths {
        bits = bits.number(length.reverse_bits() >> 28, 4);
    }
    bits
}

#[test]
fn odd_codes_are_taken_or_refused_as_zlib_does() {
    let litlens = |with: &[(usize, u32)]| {
        let mut lengths = vec![0; 257];
        with.iter()
            .for_each(|(symbol, length)| lengths[*symbol] = *length);
        lengths
    };
    let cases = [
        // One code for the end alone, no distance: an empty text.
        (litlens(&[(256, 1)]), vec![0], "0"),
        // A literal and the end.
        (litlens(&[(65, 1), (256, 1)]), vec![0], "01"),
        // No end.
        (litlens(&[(65, 1), (66, 1)]), vec![0], "0"),
        // More codes than fit.
        (litlens(&[(65, 1), (66, 1), (256, 1)]), vec![0], "0"),
        // Codes of two bits, one of which is missing.
        (litlens(&[(65, 2), (66, 2), (256, 2)]), vec![0], "00"),
        // Codes of all lengths up to 15.
        (
            litlens(
                &(0..15)
                    .map(|place| (place, place as u32 + 1))
                    .chain([(256, 15)])
                    .collect::<Vec<_>>(),
            ),
            vec![1],
            "011111111111111",
        ),
        // One code of the end, and bits that are none.
        (litlens(&[(256, 1)]), vec![0], "1"),
    ];
    for (litlens, distances, codes) in cases {
        let lengths: Vec<u32> = litlens.into_iter().chain(distances).collect();
        let mut bits = block(257, 1, &lengths);
        bits.0.extend(codes.chars().map(|bit| bit == '1'));
        let bits = bits.bytes();
        let mut expected = Vec::new();
        let is_whole = flate2::bufread::DeflateDecoder::new(&bits[..])
            .read_to_end(&mut expected)
            .is_ok();
        let mut deflate = deflate::Deflate::default();
        deflate.begin(0);
        let mut window = vec![0; 1 << 16];
        let found = deflate.fill(&bits, &mut window, 0, usize::MAX);
        let ended = deflate.end().is_some();
        assert_eq!(
            found.is_ok() && ended,
            is_whole,
            "{lengths:?} {codes}: {found:?}"
        );
        if let (Ok(until), true) = (found, is_whole) {
            assert_eq!(window[..until], expected);
        }
    }
}

#[test]
fn headers_of_all_kinds_are_passed_over() {
    for kind in 0..16_u8 {
        let mut builder = GzBuilder::new();
        if kind & 1 != 0 {
            builder = builder.extra(vec![7; 300]);
        }
        if kind & 2 != 0 {
            builder = builder.filename("flow.log");
        }
        if kind & 4 != 0 {
            builder = builder.comment("of a day");
        }
        let mut encoder = builder.write(Vec::new(), Compression::default());
        encoder.write_all(b"text").expect("writing to memory");
        let mut packed = encoder.finish().expect("writing to memory");
        if kind & 8 != 0 {
            // A checksum of the header, which libraries do not write.
            packed[3] |= 2;
            let data = packed.len() - 8 - deflated(b"text").len();
            let sum = crc32fast::hash(&packed[..data]) as u16;
            packed.splice(data..data, sum.to_le_bytes());
        }
        assert_eq!(inflate(&packed, MUCH), Ok(b"text".to_vec()));
        check(&packed);
        for length in 0..packed.len() {
            check(&packed[..length]);
        }
    }
}

fn deflated(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), Compression::default());
    encoder
        .write_all(text)
        .and_then(|()| encoder.finish())
        .expect("writing to memory")
}

#[test]
fn the_limit_is_exact() {
    let text = vec![b'x'; 300_000];
    let packed = gzip(&text, 6);
    assert!(inflate(&packed, 300_000).is_ok_and(|found| found == text));
    assert_eq!(
        inflate(&packed, 299_999).expect_err("it is too much"),
        "expected at most 299999 bytes after decompression, got more"
    );
}

#[test]
fn why_an_object_is_broken_is_told() {
    let packed = gzip(b"some text\n", 6);
    let changed = |at: usize, bits: u8| {
        let mut packed = packed.clone();
        packed[at] ^= bits;
        inflate(&packed, MUCH).expect_err("it is broken")
    };
    let words = |offset: usize, reason: &str| {
        format!("broken gzip stream after {offset} decompressed bytes: {reason}")
    };
    let end = packed.len();
    assert_eq!(changed(end - 8, 1), words(10, "wrong checksum"));
    assert_eq!(changed(end - 1, 1), words(10, "wrong length"));
    assert_eq!(
        changed(2, 1),
        words(
            0,
            "expected the header of a gzip member, got something else"
        )
    );
    let cut = inflate(&packed[..end - 1], MUCH);
    assert_eq!(cut, Err(words(10, "it ends too early")));
    let behind = inflate(&[&packed[..], b"garbage"].concat(), MUCH);
    assert_eq!(behind, Err(words(10, "it ends too early")));
}
