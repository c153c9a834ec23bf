//! Logs on standard error: text for people, JSON for machines. `RUST_LOG` chooses what is logged, warnings by default.

use std::io::{self, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::bar::Bar;

/// Warnings, but not those of the AWS SDK: what it tries in vain before it succeeds (a profile, an instance's role) warns
/// although nothing is wrong, and what fails in the end comes back as an error with advice.
const DEFAULT_FILTER: &str = "warn,aws_config=off,aws_runtime=off,aws_sdk_s3=off,aws_sdk_sso=off,aws_sdk_sts=off,aws_smithy_runtime=off,\
     aws_smithy_runtime_api=off,aws_smithy_http_client=off";

/// Starts logging; lines go around the bar.
pub(super) fn start(format: &str, bar: &Bar) {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(AroundBar(bar.clone()))
        .with_ansi(false);
    // A second start in one process (tests) keeps the first.
    let _ = if format == "json" {
        logs.json().try_init()
    } else {
        logs.try_init()
    };
}

struct AroundBar(Bar);

impl Write for AroundBar {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write_all(line))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl<'a> MakeWriter<'a> for AroundBar {
    type Writer = AroundBar;

    fn make_writer(&'a self) -> AroundBar {
        AroundBar(self.0.clone())
    }
}
