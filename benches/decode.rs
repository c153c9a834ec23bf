//! How fast bytes become records, step by step: `cargo bench --bench decode`.
//!
//! One input, 100 000 version 5 records with 29 fields, of which one in twenty is IPv6; each benchmark adds a step to
//! the one before: inflating alone, seams alone, seams and records, all of it.

use std::io::Write;
use std::sync::LazyLock;

use bytes::Bytes;
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use tidegate::flow::positions::{Kernel, Seams};
use tidegate::flow::{
    DecodeOptions, Field, Fields, Input, MalformedLine, Record, RecordSink, Scratch, decode,
};

const RECORDS: usize = 100_000;

/// What a block of text is when an object is decoded.
const BLOCK: usize = 64 << 10;

static TEXT: LazyLock<Bytes> = LazyLock::new(|| text().into());
static PACKED: LazyLock<Bytes> = LazyLock::new(|| {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&TEXT).expect("writing to memory");
    encoder.finish().expect("writing to memory").into()
});

fn main() {
    divan::main();
}

/// Traffic of 40 interfaces with a few hundred peers, both directions in turn.
fn text() -> Vec<u8> {
    let mut out = b"version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr region az-id sublocation-type sublocation-id pkt-src-aws-service pkt-dst-aws-service flow-direction traffic-path\n".to_vec();
    let mut state = 7_u64;
    let mut below = |limit: u64| {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 33) % limit
    };
    for _ in 0..RECORDS {
        let (host, peer) = (below(40), below(400));
        let inside = format!("10.0.{}.{}", host % 7, host * 5);
        let outside = match below(20) {
            0 => format!("2001:db8:{peer:x}::{host:x}"),
            1..=4 => format!("52.{}.{}.{}", below(256), peer % 256, below(256)),
            _ => format!("10.0.{}.{}", peer % 96, below(256)),
        };
        let egress = below(2) == 0;
        let (source, target) = if egress {
            (&inside, &outside)
        } else {
            (&outside, &inside)
        };
        let (service, path) = match (egress, below(10)) {
            (true, 0) => ("AMAZON", "8"),
            (true, _) => ("-", "1"),
            (false, _) => ("-", "-"),
        };
        let (client, server) = (1024 + below(60_000), [443, 5432, 8443][below(3) as usize]);
        let (source_port, target_port) = if egress {
            (client, server)
        } else {
            (server, client)
        };
        let (packets, bytes, start) = (
            1 + below(40),
            40 + below(90_000),
            1_772_000_000 + below(300),
        );
        let (action, flags) = (
            if below(10) == 0 { "REJECT" } else { "ACCEPT" },
            [2, 3, 19, 0][below(4) as usize],
        );
        let kind = if outside.contains(':') {
            "IPv6"
        } else {
            "IPv4"
        };
        writeln!(
            out,
            "5 123456789010 eni-0a1b2c3d4e5f{host:05x} {source} {target} {source_port} {target_port} 6 {packets} {bytes} {start} {} {action} OK vpc-0a1b2c3d4e5f67890 subnet-0a1b2c3d4e5f{:05x} i-0a1b2c3d4e5f{host:05x} {flags} {kind} {source} {target} us-east-1 use1-az{} - - - {service} {} {path}",
            start + 59,
            host % 7,
            1 + host % 2,
            if egress { "egress" } else { "ingress" },
        )
        .expect("writing to memory");
    }
    out
}

/// Looks at a record as little as a sink can, and at its interface as every sink does.
#[derive(Default)]
struct Sum(u64);

impl RecordSink for Sum {
    #[inline]
    fn record(&mut self, record: &Record, fields: &impl Fields) {
        self.0 = self
            .0
            .wrapping_add(record.bytes ^ record.pkt_src.bits() as u64);
        self.0 += fields.text(Field::InterfaceId).map_or(0, <[u8]>::len) as u64;
    }

    fn status(&mut self, _: &Record, _: bool, _: &impl Fields) {}

    fn malformed(&mut self, line: u64, why: &MalformedLine, _: &[u8]) {
        panic!("line {line}: {why}");
    }

    fn unverified(&mut self) {}
}

fn bench_decode(bencher: Bencher<'_, '_>, input: &Bytes) {
    let (options, mut scratch) = (DecodeOptions::default(), Scratch::default());
    counted(bencher).bench_local(|| {
        let mut sum = Sum::default();
        let decoded =
            decode(Input::Bytes(input), &options, &mut scratch, &mut sum).expect("decodes");
        assert_eq!(decoded.tally.records, RECORDS as u64);
        sum.0
    });
}

fn counted<'a, 'b>(bencher: Bencher<'a, 'b>) -> Bencher<'a, 'b> {
    bencher
        .counter(BytesCount::new(TEXT.len()))
        .counter(ItemsCount::new(RECORDS))
}

#[divan::bench(args = Kernel::all())]
fn seams(bencher: Bencher<'_, '_>, kernel: Kernel) {
    let mut found = Seams::default();
    counted(bencher).bench_local(|| {
        for block in TEXT.chunks(BLOCK) {
            found.find(kernel, black_box(block));
            black_box(&found);
        }
    });
}

#[divan::bench]
fn seams_and_records(bencher: Bencher<'_, '_>) {
    bench_decode(bencher, &TEXT);
}

#[divan::bench]
fn gunzip(bencher: Bencher<'_, '_>) {
    let mut out = vec![0_u8; TEXT.len()];
    let mut length = 0;
    counted(bencher).bench_local(|| {
        // SAFETY: all pointers go with their lengths, and the decompressor is freed.
        let result = unsafe {
            let decompressor = libdeflate_sys::libdeflate_alloc_decompressor();
            let result = libdeflate_sys::libdeflate_gzip_decompress(
                decompressor,
                PACKED.as_ptr().cast(),
                PACKED.len(),
                out.as_mut_ptr().cast(),
                out.len(),
                &mut length,
            );
            libdeflate_sys::libdeflate_free_decompressor(decompressor);
            result
        };
        assert_eq!((result, length), (0, TEXT.len()));
    });
}

#[divan::bench]
fn gunzip_seams_and_records(bencher: Bencher<'_, '_>) {
    bench_decode(bencher, &PACKED);
}
