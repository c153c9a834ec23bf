//! A memory limit holds: the kernel is asked for the peak of a run.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;

const HEADER: &str = "version vpc-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status flow-direction tcp-flags";
const OBJECTS: u32 = 3;
const CONNECTIONS_PER_OBJECT: u32 = 240_000;

/// One slot of a quiet VPC that half the internet knocks at: each record is a connection and an edge of its own. The
/// objects are larger than what is read whole under a small limit, and the connections than what may be held. The last
/// object is broken, which only its end tells.
fn logs() -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a folder");
    let folder = root
        .path()
        .join("logs/AWSLogs/123456789012/vpcflowlogs/us-east-2/2026/02/25");
    std::fs::create_dir_all(&folder).expect("a folder");
    for object in 0..OBJECTS {
        let mut text = format!("{HEADER}\n");
        for row in 0..CONNECTIONS_PER_OBJECT {
            let from = object * CONNECTIONS_PER_OBJECT + row;
            let [_, a, b, c] = from.to_be_bytes();
            writeln!(
                text,
                "5 vpc-0a1b2c3d4e5f60718 eni-0{object}aabbccddeeff001 198.{a}.{b}.{c} 10.0.1.10 {} {} 6 1 40 1771999210 1771999240 REJECT OK ingress 2",
                1024 + from % 60_000,
                1 + from % 1000
            )
            .expect("writing to memory cannot fail");
        }
        let name = format!(
            "123456789012_vpcflowlogs_us-east-2_fl-0a1b2c3d4e5f60718_20260225T0600Z_0000000{object}.log"
        );
        if object + 1 < OBJECTS {
            std::fs::write(folder.join(name), text).expect("written");
        } else {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            gzip.write_all(text.as_bytes()).expect("written to memory");
            let mut bytes = gzip.finish().expect("written to memory");
            let checksum = bytes.len() - 8;
            bytes[checksum] ^= 1;
            std::fs::write(folder.join(name + ".gz"), bytes).expect("written");
        }
    }
    root
}

/// Scans the logs into a lake of the limit's name under this limit, with a report beside it; the peak of the memory of the
/// process, bytes.
#[expect(clippy::zombie_processes, reason = "`wait4` waits")]
fn peak(root: &Path, memory: &str) -> u64 {
    let policy = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("policies/sec-003.toml");
    let child = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .current_dir(root)
        .args(["scan", "logs", "--threads", "2", "--keep", "flagged"])
        .args(["--memory", memory, "--lake", memory, "--format", "json"])
        .arg("--policy")
        .arg(policy)
        .stdout(File::create(root.join(memory.to_owned() + ".json")).expect("a file"))
        .stderr(Stdio::null())
        .spawn()
        .expect("the program runs");
    let (mut status, mut usage) = (0, std::mem::MaybeUninit::<libc::rusage>::zeroed());
    // SAFETY: both places are there to be written to, and nobody else waits for the child.
    let usage = unsafe {
        let ended = libc::wait4(child.id() as i32, &raw mut status, 0, usage.as_mut_ptr());
        assert_eq!(ended, child.id() as i32);
        usage.assume_init()
    };
    assert!(
        libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 3,
        "{memory}: {status}"
    );
    // In kibibytes on Linux (getrusage(2)).
    usage.ru_maxrss as u64 * 1024
}

#[test]
fn a_slot_far_larger_than_the_limit_goes_to_disk() {
    const MIB: u64 = 1 << 20;
    let root = logs();
    let [tight, ample] = ["64MiB", "4GiB"].map(|memory| peak(root.path(), memory));
    // Beside what the limit bounds, each thread has its buffers, and files are encoded in memory.
    assert!(tight < (64 + 112) * MIB, "{} MiB", tight / MIB);
    // Else the test would show nothing.
    assert!(ample > 320 * MIB, "{} MiB", ample / MIB);
    let edges = "edges/date=2026-02-25/hour=06/part-0000.parquet";
    let records = "records/date=2026-02-25/hour=06/part-0000.parquet";
    for file in [edges, records] {
        let [tight, ample] = ["64MiB", "4GiB"]
            .map(|lake| std::fs::read(root.path().join(lake).join(file)).expect("a file"));
        assert!(tight == ample, "{file}");
    }
    let coverage = |memory: &str| {
        let file = File::open(root.path().join(memory.to_owned() + ".json")).expect("a report");
        let report: serde_json::Value = serde_json::from_reader(file).expect("JSON");
        report["coverage"].clone()
    };
    assert_eq!(coverage("64MiB"), coverage("4GiB"));
    assert_eq!(coverage("4GiB")["interfaces"], OBJECTS - 1);
}
