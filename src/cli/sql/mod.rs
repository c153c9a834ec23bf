//! `tidegate sql`: tables, a question, its answer.

mod ask;
mod catalog;
mod interrupt;
mod output;
mod table;

pub(super) use output::AnswerFormat;

use std::io::{IsTerminal, Read};
use std::path::Path;
use std::time::Duration;

use super::args::SqlArgs;
use super::{Exit, meant, say, units};
use crate::app::error::ScanError;
use crate::app::memory::{Shares, share_heap};
use crate::app::query::{Queries, QuerySettings};
use crate::sql::{Params, ddl, docs};

/// Bytes of temporary files that a query may write.
const DISK: u64 = 16 << 30;

pub(super) fn run(args: &SqlArgs) -> Exit {
    if args.functions {
        return say::printed(&catalog::functions(docs()));
    }
    if let (Some(engine), Some(lake)) = (args.ddl, &args.lake) {
        return say::printed(&ddl(engine, lake));
    }
    if args.list {
        return match catalog::queries(&args.queries) {
            Ok(queries) => say::printed(&catalog::list(&queries)),
            Err(error) => say::failure(&error),
        };
    }
    asked(args).unwrap_or_else(|error| say::failure(&error))
}

fn asked(args: &SqlArgs) -> Result<Exit, ScanError> {
    let (text, params) = question(args)?;
    let settings = settings(args)?;
    share_heap(&Shares::of(settings.memory));
    let queries = Queries::open(&settings)?;
    // What is judged on the fly writes aside where queries do.
    let _ = tempfile::env::override_temp_dir(queries.temp());
    interrupt::clean_up(queries.temp());
    ask::ask(&queries, &text, &params, args)
}

/// The text to be run, and the values of its parameters.
fn question(args: &SqlArgs) -> Result<(String, Params), ScanError> {
    let none = Params::new();
    if let Some(name) = &args.query {
        let all = catalog::queries(&args.queries)?;
        let query = catalog::named(&all, name)?;
        let params = catalog::params(query, &args.param, units::now())?;
        return Ok((query.sql.clone(), params));
    }
    if let Some(text) = &args.command {
        return Ok((text.clone(), none));
    }
    if let Some(file) = &args.file {
        return Ok((read(file)?, none));
    }
    let mut stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err(ScanError::Usage {
            message: "there is no question".to_owned(),
            hint: Some(
                "give SQL with -c, a file with -f, SQL on standard input, or the name of a query of --list"
                    .to_owned(),
            ),
        });
    }
    let mut text = String::new();
    stdin
        .read_to_string(&mut text)
        .map_err(|error| ScanError::Usage {
            message: format!("cannot read SQL from standard input: {error}"),
            hint: None,
        })?;
    Ok((text, none))
}

fn read(file: &Path) -> Result<String, ScanError> {
    std::fs::read_to_string(file).map_err(|error| ScanError::Usage {
        message: format!("cannot read SQL from `{}`: {error}", file.display()),
        hint: None,
    })
}

fn settings(args: &SqlArgs) -> Result<QuerySettings, ScanError> {
    Ok(QuerySettings {
        lake: args.lake.clone(),
        logs: args.logs.clone(),
        policy: args.policy.clone(),
        layout: meant::layout(args.layout.as_deref())?,
        threads: meant::threads(args.threads),
        memory: args.memory,
        disk: DISK,
        timeout: args
            .timeout
            .map(|seconds| Duration::from_secs(seconds.into())),
    })
}
