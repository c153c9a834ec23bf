//! Closing connections in the network: which rules and entries let them through, and which changes end that without what the
//! policy allows.
//!
//! A connection is closed at one place, the first of these at which nothing is lost: the server's security groups, the
//! client's, the network ACL of the server's subnet, that of the client's. At groups every rule that lets it through has to
//! go or to become narrower; an ACL gets an entry that denies. What comes of it is asked for again before it is told.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::permit::{Connection, Hop, Lets, Permit, Permits, Reference, Step, Through};
use crate::config::{Config, GroupRule};
use crate::policy::PortsBetween;

use super::acl::{self, Denial};
use super::change::{Change, applied, is_same, is_same_change};
use super::narrow;
use super::resting::{Replaced, Resting, RuleKey};
use super::{Named, Passed};

/// Finds how to close connections.
pub struct Closer<'c> {
    config: &'c Config,
    asked: Vec<(Connection, Permit<'c>)>,
    rules: BTreeMap<RuleKey<'c>, Resting>,
    denials: BTreeMap<Denial, u64>,
}

/// How connections are closed.
#[derive(Clone, Debug)]
pub struct Closing {
    /// Each connection, in the order given.
    pub connections: Vec<Told>,
    /// The rules that go, with what takes their place.
    pub rules: Vec<Replaced>,
    /// All changes in the order in which they are to be made: what is added comes first, so that nothing is lost between.
    pub changes: Vec<Change>,
}

/// What is told of a connection.
#[derive(Clone, Debug)]
pub struct Told {
    /// The connection.
    pub connection: Connection,
    /// What it passes, and by what.
    pub passed: Vec<Passed>,
    /// How it is closed.
    pub state: State,
}

/// How a connection is closed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum State {
    /// At this place, by the changes.
    Closed(Step),
    /// The configuration does not let it through.
    NotLet,
    /// The configuration does not tell.
    Unknown,
    /// Nowhere without a loss, for these reasons.
    Open(Vec<String>),
}

impl<'c> Closer<'c> {
    /// For these connections.
    pub fn new(config: &'c Config, connections: &[Connection]) -> Closer<'c> {
        let permits = Permits::new(config);
        let asked: Vec<(Connection, Permit<'c>)> = connections
            .iter()
            .map(|connection| (*connection, permits.ask(connection)))
            .collect();
        let mut closer = Closer {
            config,
            rules: BTreeMap::new(),
            denials: BTreeMap::new(),
            asked: Vec::new(),
        };
        for (connection, permit) in &asked {
            for step in [Step::ServerGroups, Step::ClientGroups] {
                for key in rules_at(permit, step).unwrap_or_default() {
                    closer
                        .rules
                        .entry(key)
                        .or_insert_with(|| Resting::of(config, key));
                }
            }
            for step in [Step::ServerAcl, Step::ClientAcl] {
                closer
                    .denials
                    .extend(acl::denial(permit, connection, step).map(|denial| (denial, 0)));
            }
        }
        closer.asked = asked;
        closer
    }

    /// Takes compliant traffic of the lake, so that what rests on a rule is not lost with it.
    pub fn see(
        &mut self,
        connection: &Connection,
        connections: u64,
        (source, line): (&str, u64),
        mut between: Option<&mut PortsBetween<'_>>,
    ) {
        let example = (source, line);
        for ((_, rule), resting) in &mut self.rules {
            let between = between.as_deref_mut();
            resting.see(
                rule,
                (connection, connections),
                example,
                self.config,
                between,
            );
        }
        for (denial, seen) in &mut self.denials {
            if denial.denies(connection, self.config) {
                *seen += connections;
            }
        }
    }

    /// How to close them by a policy; without one it is only told what lets them through.
    pub fn close(self, mut between: Option<&mut PortsBetween<'_>>) -> Closing {
        let mut told: Vec<Told> = self
            .asked
            .iter()
            .map(|(connection, permit)| Told {
                connection: *connection,
                passed: passed(&permit.request),
                state: match permit.request() {
                    Through::Nothing => State::NotLet,
                    Through::Unknown => State::Unknown,
                    Through::All | Through::Part => State::Open(Vec::new()),
                },
            })
            .collect();
        let mut rules = Vec::new();
        let mut changes = Vec::new();
        if let Some(between) = between.as_deref_mut() {
            rules = self.at_groups(&mut told, between);
            changes = rules.iter().flat_map(Replaced::changes).collect();
            changes.extend(self.at_acls(&mut told, between));
        }
        for told in &mut told {
            if let State::Open(reasons) = &mut told.state
                && reasons.is_empty()
                && between.is_some()
            {
                reasons.push(
                    "no security group or network ACL of the configuration stands in its way"
                        .to_owned(),
                );
            }
        }
        changes.retain(|change| !self.is_there(change, &rules));
        changes.sort_unstable();
        changes.dedup_by(|one, other| is_same_change(one, other));
        self.check(&mut told, &changes);
        Closing {
            connections: told,
            rules,
            changes,
        }
    }

    /// Whether a group has a rule already, and keeps it. AWS refuses to add it again.
    fn is_there(&self, change: &Change, replaced: &[Replaced]) -> bool {
        let Change::Authorize { group, rule } = change else {
            return false;
        };
        let goes = |one: &GroupRule| {
            let mut of_group = replaced.iter().filter(|gone| gone.group == *group);
            of_group.any(|gone| is_same(&gone.rule, one))
        };
        let known = self.config.group(group).into_iter();
        let mut rules = known.flat_map(|group| &group.rules);
        rules.any(|one| is_same(one, rule) && !goes(one))
    }

    /// Closes at security groups what can be closed there.
    fn at_groups(&self, told: &mut [Told], between: &mut PortsBetween<'_>) -> Vec<Replaced> {
        let mut narrowed: BTreeMap<RuleKey<'c>, Result<Vec<GroupRule>, String>> = BTreeMap::new();
        for (key, resting) in &self.rules {
            let found = match resting.has_more {
                true => Err("so much compliant traffic rests on it by evidence that a rule does not know that it is left as it is".to_owned()),
                false => narrow::narrow(&resting.wide(*key), self.config, between)
                    .map_err(|why| why.to_string()),
            };
            narrowed.insert(*key, found);
        }
        let mut lets: BTreeMap<RuleKey<'c>, usize> = BTreeMap::new();
        for ((connection, permit), told) in self.asked.iter().zip(told) {
            for step in [Step::ServerGroups, Step::ClientGroups] {
                let State::Open(reasons) = &mut told.state else {
                    break;
                };
                let keys = match rules_at(permit, step) {
                    Ok(keys) => keys,
                    Err(why) => {
                        reasons.extend(why);
                        continue;
                    }
                };
                let mut against = Vec::new();
                for key in &keys {
                    let why = match &narrowed[key] {
                        Ok(rules) => {
                            let wide = self.rules[key].wide(*key);
                            narrow::conflict(&wide, rules, connection, between)
                                .map(|why| why.to_string())
                        }
                        Err(why) => Some(why.clone()),
                    };
                    against.extend(why.map(|why| format!("{}: {}: {why}", key.0, key.1)));
                }
                if against.is_empty() {
                    told.state = State::Closed(step);
                    for key in keys {
                        *lets.entry(key).or_default() += 1;
                    }
                } else {
                    reasons.extend(against);
                }
            }
        }
        lets.into_iter()
            .filter_map(|(key, lets)| {
                let by = narrowed.remove(&key)?.ok()?;
                Some(self.rules[&key].replaced(key, by, lets))
            })
            .collect()
    }

    /// Closes at network ACLs what groups leave open.
    fn at_acls(&self, told: &mut [Told], between: &mut PortsBetween<'_>) -> Vec<Change> {
        let mut wanted: BTreeSet<Denial> = BTreeSet::new();
        for ((connection, permit), told) in self.asked.iter().zip(told.iter_mut()) {
            for step in [Step::ServerAcl, Step::ClientAcl] {
                let State::Open(reasons) = &mut told.state else {
                    break;
                };
                let Some(denial) = acl::denial(permit, connection, step) else {
                    continue;
                };
                let seen = self.denials.get(&denial).copied().unwrap_or(0);
                match denial.loses(self.config, between, seen) {
                    None => {
                        wanted.insert(denial);
                        told.state = State::Closed(step);
                    }
                    Some(why) => reasons.push(why),
                }
            }
        }
        match acl::entries(self.config, &wanted) {
            Ok(changes) => changes,
            Err(why) => {
                let is_acl = |step: &Step| matches!(step, Step::ServerAcl | Step::ClientAcl);
                for told in told {
                    if matches!(&told.state, State::Closed(step) if is_acl(step)) {
                        told.state = State::Open(vec![why.clone()]);
                    }
                }
                Vec::new()
            }
        }
    }

    /// Nothing is said to be closed that the changed configuration lets through.
    fn check(&self, told: &mut [Told], changes: &[Change]) {
        let after = applied(self.config, changes);
        let permits = Permits::new(&after);
        for told in told {
            let is_closed = permits.ask(&told.connection).request() == Through::Nothing;
            if matches!(told.state, State::Closed(_)) && !is_closed {
                told.state = State::Open(vec![
                    "with these changes the configuration still lets it through".to_owned(),
                ]);
            }
        }
    }
}

impl Closing {
    /// The configuration with the changes.
    pub fn applied(&self, config: &Config) -> Config {
        applied(config, &self.changes)
    }
}

/// The rules that let a connection through at a step, each of which has to go.
///
/// # Errors
/// Why it cannot be closed there, if there is something to say.
fn rules_at<'c>(permit: &Permit<'c>, step: Step) -> Result<Vec<RuleKey<'c>>, Option<String>> {
    let Some(hop) = permit.request.iter().find(|hop| hop.step == step) else {
        return Err(None);
    };
    let mut keys = Vec::new();
    for part in &hop.parts {
        let Lets::Yes(references) = &part.lets else {
            continue;
        };
        for reference in references {
            match reference {
                Reference::GroupRule { group, rule } => keys.push((group.id.as_str(), *rule)),
                other => return Err(Some(other.to_string())),
            }
        }
    }
    keys.sort_unstable();
    keys.dedup();
    if keys.is_empty() {
        return Err(None);
    }
    Ok(keys)
}

/// Hops as they are told.
pub(super) fn passed(hops: &[Hop<'_>]) -> Vec<Passed> {
    hops.iter()
        .map(|hop| {
            let mut by: Vec<Named> = Vec::new();
            let (mut lets, mut denied, mut unknown) = (false, false, false);
            for part in &hop.parts {
                match &part.lets {
                    Lets::Yes(references) => {
                        lets = true;
                        by.extend(references.iter().map(Named::of));
                    }
                    Lets::No(reference) => {
                        denied = true;
                        by.push(Named::of(reference));
                    }
                    Lets::Unknown(reasons) => {
                        unknown = true;
                        by.extend(reasons.iter().map(|why| Named {
                            id: String::new(),
                            text: why.to_string(),
                        }));
                    }
                }
            }
            by.sort_unstable();
            by.dedup();
            Passed {
                step: hop.step,
                lets: match (lets, denied, unknown) {
                    (true, false, false) => "yes",
                    (true, _, _) => "partly",
                    (false, _, true) => "unknown",
                    (false, _, false) => "no",
                },
                by,
            }
        })
        .collect()
}
