//! The prompt of `sql`, driven as a person drives it: keys go in at a terminal, and what its screen shows is looked at.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::cli_program::command;
use crate::terminal::terminal;

/// How long a screen may take to show what is expected.
const PATIENCE: Duration = Duration::from_secs(30);

impl Drop for Session {
    fn drop(&mut self) {
        // One that a test has given up on.
        let _ = self.program.kill();
    }
}

/// A program at a terminal of 40 lines and 120 columns.
struct Session {
    program: Child,
    keys: File,
    screen: Arc<(Mutex<Shown>, Condvar)>,
}

/// What the terminal shows.
struct Shown {
    parser: vt100::Parser,
    /// The program has ended.
    is_over: bool,
}

impl Session {
    /// Starts `tidegate sql` with these arguments, whose history is in this folder.
    fn begin(state: &Path, args: &[&str]) -> Session {
        let (shown, writer) = terminal();
        let mut command = command(Path::new(env!("CARGO_MANIFEST_DIR")));
        command.arg("sql").args(args);
        command.env_remove("NO_COLOR").env("TERM", "xterm-256color");
        command.env("XDG_STATE_HOME", state);
        let stdio = || Stdio::from(writer.try_clone().expect("another handle"));
        command.stdin(stdio()).stdout(stdio()).stderr(stdio());
        // SAFETY: only system calls. The terminal becomes the program's own, so that keys become signals.
        unsafe {
            command.pre_exec(|| {
                rustix::process::setsid()?;
                rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?;
                Ok(())
            });
        }
        let program = command.spawn().expect("the program starts");
        let keys = shown.try_clone().expect("another handle");
        let blank = Shown {
            parser: vt100::Parser::new(40, 120, 0),
            is_over: false,
        };
        let screen = Arc::new((Mutex::new(blank), Condvar::new()));
        let session = Session {
            program,
            keys,
            screen,
        };
        session.show(shown);
        session.sees("tidegate>");
        session
    }

    /// Shows on the screen what the program writes, and tells the program where the cursor is when it asks.
    fn show(&self, mut shown: File) {
        const WHERE: &[u8] = b"\x1b[6n";
        let (screen, mut keys) = (
            self.screen.clone(),
            self.keys.try_clone().expect("a handle"),
        );
        std::thread::spawn(move || {
            let (mut chunk, mut seen) = ([0; 4096], Vec::new());
            while let Ok(length @ 1..) = shown.read(&mut chunk) {
                let mut shown = screen.0.lock().expect("no thread panicked");
                for byte in &chunk[..length] {
                    shown.parser.process(&[*byte]);
                    seen.push(*byte);
                    if seen.ends_with(WHERE) {
                        let (row, column) = shown.parser.screen().cursor_position();
                        let answer = format!("\x1b[{};{}R", row + 1, column + 1);
                        keys.write_all(answer.as_bytes()).expect("it is typed");
                    }
                }
                screen.1.notify_all();
            }
            // A terminal whose program has ended says so by an error.
            screen.0.lock().expect("no thread panicked").is_over = true;
            screen.1.notify_all();
        });
    }

    /// Types keys.
    fn types(&self, keys: &str) {
        (&self.keys)
            .write_all(keys.as_bytes())
            .expect("they are typed");
    }

    /// Presses a key until the screen is as it should be, as a person does: a key that comes while the terminal changes
    /// hands between the editor and a query may go lost.
    fn presses(&self, key: &str, is_so: impl Fn(&Shown) -> bool) {
        let presses = std::iter::repeat_with(|| {
            self.types(key);
            self.shows_within(Duration::from_secs(1), &is_so)
        });
        let seen = presses.take(30).find_map(Result::ok);
        assert!(seen.is_some(), "{key:?} does nothing");
    }

    /// Waits until the screen is as it should be; what it shows then.
    fn waits(&self, what: &str, is_so: impl Fn(&vt100::Screen) -> bool) -> String {
        self.waits_for(what, |shown| is_so(shown.parser.screen()))
    }

    fn waits_for(&self, what: &str, is_so: impl Fn(&Shown) -> bool) -> String {
        let shown = self.shows_within(PATIENCE, is_so);
        shown.unwrap_or_else(|contents| panic!("expected {what} on\n{contents}"))
    }

    /// What the screen shows when it is as it should be; or what it shows instead after so long.
    fn shows_within(
        &self,
        patience: Duration,
        is_so: impl Fn(&Shown) -> bool,
    ) -> Result<String, String> {
        let (shown, changed) = &*self.screen;
        let mut shown = shown.lock().expect("no thread panicked");
        let until = Instant::now() + patience;
        while !is_so(&shown) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(shown.parser.screen().contents());
            }
            shown = changed
                .wait_timeout(shown, left)
                .expect("no thread panicked")
                .0;
        }
        Ok(shown.parser.screen().contents())
    }

    /// Waits until the screen shows a text; what it shows then.
    fn sees(&self, text: &str) -> String {
        self.waits(text, |screen| screen.contents().contains(text))
    }

    /// Clears the screen, types a line, and waits for a text and the next prompt; what the screen shows then.
    fn asks(&self, line: &str, expected: &str) -> String {
        self.is_ready();
        self.presses("\x0c", |shown| {
            shown.parser.screen().contents().trim() == "tidegate>"
        });
        self.types(line);
        let (first, _) = line.split_once('\r').unwrap_or((line, ""));
        let begun: String = first.chars().take(60).collect();
        self.sees(&format!("tidegate> {begun}"));
        self.types("\r");
        self.is_ready();
        self.sees(expected)
    }

    /// Waits until a line can be typed, and there is none yet.
    fn is_ready(&self) {
        self.waits("a prompt", |screen| {
            screen.bracketed_paste() && screen.contents().trim_end().ends_with("tidegate>")
        });
    }

    /// Waits for the program's end.
    fn ends(mut self) {
        self.waits_for("the end", |shown| shown.is_over);
        let status = self.program.wait().expect("it is our child");
        assert_eq!(status.code(), Some(0));
    }
}

const SAMPLE: [&str; 4] = [
    "--logs",
    "sample-logs/logs",
    "--policy",
    "policies/sec-003.toml",
];

#[test]
fn a_question_is_edited_completed_and_answered() {
    let state = tempfile::tempdir().expect("a folder");
    let session = Session::begin(state.path(), &SAMPLE);
    session.sees("tables: edges, findings, flows");
    // A word too many is taken back, a table completed, and the question goes on in a second line.
    session.types("select count(*) as records wrong\x17from edg\t");
    session.sees("from edges");
    session.types("\r");
    session.types("where verdict = 'violation';\r");
    let shown = session.sees("1 row");
    assert!(shown.contains("records"), "{shown}");
    session.asks("select 40 +\r2 as answer;", "42");
    session.asks("select nothing from flows;", "No field named nothing");
    session.asks("select 1 as still_there;", "still_there");
    session.is_ready();
    session.types("\\q\r");
    session.ends();

    // What was asked is there the next time, for nobody else to read.
    let session = Session::begin(state.path(), &[]);
    session.types("\x1b[A\x1b[A");
    session.sees("select 1 as still_there;");
    session.types("\x03");
    session.is_ready();
    session.types("\x04");
    session.ends();
    let history = state.path().join("tidegate/sql-history");
    let mode = history
        .metadata()
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn ctrl_c_ends_the_query_and_the_prompt_lives_on() {
    let state = tempfile::tempdir().expect("a folder");
    let session = Session::begin(state.path(), &SAMPLE);
    // Its threads look up for long only: the prompt does not wait for them.
    let long =
        "select count(*) from flows a, flows b where a.srcaddr like '%' || b.dstaddr || '%';";
    session.types(long);
    session.types("\r");
    session.presses("\x03", |shown| {
        let contents = shown.parser.screen().contents();
        contents.contains("error: the query was interrupted")
    });
    session.asks("select 41 + 1 as answer;", "42");
    // A line that is being typed is thrown away.
    session.types("select 'half");
    session.sees("select 'half");
    session.presses("\x03", |shown| {
        let contents = shown.parser.screen().contents();
        contents.trim_end().ends_with("tidegate>")
    });
    session.asks("select 'whole' as line;", "whole");
    session.is_ready();
    session.types("\x04");
    session.ends();
}

#[test]
fn commands_of_the_prompt_do_what_its_help_says() {
    let state = tempfile::tempdir().expect("a folder");
    let file = |name: &str| state.path().join(name).to_string_lossy().into_owned();
    let session = Session::begin(state.path(), &SAMPLE);
    let shown = session.asks("\\?", "\\timing");
    for word in ["\\d", "\\run", "\\plot", "\\format", "\\o", "\\i", "\\q"] {
        assert!(shown.contains(word), "{word} is missing in {shown}");
    }
    session.asks("\\d", "policy_rules");
    session.asks("\\d edges", "client_tier");
    session.asks("\\d edgse", "there is `edges`");
    session.asks("\\plto", "there is `\\plot`");
    session.asks("\\plot", "no answer to be drawn yet");
    session.asks("\\run top-violations", "rows");
    session.asks("\\run top-violatons", "there is `top-violations`");
    session.asks("\\timing", "timing is on");
    session.asks(
        "select action, count(*) as lines from flows where action is not null group by action;",
        " s\n",
    );
    let drawn = session.asks("\\plot", "█");
    assert!(
        drawn.contains("ACCEPT") && drawn.contains("REJECT"),
        "{drawn}"
    );

    session.asks("\\timing off", "timing is off");
    session.asks("\\format parquet", "goes into a file");
    session.asks("\\format csv", "tidegate>");
    session.asks("select 1 as a, 2 as b;", "a,b\n1,2");
    std::fs::write(file("two.sql"), "select 3 as c;\nselect 4 as d").expect("written");
    session.asks(&format!("\\o {}", file("answers")), "tidegate>");
    session.asks(&format!("\\i {}", file("two.sql")), "tidegate>");
    session.asks("\\o", "tidegate>");
    let answers = std::fs::read_to_string(file("answers")).expect("it was written");
    assert_eq!(answers, "c\n3\nd\n4\n");
    session.asks("\\format table", "tidegate>");
    session.asks("\\rows 2", "tidegate>");
    session.asks("select rule from policy_rules;", "are not shown");
    session.is_ready();
    session.types("exit\r");
    session.ends();
}
