//! `tidegate policy`: work on policy files, a file for each command with its arguments.

mod check;
mod controls;
mod diff;
mod drift;
mod explain;
mod fix;
mod import;
mod over;
mod replay;
mod suggest;
mod test;
mod usage;

use clap::Subcommand;

use super::Exit;
use super::bar::Bar;

#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Check policy files: every error with its file, line and column, or `ok` and what is probably not meant.
    Check(check::CheckArgs),

    /// Run the tests of policy files, or print tests made from what a lake has found.
    Test(test::TestArgs),

    /// Say how the policy decides on a flow: what is known of its ends, how every rule stands, which one decides and why.
    Explain(explain::ExplainArgs),

    /// Compare two policy files: which connections become allowed or denied, and by which rules.
    Diff(diff::DiffArgs),

    /// Tell which connections of logs or of a lake two policies judge differently.
    #[command(after_help = replay::EXAMPLES)]
    Replay(Box<replay::ReplayArgs>),

    /// Tell what the traffic of logs or of a lake uses of a policy: every rule's hits, unused rules, and those that could be narrower.
    #[command(after_help = usage::EXAMPLES)]
    Usage(Box<usage::UsageArgs>),

    /// Tell what would end findings of a lake: the change of security groups or network ACLs that closes them, and the rule that permits them. It changes nothing.
    #[command(after_help = fix::EXAMPLES)]
    Fix(fix::FixArgs),

    /// Draft a policy from how AWS is configured.
    #[command(subcommand)]
    Import(import::ImportCommand),

    /// Compare what a policy intends, what AWS is configured to let through, and what the logs show: each gap with the rules that make it.
    #[command(after_help = drift::EXAMPLES)]
    Drift(Box<drift::DriftArgs>),

    /// Tell what a lake evidences of the controls that rules implement: met, violated or not evidenced, and why.
    #[command(after_help = controls::EXAMPLES)]
    Controls(controls::ControlsArgs),

    /// Learn the allows that cover the accepted traffic of logs or of a lake, on the map of a policy; what is left out is named.
    #[command(after_help = suggest::EXAMPLES)]
    Suggest(Box<suggest::SuggestArgs>),
}

pub(super) fn run(command: &PolicyCommand, bar: &Bar) -> Exit {
    match command {
        PolicyCommand::Check(args) => check::run(args),
        PolicyCommand::Test(args) => test::run(args),
        PolicyCommand::Explain(args) => explain::run(args),
        PolicyCommand::Diff(args) => diff::run(args),
        PolicyCommand::Replay(args) => replay::run(args, bar),
        PolicyCommand::Usage(args) => usage::run(args, bar),
        PolicyCommand::Fix(args) => fix::run(args),
        PolicyCommand::Import(command) => import::run(command),
        PolicyCommand::Drift(args) => drift::run(args, bar),
        PolicyCommand::Controls(args) => controls::run(args),
        PolicyCommand::Suggest(args) => suggest::run(args, bar),
    }
}
