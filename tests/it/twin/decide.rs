//! What a rule decides: the policy's answer for one client, server, instant and path.

use super::place::{Holds, TwinEnd};
use super::policy::{Ports, Require, Rule, TwinPolicy};

/// What the policy is asked.
#[derive(Clone, Debug)]
pub struct Question {
    pub client: TwinEnd,
    pub server: TwinEnd,
    pub protocol: u8,
    pub at: u32,
    pub path: Option<String>,
    pub encrypted: Option<bool>,
}

/// What the policy answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// `allow`, `deny` or `unproven`.
    pub answer: &'static str,
    pub rule: String,
    /// The deciding rule's own severity.
    pub severity: Option<String>,
    /// What kind of rule it was.
    pub by: By,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Rule,
    /// A broken require, with the severity that its kind of condition has.
    Require(&'static str),
    Default,
}

/// The answer of section 3, step by step.
pub fn decide(policy: &TwinPolicy, question: &Question) -> Decision {
    let matching = |deny: bool, holds: Holds| -> Vec<&Rule> {
        let rules = policy.rules.iter().filter(|rule| rule.deny == deny);
        rules
            .filter(|rule| rule_matches(policy, rule, question) == holds)
            .collect()
    };
    let by_rule = |answer: &'static str, rules: &[&Rule]| -> Option<Decision> {
        let at_least = if answer == "unproven" {
            Holds::Maybe
        } else {
            Holds::Yes
        };
        let rule = most_specific(policy, rules, at_least, question)?;
        Some(Decision {
            answer,
            rule: rule.id.clone(),
            severity: rule.severity.clone(),
            by: By::Rule,
        })
    };

    // 1. A deny matches.
    if let Some(decision) = by_rule("deny", &matching(true, Holds::Yes)) {
        return decision;
    }
    // 2. An allow matches with every require satisfied or exempt; else the first require, if all of them fail on one.
    let allows = matching(false, Holds::Yes);
    let broken_for = |rule: &Rule, holds: Holds| -> Vec<&Require> {
        let not_exempt = |require: &&Require| !rule.exempt.contains(&require.id);
        let requires = policy.requires.iter().filter(not_exempt);
        requires
            .filter(|require| is_broken(policy, require, question) == holds)
            .collect()
    };
    let none_broken = |rule: &&Rule| broken_for(rule, Holds::Yes).is_empty();
    let all_known = |rule: &&Rule| broken_for(rule, Holds::Maybe).is_empty();
    let satisfied = allows.iter().copied().filter(none_broken).filter(all_known);
    if let Some(decision) = by_rule("allow", &satisfied.collect::<Vec<_>>()) {
        return decision;
    }
    let mut broken: Vec<&Require> = allows
        .iter()
        .flat_map(|rule| broken_for(rule, Holds::Yes))
        .collect();
    broken.sort_by(|a, b| a.id.cmp(&b.id));
    if let Some(require) = broken.first()
        && !allows.iter().any(none_broken)
    {
        let by = By::Require(require_severity(policy, require, question));
        return Decision {
            answer: "deny",
            rule: require.id.clone(),
            severity: require.severity.clone(),
            by,
        };
    }
    // 3. An allow could have matched, or met its requires, but for evidence that is missing.
    let could_match = matching(false, Holds::Maybe)
        .into_iter()
        .filter(none_broken);
    let could_meet = allows.iter().copied().filter(none_broken);
    let possible: Vec<&Rule> = could_match.chain(could_meet).collect();
    if let Some(decision) = by_rule("unproven", &possible) {
        return decision;
    }
    // 4. The default.
    Decision {
        answer: "deny",
        rule: "default".to_string(),
        severity: None,
        by: By::Default,
    }
}

/// Whether a rule matches and is in force.
fn rule_matches(policy: &TwinPolicy, rule: &Rule, question: &Question) -> Holds {
    let in_force = rule.not_before.is_none_or(|from| from <= question.at)
        && rule.expires.is_none_or(|until| question.at < until);
    let family = rule
        .family
        .as_deref()
        .is_none_or(|family| (family == "ipv4") == question.server.addr.is_ipv4());
    let path = rule.via.is_empty()
        || question
            .path
            .as_ref()
            .is_none_or(|path| rule.via.contains(path));
    if !in_force || !family || !path || !ports_match(policy, rule, question) {
        return Holds::No;
    }
    let client = side_matches(
        policy,
        &rule.from,
        &rule.from_except,
        &question.client,
        &question.server,
    );
    let server = side_matches(
        policy,
        &rule.to,
        &rule.to_except,
        &question.server,
        &question.client,
    );
    client.min(server)
}

fn side_matches(
    policy: &TwinPolicy,
    of: &[String],
    except: &[String],
    end: &TwinEnd,
    other: &TwinEnd,
) -> Holds {
    let in_any = |words: &[String]| {
        let each = words.iter().map(|word| match word.as_str() {
            "same-subnet" => Holds::from(is_same_subnet(policy, end, other)),
            _ => end.is_in(policy, word),
        });
        each.max().unwrap_or(Holds::No)
    };
    in_any(of).min(in_any(except).not())
}

fn is_same_subnet(policy: &TwinPolicy, a: &TwinEnd, b: &TwinEnd) -> bool {
    match (a.subnet(policy), b.subnet(policy)) {
        (Some(a), Some(b)) => std::ptr::eq(a, b),
        _ => false,
    }
}

fn ports_match(policy: &TwinPolicy, rule: &Rule, question: &Question) -> bool {
    let covered = |ports: &[String]| {
        ports
            .iter()
            .any(|port| covers(port, question.protocol, question.server.port))
    };
    match &rule.ports {
        Ports::Any => true,
        Ports::Only(ports) => covered(ports),
        Ports::Except(ports) => !covered(ports),
        Ports::Service(name) => covered(service_ports(policy, name)),
    }
}

pub fn service_ports<'p>(policy: &'p TwinPolicy, name: &str) -> &'p [String] {
    &policy
        .services
        .iter()
        .find(|service| service.name == name)
        .expect("a declared service")
        .ports
}

fn protocol_number(name: &str) -> u8 {
    match name {
        "icmp" => 1,
        "tcp" => 6,
        "udp" => 17,
        "gre" => 47,
        "esp" => 50,
        "icmpv6" => 58,
        number => number.parse().expect("a protocol"),
    }
}

pub fn has_ports(protocol: u8) -> bool {
    [6, 17, 33, 132, 136].contains(&protocol)
}

/// Protocol, first and last port of `tcp/443`, `tcp/7000-7001`, `tcp/*`, `icmp` or `50`.
fn parse_ports(ports: &str) -> (u8, u16, u16) {
    let (name, range) = ports.split_once('/').unwrap_or((ports, "*"));
    let range = if range == "*" { "0-65535" } else { range };
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    (
        protocol_number(name),
        first.parse().expect("a port"),
        last.parse().expect("a port"),
    )
}

pub fn covers(ports: &str, protocol: u8, port: u16) -> bool {
    let (of, first, last) = parse_ports(ports);
    of == protocol && (first..=last).contains(&port)
}

/// How many (protocol, port) pairs a rule covers: a protocol without ports is one.
fn pairs(policy: &TwinPolicy, rule: &Rule) -> usize {
    let of_protocol = |protocol: u8| if has_ports(protocol) { 65536 } else { 1 };
    let all: usize = (0..=255).map(of_protocol).sum();
    match &rule.ports {
        Ports::Any => all,
        Ports::Only(ports) => count(ports),
        Ports::Except(ports) => all - count(ports),
        Ports::Service(name) => count(service_ports(policy, name)),
    }
}

/// The pairs of a list, each once.
fn count(ports: &[String]) -> usize {
    let mut ranges: Vec<(u8, u16, u16)> = ports.iter().map(|ports| parse_ports(ports)).collect();
    ranges.sort();
    let (mut pairs, mut counted) = (0, None);
    for (protocol, first, last) in ranges {
        let last = if has_ports(protocol) { last } else { first };
        for port in first..=last {
            if counted < Some((protocol, port)) {
                counted = Some((protocol, port));
                pairs += 1;
            }
        }
    }
    pairs
}

/// The rule that names itself: by the ranks of `from`, then `to`, then the number of pairs, then the id. A list counts
/// as one rule per name.
fn most_specific<'p>(
    policy: &TwinPolicy,
    rules: &[&'p Rule],
    at_least: Holds,
    question: &Question,
) -> Option<&'p Rule> {
    if let [only] = rules {
        return Some(only);
    }
    let best_rank = |words: &[String], end: &TwinEnd| {
        let meant = words
            .iter()
            .filter(|word| end.is_in(policy, word) >= at_least);
        meant.map(|word| rank(policy, word)).min()
    };
    rules.iter().copied().min_by_key(|rule| {
        let from = best_rank(&rule.from, &question.client);
        let to = best_rank(&rule.to, &question.server);
        (from, to, pairs(policy, rule), rule.id.clone())
    })
}

/// Group, destination, tier, one AWS service, kinds of outside, wide words, any.
fn rank(policy: &TwinPolicy, word: &str) -> usize {
    match word {
        "any" => 6,
        "internet" | "outside" | "inside" | "any-tier" | "aws:*" => 5,
        "private" | "unlisted" | "unassigned" => 4,
        _ if word.starts_with("aws:") => 3,
        _ if policy.groups.iter().any(|group| group.name == word) => 0,
        _ if policy
            .destinations
            .iter()
            .any(|destination| destination.name == word) =>
        {
            1
        }
        _ => 2,
    }
}

/// Whether a require is in force, applies between the ends and does not hold.
fn is_broken(policy: &TwinPolicy, require: &Require, question: &Question) -> Holds {
    let in_force = require.not_before.is_none_or(|from| from <= question.at)
        && require.expires.is_none_or(|until| question.at < until);
    if !in_force {
        return Holds::No;
    }
    let between = |end: &TwinEnd| {
        let words = require.between.iter().map(|word| end.is_in(policy, word));
        words.max().unwrap_or(Holds::No)
    };
    let applies = between(&question.client).min(between(&question.server));
    let shared = require.same.iter().all(|label| {
        let client = label_of(policy, &question.client, label);
        client.is_some() && client == label_of(policy, &question.server, label)
    });
    let encrypted = match question.encrypted {
        _ if !require.encrypted => Holds::Yes,
        Some(encrypted) => Holds::from(encrypted),
        None => Holds::Maybe,
    };
    applies.min(Holds::from(shared).min(encrypted).not())
}

fn label_of<'p>(policy: &'p TwinPolicy, end: &TwinEnd, label: &str) -> Option<&'p str> {
    let subnet = end.subnet(policy)?;
    if label == "az" {
        return subnet.az.as_deref();
    }
    subnet
        .labels
        .iter()
        .find(|(name, _)| name == label)
        .map(|(_, value)| value.as_str())
}

/// Low for az, medium for others, low if unlabelled.
fn require_severity(policy: &TwinPolicy, require: &Require, question: &Question) -> &'static str {
    let unlabelled = require.same.iter().any(|label| {
        label_of(policy, &question.client, label).is_none()
            || label_of(policy, &question.server, label).is_none()
    });
    if unlabelled || require.same.iter().any(|label| label == "az") {
        "low"
    } else {
        "medium"
    }
}
