//! Which rules are pointless, against asking every question there is: the slow, obvious twin.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::*;
use crate::policy::fit::Truth;
use crate::policy::lint::ends::{self, Holds};
use crate::policy::names::Name;
use crate::policy::tests::{Asked, memory};
use crate::policy::weigh::Requires;
use crate::policy::{Answer, ClassId, End, GroupId, Known, Path, Question};

/// A policy whose questions are few: everything in it is told by prefixes.
const SMALL: &str = r#"
[policy]
id = "SMALL"
[networks.n]
cidrs = ["10.0.0.0/16"]
[[subnets]]
tier = "a"
az = "1"
cidrs = ["10.0.0.0/24"]
[[subnets]]
tier = "a"
az = "2"
cidrs = ["10.0.1.0/24"]
[[subnets]]
tier = "b"
az = "1"
cidrs = ["10.0.2.0/24"]
[groups.g]
cidrs = ["10.0.0.0/28", "10.0.2.0/28"]
[destinations.d]
cidrs = ["198.51.100.0/24"]
[[require]]
id = "r-az"
between = "any-tier"
same = ["az"]
[[require]]
id = "r-once"
between = "g"
same = ["az"]
not_before = 2026-01-01
expires = 2026-06-01
owner = "x"
ticket = "y"
"#;

const SMALL_WORDS: [&str; 10] = [
    "any",
    "any-tier",
    "inside",
    "unassigned",
    "internet",
    "outside",
    "a",
    "b",
    "g",
    "d",
];

/// One of each interval that the ports of [`any_small_rule`] tell apart.
const PORTS: [(u8, u16); 8] = [
    (6, 22),
    (6, 80),
    (6, 443),
    (6, 8443),
    (17, 53),
    (17, 99),
    (1, 0),
    (47, 0),
];

/// Before, within and behind the dates of [`any_small_rule`].
const TIMES: [u32; 3] = [1_767_225_599, 1_772_323_200, 1_780_272_000];

const PATHS: [Option<Path>; 4] = [None, Some(Path::Nat), Some(Path::Vgw), Some(Path::Local)];

fn any_small_rule(number: usize) -> impl Strategy<Value = String> {
    let list = |sizes: std::ops::Range<usize>| {
        prop::collection::vec(prop::sample::select(&SMALL_WORDS[..]), sizes)
    };
    let ports = prop::sample::select(vec![
        "",
        "",
        "ports = [\"tcp/443\"]",
        "ports = [\"tcp/22\", \"tcp/443\"]",
        "ports = [\"tcp/1-1023\"]",
        "ports = [\"udp/53\", \"icmp\"]",
        "ports_except = [\"tcp/443\"]",
    ]);
    let settings = prop::sample::subsequence(
        vec![
            "via = [\"nat\"]",
            "family = \"ipv4\"",
            "not_before = 2026-01-01",
            "expires = 2026-06-01\nowner = \"x\"\nticket = \"y\"",
            "severity = \"low\"",
        ],
        0..2,
    );
    (any::<u8>(), list(1..3), list(0..2), list(1..3), list(0..2), ports, settings).prop_map(
        move |(effect, from, from_except, to, to_except, ports, settings)| {
            let is_deny = effect % 4 == 0;
            let exempt = match effect % 9 {
                _ if is_deny => "",
                0 => "exempt = [\"r-az\", \"r-once\"]",
                3 => "exempt = [\"r-az\"]",
                6 => "exempt = [\"r-once\"]",
                _ => "",
            };
            format!(
                "[[{}]]\nid = \"rule-{number}\"\nfrom = {from:?}\nfrom_except = {from_except:?}\nto = {to:?}\nto_except = {to_except:?}\n{ports}\n{}\n{exempt}\n",
                if is_deny { "deny" } else { "allow" },
                settings.join("\n"),
            )
        },
    )
}

fn small_questions(policy: &Policy) -> Vec<Question<'static>> {
    let end = |class: usize| End {
        home: policy.space.classes()[class].home,
        class: ClassId(class as u32),
        groups: &[],
        known: Known::default(),
        services: 0,
        services_known: true,
        domains: Default::default(),
    };
    let num_classes = policy.space.classes().len();
    let mut questions = Vec::new();
    for client in 0..num_classes {
        for server in 0..num_classes {
            for (protocol, server_port) in PORTS {
                for at in TIMES {
                    for path in PATHS {
                        for ipv4 in [true, false] {
                            questions.push(Question {
                                client: end(client),
                                server: end(server),
                                protocol,
                                server_port,
                                ipv4,
                                at,
                                path,
                                encrypted: None,
                            });
                        }
                    }
                }
            }
        }
    }
    questions
}

/// How a rule stands towards every question: not, as an allow that breaks a require, or in full.
fn stands(policy: &Policy, rule: &Rule<'_>, questions: &[Question<'_>]) -> Vec<u8> {
    let stand = |question: &Question<'_>| {
        if policy.fit(rule.condition, question).truth() == Truth::No {
            return 0;
        }
        let is_met =
            rule.is_deny() || matches!(policy.requires(rule.condition, question), Requires::Met);
        if is_met { 2 } else { 1 }
    };
    questions.iter().map(stand).collect()
}

/// The code that each rule should get, by its id.
fn expected(
    policy: &Policy,
    rules: &Rules<'_>,
    questions: &[Question<'_>],
) -> BTreeMap<String, &'static str> {
    let stand: Vec<Vec<u8>> = rules
        .all
        .iter()
        .map(|rule| stands(policy, rule, questions))
        .collect();
    let within = |inner: usize, outer: usize| {
        let pairs = stand[inner].iter().zip(&stand[outer]);
        pairs.into_iter().all(|(inner, outer)| inner <= outer)
    };
    let mut codes = BTreeMap::new();
    for (number, rule) in rules.all.iter().enumerate() {
        let others = || (0..rules.all.len()).filter(|other| *other != number);
        let denied_by = |other: usize| {
            let mut pairs = stand[number].iter().zip(&stand[other]);
            rules.all[other].is_deny() && pairs.all(|(own, deny)| *own == 0 || *deny == 2)
        };
        let covered_by = |other: usize| {
            let other_rule = &rules.all[other];
            other_rule.is_deny() == rule.is_deny()
                && other_rule.severity == rule.severity
                && within(number, other)
        };
        let code = if stand[number].iter().all(|stand| *stand == 0) {
            "P004"
        } else if !rule.is_deny() && others().any(denied_by) {
            "P003"
        } else if others().any(|other| other < number && covered_by(other) && within(other, number))
        {
            "P002"
        } else if others().any(|other| covered_by(other) && !within(other, number)) {
            "P001"
        } else {
            continue;
        };
        codes.insert(rule.id.text.clone(), code);
    }
    codes
}

/// The code that each rule gets of those that say that it is pointless.
fn reported(text: &str) -> BTreeMap<String, &'static str> {
    let lints = lints_of(text);
    let pointless = lints
        .lints()
        .iter()
        .filter(|lint| ["P001", "P002", "P003", "P004"].contains(&lint.kind.code));
    pointless
        .map(|lint| {
            let id = lint.remark.message.split('`').nth(1);
            (
                id.expect("the message names the rule").to_owned(),
                lint.kind.code,
            )
        })
        .collect()
}

fn with_parts<T>(text: &str, ask: impl FnOnce(&Policy, &Rules<'_>) -> T) -> T {
    let no_files = |_: &str| Err(std::io::ErrorKind::NotFound.into());
    match Policy::read_whole("p", text, &no_files) {
        Ok((policy, file)) => ask(&policy, &Rules::new(&policy, &file, text)),
        Err(errors) => panic!("{errors}"),
    }
}

#[test]
fn where_everything_can_be_asked_just_the_pointless_rules_are_reported() {
    let mut runner = TestRunner::deterministic();
    let rules: Vec<_> = (0..6).map(any_small_rule).collect();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..60 {
        let rules = rules.new_tree(&mut runner).expect("rules").current();
        let text = format!("{SMALL}{}", rules.concat());
        let found = reported(&text);
        with_parts(&text, |policy, rules| {
            let questions = small_questions(policy);
            assert_eq!(found, expected(policy, rules, &questions), "{text}");
        });
        for code in found.values() {
            *seen.entry(code).or_default() += 1;
        }
    }
    for code in ["P001", "P003", "P004"] {
        assert!(
            seen.get(code).is_some_and(|number| *number >= 3),
            "{seen:?}"
        );
    }
}

/// What a policy answers, by the text of the question.
fn answers(policy: &Policy, questions: &[String]) -> Vec<Answer> {
    let answer = |question: &String| {
        policy
            .decide(&Asked::new(policy, question).question())
            .answer
    };
    questions.iter().map(answer).collect()
}

#[test]
fn without_a_rule_that_is_reported_every_answer_is_the_same() {
    let mut runner = TestRunner::deterministic();
    // Records put nobody into a group that goes by prefixes alone.
    let questions =
        memory::any_question().prop_map(|question| question.replace("etl,secured", "secured"));
    let questions = prop::collection::vec(questions, 400);
    let mut num_reported = 0;
    for _ in 0..100 {
        let rules = memory::any_rules()
            .new_tree(&mut runner)
            .expect("rules")
            .current();
        let questions = questions
            .new_tree(&mut runner)
            .expect("questions")
            .current();
        let text = |rules: &[String]| format!("{BASE}{}{}", memory::MORE, rules.concat());
        let whole = parse(&text(&rules)).unwrap_or_else(|errors| panic!("{errors}"));
        let before = answers(&whole, &questions);
        for id in reported(&text(&rules)).into_keys() {
            let mut rest = rules.clone();
            rest.retain(|rule| !rule.contains(&format!("\"{id}\"")));
            assert_eq!(rest.len() + 1, rules.len());
            let policy = parse(&text(&rest)).unwrap_or_else(|errors| panic!("{errors}"));
            assert_eq!(
                answers(&policy, &questions),
                before,
                "{id} of {}",
                text(&rules)
            );
            num_reported += 1;
        }
    }
    assert!(num_reported >= 10, "{num_reported}");
}

#[test]
fn what_a_class_always_or_never_is_no_fact_changes() {
    let more = "[groups.one]\ninterfaces = [\"eni-1\"]\n";
    let words: Vec<String> = memory::WORDS
        .iter()
        .map(|word| (*word).to_owned())
        .collect();
    let rule = rules(&format!("allow a {} -> one", words.join(",")));
    let text = format!("{BASE}{}{more}{rule}", memory::MORE);
    with_parts(&text, |policy, rules| {
        let condition = rules.all[0].condition;
        let names: Vec<Name> = condition
            .from
            .iter()
            .chain(&condition.to)
            .copied()
            .collect();
        assert!(names.len() > 20);
        // Records put nobody into a group that goes by prefixes alone.
        let all = policy.places.groups.iter().enumerate();
        let by_facts = all.filter(|(_, group)| group.is_by_facts() || group.needs_inventory());
        let groups: Vec<GroupId> = by_facts.map(|(group, _)| GroupId(group as u16)).collect();
        let mut seen = [false; 3];
        for class in 0..policy.space.classes().len() {
            for name in &names {
                let class = ClassId(class as u32);
                let holds = ends::holds(policy, class, *name);
                seen[holds as usize] = true;
                for groups in [&[][..], &groups] {
                    for (services, services_known) in
                        [(0, false), (0, true), (u64::MAX, true), (1, true)]
                    {
                        let home = policy.space.class(class).home;
                        let end = End {
                            home,
                            class,
                            groups,
                            known: Known::default(),
                            services,
                            services_known,
                            domains: Default::default(),
                        };
                        let truth = policy.is(&end, *name, &end);
                        match holds {
                            Holds::Always => assert_eq!(truth, Truth::Yes, "{name:?}"),
                            Holds::Never => assert_eq!(truth, Truth::No, "{name:?}"),
                            Holds::Perhaps => {}
                        }
                    }
                }
            }
        }
        assert_eq!(seen, [true; 3]);
    });
}
