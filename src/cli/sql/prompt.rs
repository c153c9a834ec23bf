//! The prompt: question after question, until somebody leaves.

use std::path::Path;
use std::time::Instant;

use reedline::Signal;

use super::ask::{Out, Seen, ask};
use super::command::{self, Command};
use super::complete::Words;
use super::editor::{Before, editor};
use super::output::AnswerFormat;
use super::plot::Plot;
use super::{catalog, read};
use crate::app::error::ScanError;
use crate::app::query::Queries;
use crate::cli::{Exit, say, units};
use crate::sql::{CuratedQuery, Params, docs};

/// A session at a terminal.
pub(super) struct Prompt<'q> {
    queries: &'q Queries,
    curated: Vec<CuratedQuery>,
    out: Out,
    timing: bool,
    last: Option<Plot>,
}

/// Whether the session goes on.
enum Then {
    GoesOn,
    Ends,
}

impl<'q> Prompt<'q> {
    /// A session over these tables.
    pub fn new(queries: &'q Queries, curated: Vec<CuratedQuery>, mut out: Out) -> Prompt<'q> {
        if out.format.is_of_one() && out.path().is_none() {
            out.format = AnswerFormat::Table;
        }
        Prompt {
            queries,
            curated,
            out,
            timing: false,
            last: None,
        }
    }

    /// Asks for questions and answers them.
    ///
    /// # Errors
    /// When the terminal fails.
    pub fn run(mut self) -> Result<Exit, ScanError> {
        let names = self.queries.names();
        let tables: Vec<&str> = names.tables.iter().map(|(name, _)| &**name).collect();
        self.show(&match &tables[..] {
            [] => "no tables: --logs, --lake and --policy bring them; \\? helps, \\q leaves\n"
                .to_owned(),
            tables => format!("tables: {}\n\\? helps, \\q leaves\n", tables.join(", ")),
        });
        let mut editor = editor(Words {
            names,
            queries: self.curated.clone(),
        });
        loop {
            let line = editor.read_line(&Before);
            let line = line.map_err(|error| {
                ScanError::Failed(anyhow::anyhow!("the terminal does not answer: {error}"))
            })?;
            let then = match line {
                Signal::Success(text) => self.take(&text),
                Signal::CtrlD => Then::Ends,
                _ => Then::GoesOn,
            };
            // What was asked is there in the next session, however this one ends.
            if let Err(error) = editor.sync_history() {
                say::warning(&format!("cannot write what was asked before: {error}"));
            }
            if matches!(then, Then::Ends) {
                return Ok(Exit::Done);
            }
        }
    }

    fn take(&mut self, text: &str) -> Then {
        if let Some(command) = command::escape(text) {
            say::warning("the question was not ended by a semicolon, and is thrown away");
            return self.take(command);
        }
        match command::parse(text) {
            _ if text.trim().is_empty() => Then::GoesOn,
            Some(Ok(command)) if command.name == "q" => Then::Ends,
            Some(Ok(command)) => {
                if let Err(error) = self.obey(&command) {
                    say::failure(&error);
                }
                Then::GoesOn
            }
            Some(Err((what, hint))) => {
                say::error(&what, Some(&hint));
                Then::GoesOn
            }
            None => {
                self.ask(text, &Params::new());
                Then::GoesOn
            }
        }
    }

    fn obey(&mut self, command: &Command) -> Result<(), ScanError> {
        let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
        match (command.name, &words[..]) {
            ("?", _) => self.show(&command::help()),
            ("functions", _) => self.show(&catalog::functions(docs())),
            ("queries", []) => self.show(&catalog::list(&self.curated)),
            ("queries", [name]) => self.show(&catalog::text(catalog::named(&self.curated, name)?)),
            ("plot", _) => match &self.last {
                Some(last) => match last.render() {
                    Ok(drawn) => self.show(&drawn),
                    Err(error) => say::error(&error.to_string(), None),
                },
                None => return Err(wrong("there is no answer to be drawn yet")),
            },
            ("d", []) => self.tell(
                "select table_name as \"table\", count(*) as columns from information_schema.columns \
                 where table_schema = 'public' group by table_name order by table_name",
            ),
            ("d", [table]) => self.tell(&format!("describe \"{}\"", table.replace('"', "\"\""))),
            ("run", [name, params @ ..]) => {
                let query = catalog::named(&self.curated, name)?;
                let given: Vec<String> = params.iter().map(|param| (*param).to_owned()).collect();
                let params = catalog::params(query, &given, units::now())?;
                let text = query.sql.clone();
                self.ask(&text, &params);
            }
            ("format", []) => {
                let format = self.out.format.as_str();
                self.show(&format!("{format}\n"));
            }
            ("format", [name]) => self.format(name)?,
            ("rows", [count]) => self.out.rows = units::limit(count).map_err(|error| wrong(&error))?,
            ("o", []) => self.go_to(None),
            ("o", [file]) => self.go_to(Some(Path::new(file))),
            ("i", [file]) => {
                let text = read(Path::new(file))?;
                self.ask(&text, &Params::new());
            }
            ("timing", []) => self.time(!self.timing),
            ("timing", ["on"]) => self.time(true),
            ("timing", ["off"]) => self.time(false),
            (name, _) => {
                return Err(ScanError::Usage {
                    message: format!("`\\{name}` does not take `{}`", words.join(" ")),
                    hint: Some("`\\?` shows what each takes".to_owned()),
                });
            }
        }
        Ok(())
    }

    fn format(&mut self, name: &str) -> Result<(), ScanError> {
        let format = AnswerFormat::from_word(name).ok_or_else(|| {
            let known: Vec<&str> = AnswerFormat::ALL.iter().map(|f| f.as_str()).collect();
            wrong(&format!(
                "expected one of {}, got `{name}`",
                known.join(", ")
            ))
        })?;
        if format.is_of_one() && self.out.path().is_none() {
            return Err(wrong(&format!("{name} goes into a file: first `\\o FILE`")));
        }
        self.out.format = format;
        Ok(())
    }

    /// Answers go into this file from now on, or to the terminal.
    fn go_to(&mut self, file: Option<&Path>) {
        let mut format = self.out.format;
        if file.is_none() && format.is_of_one() {
            format = AnswerFormat::Table;
        }
        self.out = Out::new(format, self.out.rows, file.map(Path::to_owned));
    }

    fn time(&mut self, timing: bool) {
        self.timing = timing;
        self.show(if timing {
            "timing is on\n"
        } else {
            "timing is off\n"
        });
    }

    /// Answers a question and keeps its rows for a picture.
    fn ask(&mut self, text: &str, params: &Params) {
        let begun = Instant::now();
        let width = say::width();
        let last = &mut self.last;
        ask(
            self.queries,
            text,
            params,
            &mut self.out,
            |seen| match seen {
                Seen::Columns(columns) => *last = Some(Plot::new(columns, width)),
                Seen::Rows(rows) => last.iter_mut().for_each(|last| last.add(rows)),
            },
        );
        if self.timing {
            let took = begun.elapsed().as_secs_f64();
            self.show(&format!("{took:.3} s\n"));
        }
    }

    /// Answers what the prompt itself asks: on the terminal, as a table.
    fn tell(&self, text: &str) {
        let mut out = Out::new(AnswerFormat::Table, usize::MAX, None);
        ask(self.queries, text, &Params::new(), &mut out, |_| {});
    }

    fn show(&self, text: &str) {
        if let Err(error) = say::data(text) {
            say::error(&format!("cannot write to the terminal: {error}"), None);
        }
    }
}

fn wrong(message: &str) -> ScanError {
    ScanError::Usage {
        message: message.to_owned(),
        hint: None,
    }
}
