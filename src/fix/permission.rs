//! The change of a policy that permits what a finding is about: an allow out of the narrowest words that there are, and the
//! rules that stand against it.
//!
//! The changed policy is parsed, and the finding's own edges are judged by it again: what it is said to permit, it permits.
//! What it permits besides is found by the exact comparison of both policies.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::words::{called, free_name, list, names, service_line};
use super::{edit, words};
use crate::draft::quoted;
use crate::judge::replay::{Again, Pair, Rejudge, Said};
use crate::judge::{Edge, Finding, Orientation};
use crate::net::protocol;
use crate::policy::diff::{Change, ChangeKind, Options, TooMuch, diff};
use crate::policy::{Answer, Effect, NetworkId, Policy, PolicyErrors, RuleId};

/// How many rules may stand against an allow, one behind the other.
const MAX_ROUNDS: usize = 10;

/// A policy to be changed, for a finding.
pub struct Asked<'a> {
    /// The finding.
    pub finding: &'a Finding,
    /// Its edges, or so many of them as are looked at.
    pub edges: &'a [Edge],
    /// The policy that the lake was judged by.
    pub policy: &'a Policy,
    /// Its file.
    pub text: &'a str,
    /// Compiles a text that stands in the place of the file.
    pub parse: &'a dyn Fn(&str) -> Result<Policy, PolicyErrors>,
    /// The network that the finding is of.
    pub network: NetworkId,
    /// The day on which an exception ends, as TOML writes it.
    pub until: &'a str,
}

/// A change of a policy.
#[derive(Clone, Debug)]
pub struct Permission {
    /// The id of the new rule.
    pub rule: String,
    /// Sections to paste behind the policy: what is new in it, the rule last.
    pub paste: String,
    /// The same with a rule that ends: an exception.
    pub exception: String,
    /// Rules that have to be changed besides.
    pub edits: Vec<Edit>,
    /// How many of the finding's connections the changed policy allows.
    pub allowed: u64,
    /// How many it does not, by what it says of them.
    pub others: BTreeMap<String, u64>,
    /// What else is decided otherwise, at the instant when the finding was last seen.
    pub widens: Result<Vec<Change>, TooMuch>,
}

/// A rule that has to be changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Edit {
    /// Its id.
    pub rule: String,
    /// The key.
    pub key: &'static str,
    /// What the key lists then.
    pub list: Vec<String>,
}

/// What stands against an allow.
enum Against {
    Deny(String),
    Require(String),
}

/// The rule as it grows.
struct Draft {
    id: String,
    sections: String,
    from: Vec<String>,
    to: Vec<String>,
    service: String,
    exempt: Vec<String>,
    /// Whether equals have to be allowed both ways.
    both_ways: bool,
}

/// Makes the change.
///
/// # Errors
/// What is wrong with the changed policy, if it is none: the file has rules in a form that sections cannot follow.
pub fn permit(asked: &Asked<'_>) -> Result<Permission, PolicyErrors> {
    let mut draft = Draft::new(asked);
    let mut text = asked.text.to_owned();
    let mut edits: Vec<Edit> = Vec::new();
    let mut changed = (asked.parse)(&draft.on(&text, None))?;
    for _ in 0..MAX_ROUNDS {
        let against = against(asked, &changed);
        let mut has_changed = false;
        for against in against {
            match against {
                Against::Require(id) if !draft.exempt.contains(&id) => {
                    draft.exempt.push(id);
                    has_changed = true;
                }
                Against::Deny(id) => {
                    let Some(edit) = excepted((&mut text, asked.policy), &draft, &id, &edits)
                    else {
                        continue;
                    };
                    edits.retain(|known| (&known.rule, known.key) != (&edit.rule, edit.key));
                    edits.push(edit);
                    has_changed = true;
                }
                Against::Require(_) => {}
            }
        }
        if !has_changed {
            break;
        }
        changed = (asked.parse)(&draft.on(&text, None))?;
    }
    // The exception is the same rule with an end.
    (asked.parse)(&draft.on(&text, Some(asked.until)))?;
    let (allowed, others) = decided(asked, &changed);
    let options = Options {
        at: Some(asked.finding.last_seen),
        with_rules: false,
    };
    let widens = diff(asked.policy, &changed, &options).map(|diff| diff.changes);
    Ok(Permission {
        rule: draft.id.clone(),
        paste: draft.text(None),
        exception: draft.text(Some(asked.until)),
        edits,
        allowed,
        others,
        widens,
    })
}

impl Permission {
    /// What the change allows that was not allowed, the finding's own connections among it.
    pub fn newly_allowed(&self) -> Vec<&Change> {
        let changes = self.widens.iter().flatten();
        changes
            .filter(|change| change.kind == ChangeKind::NewlyAllowed)
            .collect()
    }
}

impl Draft {
    fn new(asked: &Asked<'_>) -> Draft {
        let (policy, network) = (asked.policy, asked.network);
        let short: String = asked.finding.finding_id.chars().take(8).collect();
        let id = free_name(policy, &format!("finding-{short}"));
        let mut sections = String::new();
        let mut side = |name: &str, client: bool| {
            let name = free_name(policy, &format!("{name}-of-{short}"));
            let ends = asked.edges.iter().map(|edge| match client {
                true => (edge.client_addr, edge.client_zone.as_str()),
                false => (edge.server_addr, edge.server_zone.as_str()),
            });
            let called = called(policy, (network, asked.finding.last_seen), ends, &name);
            if !called.destination.is_empty() {
                let cidrs: Vec<String> =
                    called.destination.iter().map(ToString::to_string).collect();
                let _ = write!(
                    sections,
                    "[destinations.{}]\ncidrs = {}\n\n",
                    quoted(&name),
                    list(&cidrs)
                );
            }
            called.words
        };
        let (from, to) = (side("clients", true), side("servers", false));
        let both_ways = asked.edges.iter().any(|edge| {
            edge.orientation == Orientation::Peer
                && protocol::has_ports(edge.protocol)
                && !policy.is_symmetric(edge.protocol, edge.server_port.unwrap_or(0))
        });
        Draft {
            id,
            sections,
            from,
            to,
            service: service_line(policy, asked.edges),
            exempt: Vec::new(),
            both_ways,
        }
    }

    /// The sections that are new; with an end if one is given.
    fn text(&self, until: Option<&str>) -> String {
        let mut text = self.sections.clone();
        self.rule(&mut text, &self.id, [&self.from, &self.to], until);
        if self.both_ways {
            text.push('\n');
            let id = format!("{}-back", self.id);
            self.rule(&mut text, &id, [&self.to, &self.from], until);
        }
        text
    }

    fn rule(
        &self,
        text: &mut String,
        id: &str,
        [from, to]: [&Vec<String>; 2],
        until: Option<&str>,
    ) {
        let _ = write!(
            text,
            "[[allow]]\nid = {}\nfrom = {}\nto = {}\n{}\n",
            quoted(id),
            names(from),
            names(to),
            self.service
        );
        if !self.exempt.is_empty() {
            let _ = writeln!(text, "exempt = {}", list(&self.exempt));
        }
        match until {
            None => {
                text.push_str("reason = \"FILL IN: why this is needed\"\nowner = \"FILL IN\"\n")
            }
            Some(until) => {
                let _ = write!(
                    text,
                    "expires = {until}  # FILL IN\nowner = \"FILL IN\"\nticket = \"FILL IN\"\nreason = \"FILL IN: why this is needed until then\"\n"
                );
            }
        }
    }

    /// A policy's text with them.
    fn on(&self, text: &str, until: Option<&str>) -> String {
        format!("{}\n\n{}", text.trim_end(), self.text(until))
    }
}

/// Takes the finding's ends out of a deny: the servers where these have a name of their own, else the clients, unless that
/// would leave nothing of the rule and the other end would not. None if that is done already, or cannot be.
fn excepted(
    (text, policy): (&mut String, &Policy),
    draft: &Draft,
    id: &str,
    edits: &[Edit],
) -> Option<Edit> {
    let is_own = |words: &[String]| {
        let section = |word: &String| format!("[destinations.{}]", quoted(word));
        words
            .iter()
            .all(|word| draft.sections.contains(&section(word)))
    };
    let rows = policy.rule_rows();
    let row = rows.iter().find(|row| row.rule.id == id)?;
    let sides = [
        ("to_except", &draft.to, &row.servers),
        ("from_except", &draft.from, &row.clients),
    ];
    let mut ordered: Vec<_> = sides
        .into_iter()
        .filter(|(key, ..)| {
            let mut known = edits.iter();
            !known.any(|edit| (edit.rule.as_str(), edit.key) == (id, *key))
        })
        .collect();
    ordered.sort_by_key(|(key, words, whole)| {
        let leaves_nothing = whole.iter().all(|word| words.contains(word));
        (leaves_nothing, !is_own(words), *key == "to_except")
    });
    let (key, words, _) = ordered.first()?;
    let (changed, list) = edit::with_words(text.as_str(), "deny", id, key, words)?;
    *text = changed;
    Some(Edit {
        rule: id.to_owned(),
        key,
        list,
    })
}

/// The rules of the changed policy by which it denies edges of the finding.
fn against(asked: &Asked<'_>, changed: &Policy) -> Vec<Against> {
    let mut found = Vec::new();
    let mut seen: Vec<RuleId> = Vec::new();
    each_said(asked, changed, &mut |_, said| {
        let Some(Said::Decided(Answer::Deny, rule)) = said else {
            return;
        };
        if seen.contains(&rule) {
            return;
        }
        seen.push(rule);
        let rule = changed.rule(rule);
        match rule.effect {
            Effect::Deny => found.push(Against::Deny(rule.id.clone())),
            Effect::RequireZone | Effect::RequireLabels | Effect::RequireEncrypted => {
                found.push(Against::Require(rule.id.clone()));
            }
            Effect::Allow | Effect::Default => {}
        }
    });
    found
}

/// How many of the finding's connections a policy allows, and what it says of the others.
fn decided(asked: &Asked<'_>, changed: &Policy) -> (u64, BTreeMap<String, u64>) {
    let (mut allowed, mut others) = (0, BTreeMap::new());
    each_said(asked, changed, &mut |edge, said| {
        let what = match said {
            Some(Said::Decided(Answer::Allow, _)) => {
                allowed += edge.connections;
                return;
            }
            Some(Said::Decided(answer, rule)) => {
                format!("{} by {}", answer.as_str(), changed.rule(rule).id)
            }
            Some(Said::Not(reason)) => format!("not judged: {}", reason.as_str()),
            None => "decided by evidence that a lake does not keep".to_owned(),
        };
        *others.entry(what).or_default() += edge.connections;
    });
    (allowed, others)
}

/// What the changed policy says of each edge; none where the lake does not keep what decides.
fn each_said(asked: &Asked<'_>, changed: &Policy, each: &mut dyn FnMut(&Edge, Option<Said>)) {
    let pair = Pair {
        old: asked.policy,
        new: changed,
    };
    // Which rule of several gives an answer may differ by what the lake does not keep.
    let mut rejudge = Rejudge::new(pair, true).by_answer();
    for edge in asked.edges {
        let said = match rejudge.again(&edge.row()) {
            Again::Told { told, .. } => Some(told.new),
            Again::Unknown => None,
        };
        each(edge, said);
    }
}

/// The line that a changed rule has then.
impl Edit {
    /// `from_except = ["app"]`.
    pub fn line(&self) -> String {
        format!("{} = {}", self.key, words::list(&self.list))
    }
}
