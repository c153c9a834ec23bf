//! What would end findings, for people: what each is, then the network, then the policy.

mod policy;

use std::fmt::Write as _;

use super::{Form, Written, flow, written};
use crate::app::fix::{Fix, Fixes, InNetwork, PairSeen};
use crate::cli::policy::over::hanging;
use crate::cli::report::words;
use crate::config::Config;
use crate::fix::change::Change;
use crate::fix::check::Losses;
use crate::fix::close::{Closing, State};
use crate::fix::open::{self, Opening};
use crate::fix::resting::Replaced;
use crate::fix::{Passed, step_word};
use crate::judge::Finding;

/// The calls that tell how AWS is configured.
const CALLS: &str = "\
    aws ec2 describe-vpcs --output json > vpcs.json
    aws ec2 describe-subnets --output json > subnets.json
    aws ec2 describe-security-groups --output json > security-groups.json
    aws ec2 describe-network-acls --output json > network-acls.json
    aws ec2 describe-network-interfaces --output json > network-interfaces.json
    aws ec2 describe-managed-prefix-lists --output json > prefix-lists.json
";

pub(super) fn text(found: &Fixes, form: Form, width: usize) -> String {
    let mut page = Page {
        text: String::new(),
        width,
    };
    for (number, fix) in found.fixes.iter().enumerate() {
        if number > 0 {
            page.text.push_str("\n\n");
        }
        page.fix(fix, found, form);
    }
    page.text
}

/// Text as it grows.
struct Page {
    text: String,
    width: usize,
}

impl Page {
    fn say(&mut self, text: &str) {
        self.under("  ", text);
    }

    fn under(&mut self, lead: &str, text: &str) {
        let text = hanging(lead, text, self.width);
        self.text.push_str(&text);
    }

    fn head(&mut self, title: &str) {
        let _ = writeln!(self.text, "\n{title}");
    }

    /// Lines that are to be copied: indented, never broken.
    fn copied(&mut self, text: &str) {
        for line in text.lines() {
            let line = words::clean(line);
            let _ = writeln!(self.text, "{}", format!("    {line}").trim_end());
        }
    }

    fn fix(&mut self, fix: &Fix, found: &Fixes, form: Form) {
        self.finding(fix);
        self.network(fix, found, form);
        if found.policy.is_none() {
            self.head("In the policy");
            self.say("Give the policy that judged the lake (--policy FILE): then this shows what would permit the finding, or mute it, and closes nothing that the policy allows.");
            return;
        }
        if let Some(policy) = &fix.policy {
            self.policy(policy, &fix.found.finding);
        }
        if let Some(mute) = &fix.mute {
            self.mute(mute, &fix.found.finding);
        }
    }

    fn finding(&mut self, fix: &Fix) {
        let finding = &fix.found.finding;
        let head = format!(
            "{} {} {}: {}",
            finding.finding_id,
            finding.severity.as_str(),
            finding.kind.as_str(),
            finding.title
        );
        self.under("", &head);
        if !finding.rule.is_empty() {
            let reason = match finding.reason.is_empty() {
                true => String::new(),
                false => format!(": {}", finding.reason),
            };
            self.say(&format!("rule {}{reason}", finding.rule));
        } else if !finding.reason.is_empty() {
            self.say(&finding.reason);
        }
        if let Some(lacked) = &finding.lacked {
            self.say(&format!("the nearest allow: {lacked}"));
        }
        let mut seen = vec![
            words::counted(finding.connections, "connection"),
            words::counted(finding.records, "record"),
            words::bytes(finding.bytes),
        ];
        seen.extend(finding.outcome.map(|outcome| outcome.as_str().to_owned()));
        seen.push(words::interval(finding.first_seen, finding.last_seen));
        let days = fix.found.days.len() as u64;
        seen.push(format!("found on {}", words::counted(days, "day")));
        self.say(&seen.join(", "));
        if finding.muted {
            self.say("muted by the policy");
        }
        if !finding.source.is_empty() {
            // Whole, so that it can be copied.
            self.copied(&match finding.line {
                0 => finding.source.clone(),
                line => format!("{}:{line}", finding.source),
            });
        }
        for pair in &fix.seen.pairs {
            self.say(&pair_text(pair));
        }
        let told = fix.seen.pairs.len();
        if fix.seen.num_pairs > told {
            let number = words::count(fix.seen.num_pairs as u64);
            self.say(&format!(
                "The heaviest {told} of {number} pairs of addresses and ports; what follows for the network is about these."
            ));
        }
        let looked = fix.seen.edges.len() as u64;
        if fix.seen.num_edges > looked {
            self.say(&format!(
                "What follows for the policy is about {} of {}, the first by time.",
                words::count(looked),
                words::counted(fix.seen.num_edges, "edge")
            ));
        }
    }

    fn network(&mut self, fix: &Fix, found: &Fixes, form: Form) {
        let finding = &fix.found.finding;
        match &fix.network {
            InNetwork::Nothing => {}
            InNetwork::Held => {
                self.head("In the network");
                self.say("Nothing lets it through: the network held it. Look at the source, and why it tries.");
                let source = source(finding);
                if !source.is_empty() {
                    self.say(&source);
                }
            }
            InNetwork::NoConfig => {
                self.head("In the network");
                self.say("Give how AWS is configured (--config FILE...): then this names the rules, and the changes. Terraform's JSON (`terraform show -json`), or what these calls print:");
                self.text.push_str(CALLS);
            }
            InNetwork::OtherNetwork => {
                self.head("In the network");
                self.say(&format!(
                    "The configuration holds no VPC of the finding's network, {}: give what these calls print in its account and region:",
                    finding.network
                ));
                self.text.push_str(CALLS);
            }
            InNetwork::Close { closing, losses } => {
                self.head("Close it in the network");
                self.closing(closing, losses);
                if closing.changes.is_empty() && found.policy.is_none() {
                    self.say("No change is proposed without the policy: nobody could tell what else these rules are for.");
                }
                self.changes(&closing.changes, found.config.as_ref(), form, finding);
            }
            InNetwork::Open(opening) => {
                self.head("Open the network to it");
                self.opening(opening);
                self.changes(&opening.changes, found.config.as_ref(), form, finding);
            }
        }
    }

    fn closing(&mut self, closing: &Closing, losses: &Losses) {
        for told in &closing.connections {
            let state = match &told.state {
                State::Closed(step) => format!("closed by the changes, at {}", step_word(*step)),
                State::NotLet => {
                    "the configuration does not let it through: it is newer or older than the logs"
                        .to_owned()
                }
                State::Unknown => {
                    "the configuration does not tell whether it comes through".to_owned()
                }
                State::Open(reasons) if reasons.is_empty() => "comes through".to_owned(),
                State::Open(_) => "not closed".to_owned(),
            };
            self.say(&format!("{}: {state}", flow(&told.connection)));
            self.passed(&told.passed);
            if let State::Open(reasons) = &told.state {
                for reason in reasons {
                    self.under("      - ", reason);
                }
                if !reasons.is_empty() {
                    self.under("      ", "What to do instead: give the server, or the client, a security group of its own that has only the rules which it needs, and ask again.");
                }
            }
        }
        for rule in &closing.rules {
            self.replaced(rule);
        }
        if losses.connections > 0 {
            let example = match &losses.example {
                Some((connection, source, line)) => {
                    format!(", such as {} ({source}:{line})", flow(connection))
                }
                None => String::new(),
            };
            self.say(&format!(
                "Careful: the changes would end {} of the lake that are compliant{example}.",
                words::counted(losses.connections, "connection")
            ));
        }
    }

    fn passed(&mut self, passed: &[Passed]) {
        for hop in passed {
            for by in &hop.by {
                let text = format!("{}: {}: {}", step_word(hop.step), hop.lets, by.text);
                self.under("      ", &text);
            }
        }
    }

    fn replaced(&mut self, rule: &Replaced) {
        self.say(&format!(
            "{}: {} lets {} of these through, and goes.",
            rule.group, rule.rule, rule.lets
        ));
        if rule.by.is_empty() {
            self.under(
                "      ",
                "Nothing takes its place: the policy allows nothing of what it lets through.",
            );
        } else {
            self.under(
                "      ",
                "In its place, what the policy does not deny of it:",
            );
            for by in &rule.by {
                self.under("        ", &by.to_string());
            }
        }
        if rule.compliant > 0 {
            let example = match &rule.example {
                Some((source, line)) => format!(" (such as {source}:{line})"),
                None => String::new(),
            };
            self.under(
                "      ",
                &format!(
                    "{} of the lake rest on it{example}, and are kept.",
                    words::counted(rule.compliant, "compliant connection")
                ),
            );
        }
        if !rule.is_complete {
            self.under(
                "      ",
                "The configuration does not hold every interface, so what the policy allows to anybody inside is kept.",
            );
        }
    }

    fn opening(&mut self, opening: &Opening) {
        for told in &opening.connections {
            let state = match told.state {
                open::State::Opened => "comes through with the changes",
                open::State::Let => {
                    "the configuration lets it through: it is newer or older than the logs, or something else rejects it"
                }
                open::State::Unknown => {
                    "the configuration does not tell all that would have to change"
                }
            };
            self.say(&format!("{}: {state}", flow(&told.connection)));
            self.passed(&told.passed);
        }
        for beside in &opening.besides {
            self.say(&format!("Careful: {beside}."));
        }
    }

    fn changes(
        &mut self,
        changes: &[Change],
        config: Option<&Config>,
        form: Form,
        finding: &Finding,
    ) {
        let Some(config) = config.filter(|_| !changes.is_empty()) else {
            return;
        };
        self.say("The changes, in this order. None is made by this command.");
        for change in written(changes, config, form, &finding.finding_id) {
            match change {
                Written::Call(call) => self.copied(&call),
                Written::Snippet(snippet) => {
                    self.copied(&format!("# {}", snippet.what));
                    self.copied(&snippet.text);
                }
            }
        }
    }
}

fn pair_text(pair: &PairSeen) -> String {
    format!(
        "{}: {}, {}, {}",
        flow(&pair.connection),
        words::counted(pair.connections, "connection"),
        words::bytes(pair.bytes),
        words::interval(pair.first_seen, pair.last_seen)
    )
}

/// Where the inside end of a finding is, as far as it is known.
fn source(finding: &Finding) -> String {
    let known = [
        ("account", &finding.account_id),
        ("region", &finding.region),
        ("VPC", &finding.vpc_id),
        ("subnet", &finding.subnet_id),
        ("interface", &finding.interface_id),
        ("instance", &finding.instance_id),
    ];
    let known: Vec<String> = known
        .iter()
        .filter_map(|(what, id)| Some(format!("{what} {}", id.as_ref()?)))
        .collect();
    match known.is_empty() {
        true => String::new(),
        false => format!("Its inside end (of two, the server): {}.", known.join(", ")),
    }
}
