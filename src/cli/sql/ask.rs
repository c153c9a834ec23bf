//! A question's answers, written as they come.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::output::{self, AnswerFormat, Writer};
use crate::app::query::Queries;
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

/// Where answers go, and how they look there.
pub(super) struct Out {
    pub format: AnswerFormat,
    /// Rows that a table shows.
    pub rows: usize,
    /// A file, else standard output.
    path: Option<PathBuf>,
    /// Opened when there is something to write: a question that is wrong replaces no file.
    writer: Option<Box<dyn Write + Send>>,
    /// An answer is there, beside which the format has room for no other.
    holds_one: bool,
}

impl Out {
    pub fn new(format: AnswerFormat, rows: usize, path: Option<PathBuf>) -> Out {
        Out {
            format,
            rows,
            path,
            writer: None,
            holds_one: false,
        }
    }

    /// The file that answers go to.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The place of one more answer.
    fn next(&mut self) -> Result<&mut (dyn Write + Send), Unanswered> {
        if self.holds_one {
            return Err(Unanswered::Several);
        }
        self.holds_one = self.format.is_of_one();
        let writer = match (&mut self.writer, &self.path) {
            (Some(writer), _) => writer,
            (none, None) => none.insert(Box::new(BufWriter::new(io::stdout()))),
            (none, Some(path)) => {
                let file = File::create(path).map_err(Unanswered::Output)?;
                none.insert(Box::new(BufWriter::new(file)))
            }
        };
        Ok(writer)
    }

    /// What was not answered to its end stays as far as it came; a file of one answer is begun anew by the next.
    fn broke(&mut self) {
        if self.holds_one {
            (self.holds_one, self.writer) = (false, None);
        } else if let Some(writer) = &mut self.writer {
            // What went wrong is being told.
            let _ = writer.flush();
        }
    }
}

/// What somebody who looks on sees of an answer.
pub(super) enum Seen<'a> {
    /// It begins, with these columns.
    Columns(&'a SchemaRef),
    /// Some of its rows.
    Rows(&'a RecordBatch),
}

/// Runs a text and writes the rows of its statements, which `see` is shown.
pub(super) fn ask(
    queries: &Queries,
    text: &str,
    params: &Params,
    out: &mut Out,
    mut see: impl FnMut(Seen<'_>),
) -> Exit {
    let look = output::Look {
        // A file is as wide as need be.
        width: say::terminal_width().filter(|_| out.path.is_none()),
        most: out.rows,
    };
    let format = out.format;
    let mut asked = 0;
    let answered = queries.run(text, params, |answer| {
        asked += 1;
        let out = out.next()?;
        see(Seen::Columns(answer.schema()));
        let mut writer = Writer::begin(format, answer.schema(), out, &look)?;
        while let Some(rows) = answer.more()? {
            see(Seen::Rows(&rows));
            writer.write(&rows)?;
        }
        writer.finish()?;
        // The next statement may take long.
        out.flush()
            .map_err(|error| output::WriteError::Io(error).into())
    });
    if !matches!(answered, Ok(()) | Err(Unanswered::Several)) {
        out.broke();
    }
    let ended = match answered {
        Ok(()) if asked == 0 => {
            say::error("there is no question: the text holds no statement", None);
            Exit::Usage
        }
        Ok(()) | Err(Unanswered::Gone) => Exit::Done,
        Err(Unanswered::Output(error)) => failed_output(&error),
        Err(Unanswered::Several) => {
            let format = format.as_str();
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
    Exit::most_urgent([ended, partial])
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
            // A text that was to be a time or a number.
            | QueryError::ArrowError(..)
    )
}
