//! What a policy would say for a finding to end, for people.

use super::Page;
use crate::app::fix::InPolicy;
use crate::cli::policy::diff::text::blocks;
use crate::cli::report::words;
use crate::fix::mute::Muting;
use crate::fix::permission::Permission;
use crate::judge::{Finding, Kind};
use crate::policy::PolicyErrors;

/// Changes of decisions that are shown; JSON has them all.
const MAX_CHANGES: usize = 20;

impl Page {
    pub(super) fn policy(&mut self, policy: &InPolicy, finding: &Finding) {
        match policy {
            InPolicy::Permit(Ok(permission)) => {
                self.head("Or permit it in the policy");
                self.permission(permission);
            }
            InPolicy::Permit(Err(errors)) => {
                self.head("Or permit it in the policy");
                self.unfit(errors);
            }
            InPolicy::Permits => {
                self.head("In the policy");
                self.say(&format!(
                    "It permits this, by {}. If it ought not to, narrow or remove that rule.",
                    finding.rule
                ));
            }
            InPolicy::Evidence(missing) => {
                self.head("What is missing to decide");
                if missing.is_empty() {
                    self.say("By addresses alone the policy decides; what records said of them left it open. `policy explain --record` tells of one.");
                }
                for one in missing {
                    self.say(&format!(
                        "{} ({}): {}. To give it: {}.",
                        one.rule, one.word, one.evidence, one.how
                    ));
                }
            }
            InPolicy::Place(Ok(placing)) => {
                self.head("Give it a place in the policy");
                self.copied(&placing.text);
                if placing.tier.is_none() {
                    self.say("Fill in the tier: FILL-IN is none.");
                }
                if !placing.is_subnet {
                    self.say("The prefix is that of the address alone: write its subnet's, which describe-subnets tells, or give that with --config.");
                }
                if !placing.holds {
                    self.say("Careful: by the policy with it the address is still in no tier.");
                }
            }
            InPolicy::Place(Err(errors)) => {
                self.head("Give it a place in the policy");
                self.unfit(errors);
            }
            InPolicy::Advice(advice) => {
                self.head("What the detector's page advises");
                self.say(advice);
                self.say(&format!(
                    "All of it: tidegate detect explain {}",
                    finding.kind.as_str()
                ));
            }
            InPolicy::NoNetwork => {
                self.head("In the policy");
                self.say(&format!("It has no network {}.", finding.network));
            }
            InPolicy::NoEdges => {
                self.head("In the policy");
                self.say("The lake holds no edge of it any more, so nothing can be said of what would permit it.");
            }
        }
    }

    fn permission(&mut self, permission: &Permission) {
        self.say("For good; paste it, and fill in what is to be filled in:");
        self.copied(&permission.paste);
        self.say("Or for a time, as an exception:");
        self.copied(&permission.exception);
        if !permission.edits.is_empty() {
            self.say("Either way these rules stand against it, and have to change:");
            for edit in &permission.edits {
                self.copied(&format!("[[deny]] {}: {}", edit.rule, edit.line()));
            }
        }
        let others: u64 = permission.others.values().sum();
        let whole = permission.allowed + others;
        self.say(&format!(
            "With that the policy allows {} of the finding's {}.",
            words::count(permission.allowed),
            words::counted(whole, "connection")
        ));
        for (what, connections) in &permission.others {
            let connections = words::counted(*connections, "connection");
            self.under("      ", &format!("{connections}: {what}"));
        }
        match &permission.widens {
            Err(error) => self.say(&format!("What else it allows cannot be told: {error}")),
            Ok(changes) if changes.is_empty() => {
                self.say("By addresses it decides nothing otherwise.");
            }
            Ok(changes) => {
                self.say("All that it decides otherwise, the finding included:");
                let shown: Vec<_> = changes.iter().take(MAX_CHANGES).collect();
                let mut text = String::new();
                let has_several = shown.iter().any(|one| one.network != shown[0].network);
                blocks(&mut text, &shown, has_several);
                self.copied(&text);
                if changes.len() > MAX_CHANGES {
                    let more = words::count((changes.len() - MAX_CHANGES) as u64);
                    self.under(
                        "      ",
                        &format!("and {more} more, which `policy diff` or --format json shows"),
                    );
                }
            }
        }
    }

    pub(super) fn mute(&mut self, mute: &Result<Muting, PolicyErrors>, finding: &Finding) {
        match mute {
            Ok(muting) if muting.holds => {
                self.head("Or accept it");
                self.copied(&muting.text);
            }
            Ok(_) if finding.kind == Kind::Unassigned => {}
            Ok(_) => {
                self.head("Or accept it");
                self.say("No mute fits just this; list its id in the file of `scan --known`.");
            }
            Err(errors) => {
                self.head("Or accept it");
                self.unfit(errors);
            }
        }
    }

    /// The policy's file is in a form that cannot be continued.
    fn unfit(&mut self, errors: &PolicyErrors) {
        self.say("The policy's file cannot be continued by sections of its own: expected each rule in a section, [[allow]] and its keys below.");
        for error in errors.errors().iter().take(3) {
            self.under("      - ", &error.message);
        }
    }
}
