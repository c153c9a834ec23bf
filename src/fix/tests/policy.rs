//! Changes of the policy: what is pasted decides, whatever stands against it; every kind has its mute; what is missing has
//! its remedy; an address finds its place.

use crate::config::{Config, Subnet};
use crate::fix::evidence::missing;
use crate::fix::mute::mute;
use crate::fix::permission::{Asked, Permission, permit};
use crate::fix::place::place;
use crate::judge::{Confidence, Edge, Finding, Kind, Orientation, Outcome, Subject, Verdict};
use crate::net::{Addr, protocol};
use crate::policy::diff::ChangeKind;
use crate::policy::{Answer, NetworkId, Policy, PolicyErrors, Severity};

const POLICY: &str = r#"# The policy
[policy]
id = "P"
[networks.prod]
cidrs = ["10.0.0.0/16"]
[[subnets]]
tier = "app"
az = "a"
cidrs = ["10.0.1.0/24"]
[[subnets]]
tier = "data"
az = "b"
cidrs = ["10.0.2.0/24"]
[groups.db]
cidrs = ["10.0.2.16/28"]
[groups.hidden]
security_groups = ["sg-1"]
[destinations.names]
domains = ["a.example"]
[destinations.lists]
prefix_lists = ["pl-1"]
[destinations.repo]
cidrs = ["198.51.100.0/24"]
[services]
ssh = ["tcp/22"]
[[require]]
id = "same-az"
between = "any-tier"
same = ["az"]
[[deny]]
id = "no-ssh" # nobody
from = "any"
to = "inside"
service = "ssh"
[[deny]]
id = "no-way-out"
from = "any-tier"
to = "internet"
to_except = ["repo"]
[[allow]]
id = "search"
from = "app"
to = "db"
ports = ["tcp/9200"]
exempt = ["same-az"]
[[allow]]
id = "named"
from = "data"
to = "names"
ports = ["tcp/8443"]
[[allow]]
id = "listed"
from = "data"
to = "lists"
ports = ["tcp/8443"]
[[allow]]
id = "store"
from = "data"
to = "aws:S3"
ports = ["tcp/8443"]
[[allow]]
id = "grouped"
from = "hidden"
to = "app"
ports = ["tcp/8443"]
"#;

fn parse(text: &str) -> Result<Policy, PolicyErrors> {
    Policy::parse("p.toml", text, &|_| unreachable!("it pins nothing"))
}

fn policy() -> Policy {
    parse(POLICY).unwrap_or_else(|errors| panic!("{}", errors.render(false)))
}

fn addr(text: &str) -> Addr {
    text.parse().expect("an address")
}

/// `10.0.1.5 10.0.2.17 tcp/22`, as the policy judges it.
fn edge(policy: &Policy, words: &str) -> Edge {
    let words: Vec<&str> = words.split(' ').collect();
    let (name, port) = words[2].split_once('/').unwrap_or((words[2], "0"));
    let (client_addr, server_addr) = (addr(words[0]), addr(words[1]));
    let number = protocol::number(name).expect("a protocol");
    let port: u16 = port.parse().expect("a port");
    let decision = policy.decide_by_addr(client_addr, server_addr, number, port, 1000);
    Edge {
        network: "prod".to_owned(),
        client_addr,
        server_addr,
        server_port: protocol::has_ports(number).then_some(port),
        protocol: number,
        orientation: Orientation::Syn,
        outcome: Some(Outcome::Established),
        verdict: Verdict::Violation,
        rule: policy.rule(decision.rule).id.clone(),
        decision: Some(decision.answer),
        client_zone: policy.zone_of(client_addr, 1000).to_owned(),
        server_zone: policy.zone_of(server_addr, 1000).to_owned(),
        client_workload: None,
        server_workload: None,
        via: None,
        confidence: Confidence::Certain,
        severity: Some(Severity::High),
        lacked: None,
        records: 2,
        connections: 1,
        packets_to_server: 1,
        packets_to_client: 1,
        bytes_to_server: 1,
        bytes_to_client: 1,
        first_seen: 1000,
        last_seen: 1060,
        source: "a.log".to_owned(),
        line: 3,
        account_id: None,
        region: None,
        vpc_id: None,
        subnet_id: None,
        interface_id: None,
        instance_id: None,
    }
}

fn finding(kind: Kind, edge: &Edge) -> Finding {
    let end = |addr: Addr, zone: &str| Subject {
        subject: addr.to_string(),
        zone: zone.to_owned(),
        addresses: 1,
        heaviest: vec![(addr, 1)],
    };
    Finding {
        finding_id: "0123456789abcdef".to_owned(),
        day: 0,
        kind,
        severity: Severity::High,
        confidence: Confidence::Certain,
        title: String::new(),
        network: "prod".to_owned(),
        client: end(edge.client_addr, &edge.client_zone),
        server: end(edge.server_addr, &edge.server_zone),
        server_names: Default::default(),
        server_port: edge.server_port,
        protocol: Some(edge.protocol),
        rule: edge.rule.clone(),
        reason: String::new(),
        owner: String::new(),
        controls: Vec::new(),
        lacked: None,
        outcome: edge.outcome,
        via: None,
        account_id: None,
        region: None,
        vpc_id: None,
        subnet_id: None,
        interface_id: None,
        instance_id: None,
        first_seen: edge.first_seen,
        last_seen: edge.last_seen,
        records: 2,
        connections: 1,
        packets: 2,
        bytes: 2,
        source: "a.log".to_owned(),
        line: 3,
        muted: false,
    }
}

/// What permits these edges, and the policy with it: the edits as they are told, and the rule pasted.
fn permitted(edges: &[&str]) -> Permission {
    let policy = policy();
    let edges: Vec<Edge> = edges.iter().map(|words| edge(&policy, words)).collect();
    let asked = Asked {
        finding: &finding(Kind::CrossTierViolation, &edges[0]),
        edges: &edges,
        policy: &policy,
        text: POLICY,
        parse: &parse,
        network: NetworkId(0),
        until: "1970-02-01",
    };
    let permission = permit(&asked).unwrap_or_else(|errors| panic!("{}", errors.render(false)));
    let mut text = POLICY.to_owned();
    for edit in &permission.edits {
        let head = format!("id = \"{}\"", edit.rule);
        let at = text.find(&head).expect("the rule");
        let line = at + text[at..].find('\n').expect("a line");
        let end = text[line + 1..].find("[[").expect("another") + line + 1;
        let section = text[line..end].to_owned();
        let kept = section.lines().filter(|line| !line.starts_with(edit.key));
        let kept: Vec<&str> = kept.collect();
        text.replace_range(
            line..end,
            &format!("{}\n{}\n", kept.join("\n"), edit.line()),
        );
    }
    for (pasted, until) in [
        (&permission.paste, u32::MAX),
        (&permission.exception, 31 * 86_400),
    ] {
        let changed = parse(&format!("{text}\n{pasted}"))
            .unwrap_or_else(|errors| panic!("{}", errors.render(false)));
        for edge in &edges {
            let port = edge.server_port.unwrap_or(0);
            let decide = |at: i64| {
                changed.decide_by_addr(edge.client_addr, edge.server_addr, edge.protocol, port, at)
            };
            assert_eq!(decide(1000).answer, Answer::Allow, "{pasted}");
            let last = i64::from(until) - 1;
            assert_eq!(decide(last).answer, Answer::Allow, "{pasted}");
            if until < u32::MAX {
                assert_eq!(decide(last + 1).answer, Answer::Deny, "{pasted}");
            }
        }
    }
    assert_eq!(permission.allowed, edges.len() as u64);
    assert!(permission.others.is_empty());
    permission
}

#[test]
fn the_narrowest_words_are_pasted_and_requires_exempted() {
    let permission = permitted(&["10.0.1.5 10.0.2.17 tcp/443"]);
    let rule = &permission.paste;
    for line in [
        "id = \"finding-01234567\"",
        "from = \"app\"",
        "to = \"db\"",
        "ports = [\"tcp/443\"]",
        "exempt = [\"same-az\"]",
    ] {
        assert!(rule.contains(line), "{rule}");
    }
    assert!(permission.edits.is_empty());
    // A tier and a group are more than two addresses, and that is told.
    let newly = permission.newly_allowed();
    assert_eq!(newly.len(), 1);
    assert_eq!(
        (&*newly[0].client.zone, &*newly[0].server.zone),
        ("app", "data")
    );
    assert!(
        newly[0].ports.to_string() == "tcp/443",
        "{:?}",
        newly[0].ports
    );
}

#[test]
fn denies_that_stand_against_it_are_changed() {
    let permission = permitted(&["10.0.1.5 10.0.2.17 tcp/22", "10.0.1.6 10.0.2.40 tcp/22"]);
    let lines: Vec<String> = permission.edits.iter().map(|edit| edit.line()).collect();
    assert_eq!(lines, ["from_except = [\"app\"]"]);
    assert!(permission.paste.contains("service = \"ssh\""));
    assert!(permission.paste.contains("to = [\"data\", \"db\"]"));
}

#[test]
fn addresses_that_nothing_names_get_a_destination_of_their_own() {
    let permission = permitted(&[
        "10.0.1.5 203.0.113.7 tcp/443",
        "10.0.1.5 203.0.113.9 tcp/443",
    ]);
    let lines: Vec<String> = permission.edits.iter().map(|edit| edit.line()).collect();
    assert_eq!(lines, ["to_except = [\"repo\", \"servers-of-01234567\"]"]);
    let cidrs =
        "[destinations.\"servers-of-01234567\"]\ncidrs = [\"203.0.113.7/32\", \"203.0.113.9/32\"]";
    assert!(permission.paste.contains(cidrs), "{}", permission.paste);
    let newly = permission.newly_allowed();
    let mut zones: Vec<&str> = newly.iter().map(|change| &*change.server.zone).collect();
    zones.dedup();
    assert_eq!(zones, ["servers-of-01234567"]);
    // Many are called by their zone.
    let many: Vec<String> = (1..=11)
        .map(|host| format!("10.0.1.5 203.0.113.{host} tcp/443"))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let permission = permitted(&many);
    assert!(permission.paste.contains("to = \"internet\""));
    let changes = permission.widens.expect("a comparison");
    assert!(
        changes
            .iter()
            .any(|change| change.kind == ChangeKind::NewlyAllowed)
    );
}

#[test]
fn a_file_that_cannot_be_continued_is_told() {
    let text = POLICY.replace("[policy]", "mute = []\n[policy]");
    let policy = parse(&text).unwrap_or_else(|errors| panic!("{}", errors.render(false)));
    let edge = edge(&policy, "10.0.1.5 10.0.2.17 tcp/443");
    let finding = finding(Kind::CrossTierViolation, &edge);
    let muted = mute(&finding, &policy, &text, "1970-02-01", &parse);
    assert!(muted.is_err_and(|errors| !errors.errors().is_empty()));
}

#[test]
fn every_kind_has_its_mute_but_an_address_in_no_tier() {
    let policy = policy();
    let edge = edge(&policy, "10.0.1.5 203.0.113.7 tcp/22");
    for kind in Kind::ALL {
        let mut about = finding(*kind, &edge);
        for without in 0..4 {
            // Detectors' findings may have no client, no server, no port.
            if without & 1 == 1 {
                about.client.zone = String::new();
            }
            if without & 2 == 2 {
                (about.server.zone, about.server_port) = (String::new(), None);
            }
            let muting = mute(&about, &policy, POLICY, "1970-02-01", &parse);
            let muting = muting.unwrap_or_else(|errors| panic!("{}", errors.render(false)));
            assert_eq!(muting.holds, *kind != Kind::Unassigned, "{}", muting.text);
        }
    }
}

#[test]
fn what_is_missing_has_its_remedy() {
    let policy = policy();
    let edges = [
        edge(&policy, "10.0.2.5 203.0.113.7 tcp/8443"),
        edge(&policy, "10.0.1.5 10.0.1.9 tcp/8443"),
    ];
    let missing = missing(&policy, NetworkId(0), &edges);
    let found: Vec<(&str, &str)> = missing
        .iter()
        .map(|one| (one.rule.as_str(), one.evidence))
        .collect();
    for expected in [
        ("grouped", "an inventory"),
        ("listed", "prefix lists"),
        ("named", "Resolver logs"),
        ("store", "the AWS service fields, or pinned ip_ranges"),
    ] {
        assert!(found.contains(&expected), "{expected:?} in {found:?}");
    }
    for one in &missing {
        assert!(!one.how.starts_with("see "), "{}", one.evidence);
    }
}

#[test]
fn an_address_finds_its_place() {
    let policy = policy();
    let of = (&policy, NetworkId(0), POLICY);
    let lost = (addr("10.0.9.7"), Some("subnet-9"), 1000);
    let bare =
        place(lost, of, None, &parse).unwrap_or_else(|errors| panic!("{}", errors.render(false)));
    assert_eq!(
        bare.text,
        "[[subnets]]\nid = \"subnet-9\"\ntier = \"FILL-IN\"\ncidrs = [\"10.0.9.7/32\"]\n"
    );
    assert!(bare.holds && !bare.is_subnet);
    let config = Config {
        subnets: vec![Subnet {
            id: "subnet-9".to_owned(),
            az_id: Some("use2-az1".to_owned()),
            cidrs: vec!["10.0.9.0/24".parse().expect("a prefix")],
            tags: [("Tier".to_owned(), "data".to_owned())].into(),
            ..Subnet::default()
        }],
        ..Config::default()
    };
    for id in [Some("subnet-9"), None] {
        let placed = place((lost.0, id, 1000), of, Some(&config), &parse);
        let placed = placed.unwrap_or_else(|errors| panic!("{}", errors.render(false)));
        assert_eq!(
            placed.text,
            "[[subnets]]\nid = \"subnet-9\"\ntier = \"data\"\naz = \"use2-az1\"\ncidrs = [\"10.0.9.0/24\"]\n"
        );
        assert!(placed.holds && placed.is_subnet);
    }
}
