//! `tidegate sql`: tables, a question, its answer.

mod ask;
mod catalog;
mod command;
mod complete;
mod editor;
mod interrupt;
mod output;
mod plot;
mod prompt;
mod table;

pub(super) use output::AnswerFormat;

use std::io::{IsTerminal, Read};
use std::path::Path;
use std::time::Duration;

use self::ask::{Out, ask};
use self::prompt::Prompt;
use super::args::SqlArgs;
use super::{Exit, meant, say, units};
use crate::app::error::ScanError;
use crate::app::memory::{Shares, share_heap};
use crate::app::query::{Queries, QuerySettings, empty_tables};
use crate::sql::{Engine, Params, ddl, docs};

/// Bytes of temporary files that a query may write.
const DISK: u64 = 16 << 30;

pub(super) fn run(args: &SqlArgs) -> Exit {
    if args.functions {
        return say::printed(&catalog::functions(docs()));
    }
    if let (Some(engine), Some(lake)) = (args.ddl, &args.lake) {
        return statements(engine, lake).unwrap_or_else(|error| say::failure(&error));
    }
    if args.list {
        let listed = catalog::listed(&args.queries, args.query.as_deref());
        return listed.map_or_else(|error| say::failure(&error), |text| say::printed(&text));
    }
    asked(args).unwrap_or_else(|error| say::failure(&error))
}

/// Prints the statements of another engine.
fn statements(engine: Engine, lake: &str) -> Result<Exit, ScanError> {
    let empty = match engine {
        Engine::Duckdb => empty_tables(lake)?,
        Engine::Athena | Engine::Trino | Engine::Spark => Vec::new(),
    };
    // Whoever reads the statements may do so from another folder.
    let absolute = std::path::absolute(lake).ok();
    let absolute = absolute.filter(|_| !lake.starts_with("s3://"));
    let lake = absolute.map_or(lake.into(), |path| path.to_string_lossy().into_owned());
    Ok(say::printed(&ddl(engine, &lake, &empty)))
}

fn asked(args: &SqlArgs) -> Result<Exit, ScanError> {
    let question = question(args)?;
    let settings = settings(args)?;
    share_heap(&Shares::of(settings.memory));
    let queries = Queries::open(&settings)?;
    // What is judged on the fly writes aside where queries do.
    let _ = tempfile::env::override_temp_dir(queries.temp());
    let mut out = Out::new(args.format, args.rows, args.output.clone());
    let Some((text, params)) = question else {
        interrupt::watch(queries.temp(), Some(queries.ends().clone()));
        return Prompt::new(&queries, catalog::queries(&args.queries)?, out).run();
    };
    if args.format.is_of_one() && args.output.is_none() && std::io::stdout().is_terminal() {
        return Err(ScanError::Usage {
            message: format!("{} is no text for a terminal", args.format.as_str()),
            hint: Some("give a file with -o".to_owned()),
        });
    }
    interrupt::watch(queries.temp(), None);
    Ok(ask(&queries, &text, &params, &mut out, |_| {}))
}

/// The text to be run, and the values of its parameters; none where somebody at a terminal is to be asked for it.
fn question(args: &SqlArgs) -> Result<Option<(String, Params)>, ScanError> {
    let none = Params::new();
    if let Some(name) = &args.query {
        let all = catalog::queries(&args.queries)?;
        let query = catalog::named(&all, name)?;
        let params = catalog::params(query, &args.param, units::now())?;
        return Ok(Some((query.sql.clone(), params)));
    }
    if let Some(text) = &args.command {
        return Ok(Some((text.clone(), none)));
    }
    if let Some(file) = &args.file {
        return Ok(Some((read(file)?, none)));
    }
    let mut stdin = std::io::stdin();
    if stdin.is_terminal() {
        if std::io::stdout().is_terminal() {
            return Ok(None);
        }
        return Err(ScanError::Usage {
            message: "there is no question, and a prompt needs a terminal to write to".to_owned(),
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
    Ok(Some((text, none)))
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
        policies: args.policies.clone(),
        asn: args.asn.clone(),
        geo: args.geo.clone(),
        layout: meant::layout(args.layout.as_deref())?,
        threads: meant::threads(args.threads),
        memory: args.memory,
        disk: DISK,
        timeout: args
            .timeout
            .map(|seconds| Duration::from_secs(seconds.into())),
    })
}
