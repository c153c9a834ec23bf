//! What the program shows on a terminal and nowhere else: progress and colour.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Stdio;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::cli_program::command;

/// A terminal of 120 columns: where its text comes out, and where a program writes.
pub(crate) fn terminal() -> (File, File) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let reader = openpt(flags).expect("a terminal");
    grantpt(&reader)
        .and_then(|()| unlockpt(&reader))
        .expect("ours");
    let size = Winsize {
        ws_row: 40,
        ws_col: 120,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&reader, size).expect("it has a size");
    let name = ptsname(&reader, Vec::new()).expect("it has a name");
    let path = Path::new(std::ffi::OsStr::from_bytes(name.as_bytes()));
    let writer = OpenOptions::new().read(true).write(true).open(path);
    (reader.into(), writer.expect("it can be opened"))
}

/// Scans the sample with standard output or standard error on a terminal: what the terminal shows, and what the other one
/// of the two is.
fn scanned(errors_on_terminal: bool, variables: &[(&str, &str)]) -> (String, String) {
    let (mut reader, writer) = terminal();
    let mut command = command(Path::new(env!("CARGO_MANIFEST_DIR")));
    command.args([
        "scan",
        "sample-logs/logs",
        "--policy",
        "policies/sec-003.toml",
    ]);
    command.env_remove("NO_COLOR").env("TERM", "xterm-256color");
    command.envs(variables.iter().copied());
    if errors_on_terminal {
        command.stderr(Stdio::from(writer));
    } else {
        command.stdout(Stdio::from(writer));
    }
    let mut child = command.spawn().expect("the program starts");
    // Or the terminal would stay open when the program has ended.
    drop(command);
    let piped: Box<dyn Read + Send> = match (child.stdout.take(), child.stderr.take()) {
        (Some(output), _) => Box::new(output),
        (_, Some(errors)) => Box::new(errors),
        _ => unreachable!("one of them is a pipe"),
    };
    let piped = std::thread::spawn(|| std::io::read_to_string(piped).expect("UTF-8"));
    let (mut shown, mut chunk) = (Vec::new(), [0; 4096]);
    // A terminal whose program has ended says so by an error.
    while let Ok(length @ 1..) = reader.read(&mut chunk) {
        shown.extend_from_slice(&chunk[..length]);
    }
    child.wait().expect("the program ends");
    let shown = String::from_utf8(shown).expect("the program writes UTF-8");
    (shown, piped.join().expect("read to the end"))
}

#[test]
fn a_terminal_shows_progress_while_a_scan_runs_and_nothing_of_it_afterwards() {
    let (shown, report) = scanned(true, &[]);
    for words in ["judging", "MiB", "records/s", " left"] {
        assert!(shown.contains(words), "expected `{words}` in {shown:?}");
    }
    let last = shown.rsplit("records/s").next().expect("the end");
    assert!(last.contains("\u{1b}[2K"), "{last:?}");
    assert!(!report.contains("records/s") && !report.contains('\u{1b}'));
}

#[test]
fn a_report_has_colour_on_a_terminal_unless_it_is_unwelcome() {
    let (shown, errors) = scanned(false, &[]);
    assert!(
        shown.contains("critical") && shown.contains("\u{1b}["),
        "{shown:?}"
    );
    assert!(
        !errors.contains("records/s") && !errors.contains('\u{1b}'),
        "{errors:?}"
    );
    let (plain, _) = scanned(false, &[("NO_COLOR", "1")]);
    assert!(
        plain.contains("critical") && !plain.contains('\u{1b}'),
        "{plain:?}"
    );
}
