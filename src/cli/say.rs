//! Words on standard output and standard error. A reader that has gone (a broken pipe) is no failure.

use std::io::{self, IsTerminal, Write};

use super::report::words;
use crate::app::error::ScanError;
use crate::app::resolver::ResolverReport;

use super::Exit;

/// Columns of text that goes elsewhere than to a terminal.
pub(super) const PIPE_WIDTH: usize = 100;

/// Writes data to standard output.
///
/// # Errors
/// When it cannot be written for another reason than a reader that has gone.
pub(super) fn data(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Writes data to standard output and says how that ended.
pub(super) fn printed(text: &str) -> Exit {
    match data(text) {
        Ok(()) => Exit::Done,
        Err(failed) => {
            error(&format!("cannot write to standard output: {failed}"), None);
            Exit::Failed
        }
    }
}

/// Tells people about an error: what was attempted and what was expected, then what to do.
pub(super) fn error(message: &str, hint: Option<&str>) {
    to_people("error", message);
    if let Some(hint) = hint {
        to_people("hint", hint);
    }
}

/// Tells people about something that did not stop the run.
pub(super) fn warning(message: &str) {
    to_people("warning", message);
}

/// Tells people what there is to know of Resolver logs that were read for an answer, and says how that went.
pub(super) fn resolver(read: &Option<ResolverReport>) -> Exit {
    let Some(read) = read else {
        return Exit::Done;
    };
    for (url, why) in &read.unreadable {
        warning(&format!("could not read {url}: {why}"));
    }
    read.warnings().iter().for_each(|text| warning(text));
    match read.unreadable.is_empty() {
        true => Exit::Done,
        false => Exit::Partial,
    }
}

/// Tells people on standard error how it went, beside data on standard output.
pub(super) fn note(page: &str) {
    let lines = page.lines().map(|line| format!("{}\n", words::clean(line)));
    // Standard error that is closed leaves nobody to tell.
    let _ = io::stderr().write_all(lines.collect::<String>().as_bytes());
}

/// Tells why a mode ended without a report, and says how the run ends.
pub(super) fn failure(failure: &ScanError) -> Exit {
    match failure {
        // Rendered with heads and places of its own.
        ScanError::Policy(errors) => {
            let colour = io::stderr().is_terminal() && colour_is_welcome();
            let _ = writeln!(io::stderr(), "{}", errors.render(colour).trim_end());
        }
        other => error(&other.to_string(), other.hint()),
    }
    match failure {
        ScanError::Usage { .. } | ScanError::Policy(_) | ScanError::NoObjects { .. } => Exit::Usage,
        ScanError::Failed(_) => Exit::Failed,
    }
}

/// Lines behind the first are indented, but for a hint that the message brings along; control characters from keys and logs do not reach the terminal.
fn to_people(head: &str, message: &str) {
    let mut text = String::new();
    for (index, line) in message.lines().enumerate() {
        let lead = match index {
            0 => format!("{head}: "),
            _ if line.starts_with("hint: ") => String::new(),
            _ => " ".repeat(head.len() + 2),
        };
        let line = line.replace('\t', "    ");
        text.push_str(&format!("{lead}{}\n", words::clean(&line)));
    }
    // Standard error that is closed leaves nobody to tell.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Whether standard output may be coloured.
pub(super) fn colour() -> bool {
    io::stdout().is_terminal() && colour_is_welcome()
}

/// Neither `NO_COLOR` (no-color.org) nor a dumb terminal.
fn colour_is_welcome() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    !refused && !dumb
}

/// Columns of standard output: the terminal's, else [`PIPE_WIDTH`].
pub(super) fn width() -> usize {
    terminal_width().unwrap_or(PIPE_WIDTH)
}

/// Columns of the terminal that standard output is; none where it is something else.
pub(super) fn terminal_width() -> Option<usize> {
    comfy_table::Table::new().width().map(usize::from)
}
