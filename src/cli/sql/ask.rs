//! A question's answers, written as they come.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::output::{self, Writer};
use crate::app::error::ScanError;
use crate::app::query::Queries;
use crate::cli::args::SqlArgs;
use crate::cli::{Exit, say};
use crate::sql::{Params, QueryError, explain};

/// Why a question was not answered.
enum Unanswered {
    Query(QueryError),
    /// Nobody reads any more.
    Gone,
    /// The format holds the rows of one statement, and there are several.
    Several,
    Output(io::Error),
}

impl From<QueryError> for Unanswered {
    fn from(error: QueryError) -> Unanswered {
        Unanswered::Query(error)
    }
}

impl From<output::WriteError> for Unanswered {
    fn from(error: output::WriteError) -> Unanswered {
        match error {
            output::WriteError::Io(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                Unanswered::Gone
            }
            output::WriteError::Io(error) => Unanswered::Output(error),
            output::WriteError::Arrow(error) => Unanswered::Query(error.into()),
        }
    }
}

/// Runs a text and writes the rows of its statements.
pub(super) fn ask(
    queries: &Queries,
    text: &str,
    params: &Params,
    args: &SqlArgs,
) -> Result<Exit, ScanError> {
    let look = output::Look {
        width: say::width(),
        most: args.rows,
    };
    // Opened when there is something to write: a question that is wrong replaces no file.
    let mut out: Option<Box<dyn Write + Send>> = None;
    let mut asked = 0;
    let answered = queries.run(text, params, |answer| {
        asked += 1;
        if asked > 1 && args.format.is_of_one() {
            return Err(Unanswered::Several);
        }
        let out = match &mut out {
            Some(out) => out,
            none => none.insert(open(args.output.as_deref()).map_err(Unanswered::Output)?),
        };
        let mut writer = Writer::begin(args.format, answer.schema(), out, &look)?;
        while let Some(rows) = answer.more()? {
            writer.write(&rows)?;
        }
        writer.finish()?;
        // The next statement may take long.
        out.flush()
            .map_err(|error| output::WriteError::Io(error).into())
    });
    let ended = match answered {
        Ok(()) if asked == 0 => {
            say::error("there is no question: the text holds no statement", None);
            Exit::Usage
        }
        Ok(()) | Err(Unanswered::Gone) => Exit::Done,
        Err(Unanswered::Output(error)) => failed_output(&error),
        Err(Unanswered::Several) => {
            let format = args.format.as_str();
            say::error(
                &format!(
                    "a file of {format} holds the answer of one statement, and there are several"
                ),
                Some("ask one at a time; the answer of the first is written"),
            );
            Exit::Usage
        }
        Err(Unanswered::Query(error)) => {
            let (what, hint) = explain(&error);
            say::error(&what, hint.as_deref());
            if is_usage(&error) {
                Exit::Usage
            } else {
                Exit::Failed
            }
        }
    };
    let unreadable = queries.notes().take_unreadable();
    for (url, why) in &unreadable {
        say::warning(&format!(
            "could not read {url}: {why}; none of its rows counts"
        ));
    }
    let partial = if unreadable.is_empty() {
        Exit::Done
    } else {
        Exit::Partial
    };
    Ok(Exit::most_urgent([ended, partial]))
}

/// Where the answer goes: a file, else standard output.
fn open(path: Option<&Path>) -> io::Result<Box<dyn Write + Send>> {
    Ok(match path {
        None => Box::new(BufWriter::new(io::stdout())),
        Some(path) => Box::new(BufWriter::new(File::create(path)?)),
    })
}

fn failed_output(error: &io::Error) -> Exit {
    say::error(&format!("cannot write the answer: {error}"), None);
    Exit::Failed
}

/// Whether the question itself is wrong.
fn is_usage(error: &QueryError) -> bool {
    matches!(
        error.find_root(),
        QueryError::Plan(_)
            | QueryError::SQL(..)
            | QueryError::SchemaError(..)
            | QueryError::NotImplemented(_)
    )
}
