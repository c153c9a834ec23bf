//! An explanation says what the judge says, and every word of it can be tried: a rule that nearly matches does match once
//! that one condition is out of the way.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::memory::{any_question, any_rules, policy_of};
use super::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn an_explanation_is_the_decision(rules in any_rules(), questions in prop::collection::vec(any_question(), 60)) {
        let policy = parse(&policy_of(&rules)).map_err(|errors| TestCaseError::fail(errors.to_string()))?;
        for question in &questions {
            let asked = Asked::new(&policy, question);
            let explanation = policy.explain(&asked.question());
            let decision = policy.decide(&asked.question());
            prop_assert_eq!(explanation.decision, decision, "{}", question);
            let (step, answer, rule) = decided_by_standings(&policy, &explanation);
            prop_assert_eq!((explanation.step, decision.answer), (step, answer), "{}", question);
            prop_assert_eq!(&policy.rule(decision.rule).id, &rule, "{}", question);
        }
    }

    #[test]
    fn every_standing_is_what_trying_shows(rules in any_rules(), questions in prop::collection::vec(any_question(), 20)) {
        let policy = parse(&policy_of(&rules)).map_err(|errors| TestCaseError::fail(errors.to_string()))?;
        let tried = Tried::new(&rules, &questions);
        for (place, question) in questions.iter().enumerate() {
            let asked = Asked::new(&policy, question);
            for rule in policy.explain(&asked.question()).rules {
                let id = &policy.rule(rule.rule).id;
                prop_assert_eq!(rule.standing, tried.standing(id, place), "{} by {}", question, id);
            }
        }
    }
}

/// What the standings say of the decision, read as POLICY.md has it: the step, the answer and the rule.
fn decided_by_standings(policy: &Policy, explanation: &Explanation) -> (Step, Answer, String) {
    let id = |rule: RuleId| policy.rule(rule).id.clone();
    let with = |effect: Effect, is: &dyn Fn(&RuleStanding) -> bool| -> Vec<&RuleStanding> {
        let rules = explanation.rules.iter();
        let of_effect = rules.filter(|rule| policy.rule(rule.rule).effect == effect);
        of_effect.filter(|rule| is(rule)).collect()
    };
    let is_matched = |rule: &RuleStanding| rule.standing == Standing::Matched;
    let denies = with(Effect::Deny, &is_matched);
    if !denies.is_empty() {
        return (
            Step::Deny,
            Answer::Deny,
            first(policy, explanation, &denies),
        );
    }
    let allows = with(Effect::Allow, &is_matched);
    if !allows.is_empty() {
        return (
            Step::Allow,
            Answer::Allow,
            first(policy, explanation, &allows),
        );
    }
    let unproven = with(Effect::Allow, &|rule| rule.standing == Standing::Unproven);
    let held_back = with(Effect::Allow, &|rule| {
        rule.standing == Standing::Nearly(Part::Requires)
    });
    let all_fail = !unproven.iter().any(|rule| {
        rule.unproven
            .iter()
            .all(|doubt| doubt.part == Part::Requires)
    });
    if !held_back.is_empty() && all_fail {
        let broken = held_back.iter().flat_map(|rule| &rule.broken);
        let first = broken
            .map(|rule| id(*rule))
            .min()
            .expect("a broken require");
        return (Step::Require, Answer::Deny, first);
    }
    if !unproven.is_empty() {
        let rule = first(policy, explanation, &unproven);
        return (Step::Evidence, Answer::Unproven, rule);
    }
    (Step::Default, Answer::Deny, "default".to_owned())
}

/// Of rules that qualify the one that names itself, told by the words that the standings show; and the list of the
/// qualified is these rules in that order.
fn first(policy: &Policy, explanation: &Explanation, rules: &[&RuleStanding]) -> String {
    let num_pairs: HashMap<RuleId, Option<u32>> = explanation
        .qualified
        .iter()
        .map(|candidate| (candidate.rule, candidate.num_pairs))
        .collect();
    let mut in_order: Vec<_> = rules
        .iter()
        .map(|rule| {
            let rank_of = |word: &Option<String>| word.as_deref().map_or(usize::MAX, rank);
            (
                rank_of(&rule.client),
                rank_of(&rule.server),
                num_pairs[&rule.rule],
                policy.rule(rule.rule).id.clone(),
            )
        })
        .collect();
    in_order.sort();
    let qualified = explanation.qualified.iter();
    let qualified: Vec<&str> = qualified
        .map(|other| &*policy.rule(other.rule).id)
        .collect();
    let expected: Vec<&str> = in_order.iter().map(|(.., id)| id.as_str()).collect();
    assert_eq!(qualified, expected);
    let tie = in_order.get(1).map(|second| {
        let first = &in_order[0];
        match (
            first.0 != second.0,
            first.1 != second.1,
            first.2 != second.2,
        ) {
            (true, ..) => Tie::From,
            (_, true, _) => Tie::To,
            (_, _, true) => Tie::Ports,
            _ => Tie::Id,
        }
    });
    assert_eq!(explanation.tie(), tie);
    in_order[0].3.clone()
}

/// From specific to general.
fn rank(word: &str) -> usize {
    const RANKS: [&[&str]; 7] = [
        &["etl", "vector-db", "secured"],
        &["repos", "office", "packages", "store"],
        &["public", "app", "data", "bare"],
        &["aws:S3", "aws:EC2"],
        &["private", "unlisted", "unassigned"],
        &["internet", "outside", "inside", "any-tier", "aws:*"],
        &["any"],
    ];
    let mut ranks = RANKS.iter();
    let found = ranks.position(|words| words.contains(&word));
    found.unwrap_or_else(|| panic!("no rank for {word}"))
}

/// What the judge says of questions where a rule, or the rule without one of its conditions, is the only one of the file.
struct Tried {
    /// By the id of the rule and its part that is out of the way.
    answers: HashMap<(String, Option<Part>), Vec<Alone>>,
}

/// What the judge says of a rule that is alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Alone {
    Matches,
    Unproven,
    No,
}

impl Tried {
    fn new(rules: &[String], questions: &[String]) -> Tried {
        let mut copies = rules.to_vec();
        for rule in rules {
            copies.extend(Part::ALL.iter().filter_map(|part| without(rule, *part)));
        }
        let mut policy = parse(&policy_of(&copies)).unwrap_or_else(|errors| panic!("{errors}"));
        let rules = |policy: &mut Policy, allows, denies| {
            let compiled = Arc::get_mut(&mut policy.compiled).expect("nobody else has it");
            let allows = std::mem::replace(&mut compiled.rules.allows, allows);
            (
                allows,
                std::mem::replace(&mut compiled.rules.denies, denies),
            )
        };
        let (allows, denies) = rules(&mut policy, Vec::new(), Vec::new());
        let mut answers = HashMap::new();
        for allow in allows {
            let rule = allow.rule;
            rules(&mut policy, vec![allow], Vec::new());
            answers.insert(key(&policy, rule), alone(&policy, rule, questions));
        }
        for deny in denies {
            let rule = deny.rule;
            rules(&mut policy, Vec::new(), vec![deny]);
            answers.insert(key(&policy, rule), alone(&policy, rule, questions));
        }
        Tried { answers }
    }

    fn standing(&self, id: &str, question: usize) -> Standing {
        let try_without = |part| {
            let answers = self.answers.get(&(id.to_owned(), part))?;
            Some(answers[question])
        };
        match try_without(None).expect("every rule was tried") {
            Alone::Matches => return Standing::Matched,
            Alone::Unproven => return Standing::Unproven,
            Alone::No => {}
        }
        let mut helping = Part::ALL
            .iter()
            .filter(|part| try_without(Some(**part)) == Some(Alone::Matches));
        let standing = helping
            .next()
            .map_or(Standing::Apart, |part| Standing::Nearly(*part));
        assert_eq!(
            helping.next(),
            None,
            "{id} fails on one condition or on several"
        );
        standing
    }
}

fn alone(policy: &Policy, rule: RuleId, questions: &[String]) -> Vec<Alone> {
    let answers = questions.iter().map(|question| {
        let decision = policy.decide(&Asked::new(policy, question).question());
        match decision.answer {
            Answer::Unproven => Alone::Unproven,
            _ if decision.rule == rule => Alone::Matches,
            _ => Alone::No,
        }
    });
    answers.collect()
}

/// The rule that a copy was made of, and what it lacks.
fn key(policy: &Policy, rule: RuleId) -> (String, Option<Part>) {
    let id = &policy.rule(rule).id;
    match id.split_once('+') {
        Some((rule, part)) => (rule.to_owned(), Part::from_word(part)),
        None => (id.clone(), None),
    }
}

/// A rule of the file with one condition out of the way; none if it has no such condition.
fn without(rule: &str, part: Part) -> Option<String> {
    let is_allow = rule.starts_with("[[allow]]");
    let (keys, instead): (&[&str], &str) = match part {
        Part::From => (&["from"], "from = \"any\"\n"),
        Part::FromExcept => (&["from_except"], ""),
        Part::To => (&["to"], "to = \"any\"\n"),
        Part::ToExcept => (&["to_except"], ""),
        Part::Ports => (&["service", "ports", "ports_except"], ""),
        Part::Via => (&["via"], ""),
        Part::Family => (&["family"], ""),
        Part::NotBefore => (&["not_before"], ""),
        Part::Expires => (&["expires"], ""),
        Part::Requires if is_allow => (
            &["exempt"],
            "exempt = [\"r-az\", \"r-env\", \"r-encrypted\"]\n",
        ),
        Part::Requires => return None,
    };
    let key = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    let mut text = String::new();
    for line in rule.lines().filter(|line| !keys.contains(&&*key(line))) {
        match line.strip_prefix("id = \"") {
            Some(id) => {
                let id = id.trim_end_matches('"');
                text += &format!("id = \"{id}+{}\"\n{instead}", part.as_str());
            }
            None => text += &format!("{line}\n"),
        }
    }
    Some(text)
}

/// Agreement over questions that never reach a step or a standing would mean nothing.
#[test]
fn random_questions_reach_every_step_and_standing() {
    let mut runner = TestRunner::deterministic();
    let mut met: BTreeSet<String> = BTreeSet::new();
    for _ in 0..160 {
        let mut sample = || {
            let tree = any_question().new_tree(&mut runner);
            tree.expect("a question").current()
        };
        let questions: Vec<String> = (0..40).map(|_| sample()).collect();
        let rules = any_rules().new_tree(&mut runner).expect("rules").current();
        let policy = parse(&policy_of(&rules)).unwrap_or_else(|errors| panic!("{errors}"));
        for question in &questions {
            let asked = Asked::new(&policy, question);
            let explanation = policy.explain(&asked.question());
            met.insert(format!("{:?}", explanation.step));
            met.extend(explanation.tie().map(|tie| format!("tie {tie:?}")));
            let rules = explanation.rules.iter();
            met.extend(rules.map(|rule| format!("{:?}", rule.standing)));
            let requires = explanation.requires.iter();
            met.extend(requires.map(|require| format!("{:?}", require.state)));
        }
    }
    let steps = Step::ALL.iter().map(|step| format!("{step:?}"));
    let ties = Tie::ALL.iter().map(|tie| format!("tie {tie:?}"));
    let parts = Part::ALL
        .iter()
        .map(|part| format!("{:?}", Standing::Nearly(*part)));
    let others = [Standing::Matched, Standing::Unproven, Standing::Apart];
    let others = others.iter().map(|standing| format!("{standing:?}"));
    let states = [
        RequireState::Elsewhere,
        RequireState::NotInForce,
        RequireState::Satisfied,
        RequireState::Broken { unlabelled: true },
        RequireState::Broken { unlabelled: false },
        RequireState::Unknown,
    ];
    let states = states.iter().map(|state| format!("{state:?}"));
    let wanted = steps.chain(ties).chain(parts).chain(others).chain(states);
    let missing: Vec<String> = wanted.filter(|word| !met.contains(word)).collect();
    assert!(missing.is_empty(), "never met: {missing:?}");
}

const PLACES: &str = r#"
[policy]
id = "P"
[networks.alpha]
cidrs = ["10.0.0.0/16", "10.0.64.0/18"]
connected_to = ["beta"]
[networks.beta]
cidrs = ["10.8.0.0/16"]
[[subnets]]
id = "subnet-1"
network = "alpha"
tier = "app"
az = "az1"
cidrs = ["10.0.64.0/19"]
labels = { env = "prod" }
[[subnets]]
network = "alpha"
tier = "data"
cidrs = ["10.0.66.0/24"]
[[subnets]]
network = "beta"
tier = "shared"
cidrs = ["10.8.0.0/20"]
[groups.wide]
network = "alpha"
cidrs = ["10.0.64.0/20", "10.0.66.0/28"]
[groups.secured]
network = "alpha"
security_groups = ["sg-1"]
[destinations.wide-place]
cidrs = ["198.51.0.0/16"]
[destinations.narrow-place]
cidrs = ["198.51.100.0/24"]
[destinations.narrow-twin]
cidrs = ["198.51.100.0/24"]
[data]
ip_ranges = "ranges.json"
"#;

const RANGES: &str = r#"{"prefixes":[
{"ip_prefix":"52.0.0.0/8","region":"GLOBAL","service":"AMAZON"},
{"ip_prefix":"52.1.0.0/16","region":"us-east-2","service":"S3"},
{"ip_prefix":"52.1.0.0/16","region":"us-east-2","service":"EC2"}]}"#;

/// An end in words, with the prefix of everything.
fn story(policy: &Policy, network: &str, addr: &str) -> String {
    let flow = Flow {
        client: addr.parse().expect("an address"),
        server: addr.parse().expect("an address"),
        protocol: 6,
        server_port: 443,
        at: 0,
    };
    let mut networks = policy.networks();
    let network = networks.find(|id| policy.network_name(*id) == network);
    let story = policy.explain_flow(network, &flow).client;
    let mut words = vec![format!("zone {}", story.zone)];
    let mut add = |what: &str, held: &Holding<'_>| {
        words.push(format!("{what} {} {}", held.name, held.prefix));
    };
    story.network.iter().for_each(|held| add("network", held));
    story.groups.iter().for_each(|held| add("group", held));
    story
        .destinations
        .iter()
        .for_each(|held| add("destination", held));
    story.services.iter().for_each(|held| add("service", held));
    words.extend(story.subnets.iter().map(|subnet| {
        let (id, az) = (subnet.id.unwrap_or("-"), subnet.az.unwrap_or("-"));
        let labels: Vec<String> = subnet
            .labels
            .iter()
            .map(|(key, value)| format!(" {key}={value}"))
            .collect();
        format!(
            "subnet {id} {} {az}{} {}",
            subnet.tier,
            labels.concat(),
            subnet.prefix
        )
    }));
    words.extend(
        story
            .possible_groups
            .iter()
            .map(|group| format!("perhaps {group}")),
    );
    words.extend(story.special.map(|prefix| format!("special {prefix}")));
    words.join(", ")
}

#[test]
fn an_end_is_told_with_the_prefix_of_each_membership() {
    let policy = parse_with(PLACES, &[("ranges.json", RANGES)]);
    let policy = policy.unwrap_or_else(|errors| panic!("{errors}"));
    let check = |network: &str, addr: &str, expected: &str| {
        assert_eq!(
            story(&policy, network, addr),
            expected,
            "{addr} from {network}"
        );
    };
    check(
        "alpha",
        "10.0.66.7",
        "zone data, network alpha 10.0.64.0/18, group wide 10.0.66.0/28, subnet - data - 10.0.66.0/24, \
         subnet subnet-1 app az1 env=prod 10.0.64.0/19, perhaps secured, special 10.0.0.0/8",
    );
    check(
        "alpha",
        "10.0.90.7",
        "zone app, network alpha 10.0.64.0/18, subnet subnet-1 app az1 env=prod 10.0.64.0/19, perhaps secured, special 10.0.0.0/8",
    );
    check(
        "alpha",
        "10.0.200.7",
        "zone unassigned, network alpha 10.0.0.0/16, perhaps secured, special 10.0.0.0/8",
    );
    check(
        "alpha",
        "10.8.0.7",
        "zone shared, network beta 10.8.0.0/16, subnet - shared - 10.8.0.0/20, special 10.0.0.0/8",
    );
    check(
        "alpha",
        "198.51.100.7",
        "zone narrow-place, destination narrow-place 198.51.100.0/24, destination narrow-twin 198.51.100.0/24, \
         destination wide-place 198.51.0.0/16",
    );
    check(
        "beta",
        "52.1.2.3",
        "zone aws:S3, service S3 52.1.0.0/16, service EC2 52.1.0.0/16, service AMAZON 52.0.0.0/8",
    );
    check("beta", "203.0.113.7", "zone internet");
    check("beta", "172.16.0.9", "zone private, special 172.16.0.0/12");
    check(
        "beta",
        "169.254.169.254",
        "zone local, special 169.254.0.0/16",
    );
}

#[test]
fn a_flow_is_seen_from_the_network_that_a_test_is_seen_from_unless_another_is_named() {
    let apart = PLACES.replace("connected_to = [\"beta\"]\n", "");
    let policy = parse_with(&apart, &[("ranges.json", RANGES)]);
    let policy = policy.unwrap_or_else(|errors| panic!("{errors}"));
    let flow = Flow {
        client: "10.0.66.7".parse().expect("an address"),
        server: "10.8.0.7".parse().expect("an address"),
        protocol: 6,
        server_port: 443,
        at: 0,
    };
    let networks: Vec<NetworkId> = policy.networks().collect();
    let told = policy.explain_flow(None, &flow);
    assert_eq!((told.network, &told.held_by), (networks[0], &networks));
    assert_eq!((told.client.zone, told.server.zone), ("data", "private"));
    let decision = policy.decide_by_addr(flow.client, flow.server, 6, 443, 0);
    assert_eq!(told.explanation.decision, decision);
    let told = policy.explain_flow(Some(networks[1]), &flow);
    assert_eq!((told.client.zone, told.server.zone), ("private", "shared"));
    let outside = Flow {
        client: "192.0.2.1".parse().expect("an address"),
        server: "203.0.113.1".parse().expect("an address"),
        ..flow
    };
    assert_eq!(policy.explain_flow(None, &outside).held_by, []);
}
