//! A question's answers, written as they come.

use std::fs::File;
use std::io::{self, BufWriter, Write};

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
    let mut out: Box<dyn Write + Send> = match &args.output {
        None => Box::new(BufWriter::new(io::stdout())),
        Some(path) => {
            let file = File::create(path).map_err(|error| ScanError::Usage {
                message: format!("cannot write `{}`: {error}", path.display()),
                hint: None,
            })?;
            Box::new(BufWriter::new(file))
        }
    };
    let mut asked = 0;
    let answered = queries.run(text, params, |answer| {
        asked += 1;
        let mut writer = Writer::begin(args.format, answer.schema(), &mut out, &look)?;
        while let Some(rows) = answer.more()? {
            writer.write(&rows)?;
        }
        writer.finish().map_err(Unanswered::from)
    });
    let ended = match answered {
        Ok(()) | Err(Unanswered::Gone) => match out.flush() {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => failed_output(&error),
            _ if asked == 0 => {
                say::error("there is no question: the text holds no statement", None);
                Exit::Usage
            }
            _ => Exit::Done,
        },
        Err(Unanswered::Output(error)) => failed_output(&error),
        Err(Unanswered::Query(error)) => {
            // What was answered before stands.
            let _ = out.flush();
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
