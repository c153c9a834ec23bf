//! `tidegate policy`: work on policy files, a file for each command with its arguments.

mod check;
mod explain;
mod test;

use clap::Subcommand;

use super::Exit;

#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Check policy files: every error with its file, line and column, or `ok` and what is probably not meant.
    Check(check::CheckArgs),

    /// Run the tests of policy files, or print tests made from what a lake has found.
    Test(test::TestArgs),

    /// Say how the policy decides on a flow: what is known of its ends, how every rule stands, which one decides and why.
    Explain(explain::ExplainArgs),
}

pub(super) fn run(command: &PolicyCommand) -> Exit {
    match command {
        PolicyCommand::Check(args) => check::run(args),
        PolicyCommand::Test(args) => test::run(args),
        PolicyCommand::Explain(args) => explain::run(args),
    }
}
