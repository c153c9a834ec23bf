//! `tidegate scan`: settings, the run, its reports, the exit code.

use super::args::ScanArgs;
use super::bar::Bar;
use super::report::{self, Look};
use super::{Exit, meant, say, units};
use crate::app::error::ScanError;
use crate::app::memory::{Shares, share_heap};
use crate::app::report::RunReport;
use crate::app::settings::{Format, ScanSettings};

pub(super) fn run(args: &ScanArgs, bar: &Bar) -> Exit {
    let settings = match meant::scan(args, units::now()) {
        Ok(settings) => settings,
        Err(error) => return say::failure(&error),
    };
    share_heap(&Shares::of(settings.memory));
    let ended = if settings.plan {
        plan(&settings, bar)
    } else {
        judge(&settings, args.limit, bar)
    };
    bar.clear();
    ended.unwrap_or_else(|error| say::failure(&error))
}

fn plan(settings: &ScanSettings, bar: &Bar) -> Result<Exit, ScanError> {
    let plan = crate::app::plan::plan(settings, bar)?;
    bar.clear();
    let text = match settings.format {
        Format::Json => report::plan_json(&plan),
        _ => report::plan_text(&plan),
    };
    print(&text)?;
    Ok(Exit::Done)
}

fn judge(settings: &ScanSettings, limit: usize, bar: &Bar) -> Result<Exit, ScanError> {
    let report = crate::app::batch::scan(settings, bar)?;
    bar.clear();
    warn(&report, settings.format);
    // One report that cannot be written does not keep the others back.
    let mut exits = vec![exit(&report, settings)];
    for output in &settings.outputs {
        let look = Look {
            width: say::PIPE_WIDTH,
            colour: false,
            limit,
            fail_on: settings.fail_on,
        };
        let text = report::render(&report, output.format, &look);
        if let Err(error) = std::fs::write(&output.path, text) {
            let message = format!(
                "cannot write the {} report `{}`: {error}",
                output.format.as_str(),
                output.path.display()
            );
            say::error(
                &message,
                Some("the run itself is complete; its other reports are written"),
            );
            exits.push(Exit::Failed);
        }
    }
    let look = Look {
        width: say::width(),
        colour: say::colour(),
        limit,
        fail_on: settings.fail_on,
    };
    print(&report::render(&report, settings.format, &look))?;
    Ok(Exit::most_urgent(exits))
}

fn print(text: &str) -> Result<(), ScanError> {
    say::data(text).map_err(|error| {
        ScanError::Failed(anyhow::Error::new(error).context("cannot write to standard output"))
    })
}

/// Says on standard error what the format of standard output has no place for.
fn warn(report: &RunReport, format: Format) {
    for warning in &report.warnings {
        say::warning(warning);
    }
    if !matches!(format, Format::Text) {
        for (url, why) in &report.coverage.unreadable {
            say::warning(&format!("could not read {url}: {why}"));
        }
    }
}

/// How the run ends by what it found.
fn exit(report: &RunReport, settings: &ScanSettings) -> Exit {
    let mut exits = Vec::new();
    if !report.coverage.unreadable.is_empty() {
        exits.push(Exit::Partial);
    }
    if let (Some(worst), Some(fail_on)) = (report.worst_open(), settings.fail_on)
        && worst >= fail_on
    {
        exits.push(Exit::Findings);
    }
    Exit::most_urgent(exits)
}
