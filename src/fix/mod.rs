//! What would end a finding: a change of the network, or a change of the policy. Nothing is changed here.
//!
//! [`close`] ends what is let through and ought not to be: `carriers` knows whom a security group's rule is for, [`resting`]
//! what rests on it, `narrow` what takes its place, `acl` which entry of a network ACL denies; [`check`] counts what would be
//! lost. [`open`] ends what is held and ought not to be.
//! [`change`] is what both propose, and what a configuration is with it; [`commands`] and [`terraform`] say it in the words of
//! AWS's command line and of Terraform, `shell` keeps what people have written inside its quotes. [`permission`] makes the
//! rule that permits what a finding is about, out of `words` of the policy, has `edit` change the rules that stand against it,
//! and says what else it permits; [`evidence`] says what is missing to decide, [`place`] makes the text for what belongs
//! nowhere, and [`mute`] the one by which a finding is accepted.
//!
//! No I/O, no clock.

mod acl;
mod carriers;
pub mod change;
pub mod check;
pub mod close;
pub mod commands;
mod edit;
pub mod evidence;
pub mod mute;
mod narrow;
pub mod open;
pub mod permission;
pub mod place;
pub mod resting;
mod shell;
pub mod terraform;
mod words;

#[cfg(test)]
mod tests;

use crate::config::permit::{Reference, Step};

/// What a connection passes, and what becomes of it there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Passed {
    /// The hop.
    pub step: Step,
    /// `yes`, `partly`, `no` or `unknown`.
    pub lets: &'static str,
    /// The rules or entries by which it is so; where it is unknown, why.
    pub by: Vec<Named>,
}

/// A rule or entry as it is told.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Named {
    /// The id of its security group or network ACL; empty where it is about none.
    pub id: String,
    /// What it says.
    pub text: String,
}

impl Named {
    fn of(reference: &Reference<'_>) -> Named {
        Named {
            id: reference.id().to_owned(),
            text: reference.to_string(),
        }
    }
}

/// A hop in a word: `server-groups`.
pub fn step_word(step: Step) -> &'static str {
    match step {
        Step::ClientGroups => "client-groups",
        Step::ClientAcl => "client-acl",
        Step::ServerAcl => "server-acl",
        Step::ServerGroups => "server-groups",
        Step::ServerAclReply => "server-acl-reply",
        Step::ClientAclReply => "client-acl-reply",
    }
}
