//! The words people type and the words people read: arguments, reports, exit codes. Nothing is decided here.

mod args;
mod bar;
mod detect;
mod generate;
mod known;
mod log;
mod meant;
mod policy;
mod report;
mod say;
mod scan;
mod sql;
mod units;
mod watch;

use clap::Parser;

use args::{Command, CommandLine};
use bar::Bar;

/// How a run ended: the exit codes that scripts rely on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Findings at or above `--fail-on` that are neither listed by `--known` nor muted; of `policy check`, lints.
    Findings = 1,
    /// Wrong usage or policy, or no object matched.
    Usage = 2,
    /// Some objects were unreadable, and are named.
    Partial = 3,
    /// Failed.
    Failed = 4,
}

impl Exit {
    /// Of several, the one that a script must hear of: the first of 4, 2, 3, 1.
    pub fn most_urgent(exits: impl IntoIterator<Item = Exit>) -> Exit {
        let urgency = |exit: &Exit| match exit {
            Exit::Failed => 4,
            Exit::Usage => 3,
            Exit::Partial => 2,
            Exit::Findings => 1,
            Exit::Done => 0,
        };
        exits.into_iter().max_by_key(urgency).unwrap_or(Exit::Done)
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        std::process::ExitCode::from(exit as u8)
    }
}

/// Runs the program with these arguments (the first is its name).
pub fn run(args: impl Iterator<Item = std::ffi::OsString>) -> Exit {
    let line = match CommandLine::try_parse_from(args) {
        Ok(line) => line,
        Err(error) => {
            // Help and version come this way too. Nobody listening is no failure.
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Done
            };
        }
    };
    let bar = Bar::new();
    log::start(&line.log_format, &bar);
    match line.command {
        Command::Scan(args) => scan::run(&args, &bar),
        Command::Watch(args) => watch::run(&args),
        Command::Sql(args) => sql::run(&args),
        Command::Policy(command) => policy::run(&command, &bar),
        Command::Detect(command) => detect::run(&command),
        Command::Generate(args) => generate::run(&args),
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn of_several_exits_the_first_of_4_2_3_1_counts() {
        fn check(exits: &[Exit], expected: Exit) {
            assert_eq!(
                Exit::most_urgent(exits.iter().copied()),
                expected,
                "{exits:?}"
            );
        }
        check(&[], Exit::Done);
        check(&[Exit::Done, Exit::Findings], Exit::Findings);
        check(&[Exit::Findings, Exit::Partial], Exit::Partial);
        check(&[Exit::Partial, Exit::Usage, Exit::Findings], Exit::Usage);
        check(&[Exit::Usage, Exit::Failed, Exit::Partial], Exit::Failed);
    }
}
