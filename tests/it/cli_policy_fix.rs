//! `tidegate policy fix`: every kind of finding, what is pasted decides, what is called reaches AWS as meant, the page's own
//! example.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;
use tidegate::net::Addr;
use tidegate::policy::{Answer, Policy};

use super::cli_program::{Ran, ok, run};

const POLICY: &str = "policies/sec-003.toml";
const NETWORK: &str = "tests/fix/network.json";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The sample, judged into a lake, once for all tests: they only read it.
fn lake() -> &'static str {
    static LAKE: OnceLock<(tempfile::TempDir, String)> = OnceLock::new();
    let (_, path) = LAKE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lake").display().to_string();
        ok(
            root(),
            &[
                "scan",
                "sample-logs/logs",
                "--policy",
                POLICY,
                "--lake",
                &path,
            ],
        );
        (folder, path)
    });
    path
}

/// Ids of the sample's findings, with their kinds.
fn findings() -> Vec<(String, String)> {
    let question = "select distinct finding_id, kind from findings order by 1";
    let ran = ok(
        root(),
        &["sql", "--lake", lake(), "--format", "json", "-c", question],
    );
    let rows: Vec<BTreeMap<String, String>> = serde_json::from_str(&ran.stdout).expect("rows");
    rows.iter()
        .map(|row| (row["finding_id"].clone(), row["kind"].clone()))
        .collect()
}

fn fix(more: &[&str]) -> Ran {
    run(
        root(),
        &[&["policy", "fix", "--lake", lake()], more].concat(),
    )
}

fn json(more: &[&str]) -> Value {
    let ran = fix(&[more, &["--format", "json"]].concat());
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{more:?}");
    serde_json::from_str(&ran.stdout).expect("JSON")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("text, got {value}"))
}

fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("a number, got {value}"))
}

fn parse(text: &str) -> Policy {
    Policy::parse("p.toml", text, &|_| unreachable!("it pins nothing"))
        .unwrap_or_else(|errors| panic!("{}\n{text}", errors.render(false)))
}

/// The policy's text with what is to be pasted, and with the rules changed that stand against it.
fn changed(permit: &Value, which: &str) -> String {
    let mut policy = fs::read_to_string(root().join(POLICY)).expect("the policy");
    for edit in list(&permit["edits"]) {
        let head = format!("id = \"{}\"\n", text(&edit["rule"]));
        let at = policy.find(&head).expect("the rule");
        let end = policy[at..]
            .find("\n\n")
            .map_or(policy.len(), |end| at + end);
        let key = format!("{} =", text(&edit["key"]));
        let section = policy[at..end].to_owned();
        let kept: Vec<&str> = section
            .lines()
            .filter(|line| !line.starts_with(&key))
            .collect();
        let written = format!("{}\n{}", kept.join("\n"), text(&edit["line"]));
        policy.replace_range(at..end, &written);
    }
    format!("{policy}\n\n{}", text(&permit[which]))
}

#[test]
fn every_finding_of_the_sample_is_answered() {
    let findings = findings();
    let ids: Vec<&str> = findings.iter().map(|(id, _)| id.as_str()).collect();
    let options = ["--policy", POLICY, "--config", NETWORK];
    let answer = json(&[ids.as_slice(), &options].concat());
    assert_eq!(answer["executed"], false);
    let mut states: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut permitted = 0;
    for (fix, (id, kind)) in list(&answer["findings"]).iter().zip(&findings) {
        let finding = &fix["finding"];
        assert_eq!(text(&finding["finding_id"]), id);
        let state = text(&fix["network"]["state"]).to_owned();
        states.entry(kind.clone()).or_default().insert(state);
        check_mute(fix, kind);
        if fix["advice"].is_null() {
            // The edges behind a finding are those that made it: all of them, and no others.
            assert_eq!(
                fix["edge_connections"], finding["connections"],
                "{id} {kind}"
            );
        }
        if !fix["permit"].is_null() {
            check_permit(fix);
            permitted += 1;
        }
        if kind == "unassigned" {
            let place = &fix["place"];
            assert_eq!(
                (&place["holds"], &place["whole_subnet"]),
                (&true.into(), &true.into())
            );
            assert!(text(&place["subnet"]).contains("cidrs = [\"10.0.248.0/21\"]"));
        }
        let is_detected = !finding["rule"].is_string() || text(&finding["rule"]).is_empty();
        if is_detected && kind != "unassigned" {
            assert!(text(&fix["advice"]).starts_with("Legitimate"), "{kind}");
        }
        for change in list(&fix["network"]["changes"]) {
            assert!(text(&change["call"]).starts_with("aws ec2 "), "{change}");
        }
    }
    let of = |kind: &str| -> Vec<&str> {
        states
            .get(kind)
            .unwrap_or_else(|| panic!("no {kind} in the sample"))
            .iter()
            .map(String::as_str)
            .collect()
    };
    for kind in [
        "ingress-violation",
        "egress-violation",
        "cross-tier-violation",
        "intra-tier-violation",
    ] {
        assert_eq!(of(kind), ["close"], "{kind}");
    }
    assert_eq!(of("denied-attempt"), ["close", "held"]);
    assert_eq!(of("overblocked"), ["open"]);
    assert_eq!(of("unassigned"), ["not-about-the-network"]);
    assert!(permitted > 20, "{permitted}");
}

/// What is pasted parses, and decides the pairs as allowed; as an exception until it ends.
fn check_permit(fix: &Value) {
    let (permit, finding) = (&fix["permit"], &fix["finding"]);
    let title = text(&finding["title"]);
    assert_eq!(
        (&permit["allowed_connections"], &permit["other_connections"]),
        (&finding["connections"], &serde_json::json!({})),
        "{title}: {permit}"
    );
    assert!(permit["changes"].is_array(), "{title}");
    let at = |name: &str| -> i64 {
        let time: jiff::Timestamp = text(&finding[name]).parse().expect("a time");
        time.as_second()
    };
    let base = parse(&fs::read_to_string(root().join(POLICY)).expect("the policy"));
    for which in ["allow", "exception"] {
        let policy = parse(&changed(permit, which));
        for pair in list(&fix["pairs"]) {
            let addr = |name: &str| -> Addr { text(&pair[name]).parse().expect("an address") };
            let (protocol, port) = (number(&pair["protocol"]), &pair["server_port"]);
            let decide = |policy: &Policy, at: i64| {
                policy.decide_by_addr(
                    addr("client_addr"),
                    addr("server_addr"),
                    u8::try_from(protocol).expect("a protocol"),
                    u16::try_from(port.as_u64().unwrap_or(0)).expect("a port"),
                    at,
                )
            };
            // What only records tell, addresses do not.
            if decide(&base, at("first_seen")).answer == Answer::Deny {
                let decision = decide(&policy, at("first_seen"));
                assert_eq!(decision.answer, Answer::Allow, "{title}: {pair}");
            }
            let a_year_later = decide(&policy, at("last_seen") + 366 * 86_400);
            // Another rule may begin by then; this one has ended.
            let rule = &policy.rule(a_year_later.rule).id;
            let is_own = rule.starts_with(text(&permit["rule"]));
            assert!(!is_own || which == "allow", "{title}: {rule}");
        }
    }
    // All that is decided otherwise is told: the pairs are among it.
    let newly = list(&permit["changes"])
        .iter()
        .filter(|change| change["change"] == "newly-allowed");
    assert!(newly.count() > 0, "{title}");
}

fn check_mute(fix: &Value, kind: &str) {
    let mute = &fix["mute"];
    if kind == "unassigned" {
        assert_eq!(mute["holds"], false);
        return;
    }
    assert_eq!(mute["holds"], true, "{kind}: {mute}");
    let policy = fs::read_to_string(root().join(POLICY)).expect("the policy");
    parse(&format!("{policy}\n\n{}", text(&mute["mute"])));
}

/// The id of the first finding of this kind about this server and port.
fn id_of(kind: &str, server: &str, port: u64) -> String {
    let question = format!(
        "select finding_id from findings where kind = '{kind}' and server_subject = '{server}' and server_port = {port} order by 1 limit 1"
    );
    let ran = ok(
        root(),
        &["sql", "--lake", lake(), "--format", "json", "-c", &question],
    );
    let rows: Value = serde_json::from_str(&ran.stdout).expect("rows");
    text(&rows[0]["finding_id"]).to_owned()
}

#[test]
fn a_wide_rule_is_narrowed_to_what_the_policy_allows() {
    let id = id_of("ingress-violation", "10.0.1.11", 22);
    let answer = json(&[&id, "--policy", POLICY, "--config", NETWORK]);
    let network = &answer["findings"][0]["network"];
    let rule = &network["rules"][0];
    assert_eq!(rule["rule"], "in tcp/22 from 0.0.0.0/0, \"for a moment\"");
    // The bastion of the same zone; that of the other one breaks a require.
    let by: Vec<&str> = list(&rule["replaced_by"]).iter().map(text).collect();
    assert_eq!(by, ["in tcp/22 from 10.0.192.16/28, \"for a moment\""]);
    let calls: Vec<&str> = list(&network["changes"])
        .iter()
        .map(|change| text(&change["call"]))
        .collect();
    let expected = [
        (
            "authorize",
            serde_json::json!({"CidrIp": "10.0.192.16/28", "Description": "for a moment"}),
        ),
        ("revoke", serde_json::json!({"CidrIp": "0.0.0.0/0"})),
    ];
    assert_eq!(calls.len(), expected.len());
    for (call, (verb, range)) in calls.iter().zip(expected) {
        let head = format!(
            "aws ec2 {verb}-security-group-ingress --group-id sg-0f1c0000000000001 --ip-permissions '"
        );
        let rest = call.strip_prefix(&head).expect(call);
        let rest = rest.strip_suffix("' --region us-east-2").expect(call);
        let permissions: Value = serde_json::from_str(rest).expect("JSON");
        let expected = serde_json::json!([
            {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [range]}
        ]);
        assert_eq!(permissions, expected);
    }
    assert_eq!(network["losses"]["compliant_connections"], 0);
    let terraform = json(&[
        &id,
        "--policy",
        POLICY,
        "--as",
        "terraform",
        "--config",
        NETWORK,
    ]);
    let changes = list(&terraform["findings"][0]["network"]["changes"]);
    assert!(changes.iter().all(|change| change["form"] == "terraform"));
}

#[test]
fn what_a_group_or_an_acl_holds_is_opened() {
    let id = id_of("overblocked", "10.0.48.9", 443);
    let answer = json(&[&id, "--policy", POLICY, "--config", NETWORK]);
    let network = &answer["findings"][0]["network"];
    assert_eq!(network["connections"][0]["state"], "opened");
    let calls: Vec<&str> = list(&network["changes"])
        .iter()
        .map(|change| text(&change["call"]))
        .collect();
    assert!(
        calls
            .iter()
            .any(|call| call.contains("authorize-security-group-ingress")
                && call.contains("10.0.33.8/32")
                && call.contains("\"FromPort\":443")),
        "{calls:?}"
    );
    let id = id_of("overblocked", "10.0.64.20", 443);
    let answer = json(&[&id, "--policy", POLICY, "--config", NETWORK]);
    let network = &answer["findings"][0]["network"];
    assert_eq!(network["connections"][0]["state"], "opened", "{network:#}");
    let call = text(&network["changes"][0]["call"]);
    assert_eq!(
        call,
        "aws ec2 create-network-acl-entry --network-acl-id acl-0e3f000000000001 --egress --rule-number 89 --protocol 6 --port-range From=1024,To=65535 --cidr-block 10.0.34.6/32 --rule-action allow --region us-east-2"
    );
}

#[test]
fn without_a_policy_or_a_configuration_it_is_said_what_is_missing() {
    let id = id_of("ingress-violation", "10.0.1.11", 22);
    let neither = fix(&[&id]);
    assert_eq!(neither.code, 0, "{}", neither.stderr);
    for words in [
        "--config FILE...",
        "describe-security-groups",
        "--policy FILE",
    ] {
        assert!(neither.stdout.contains(words), "{}", neither.stdout);
    }
    let answer = json(&[&id, "--config", NETWORK]);
    let network = &answer["findings"][0]["network"];
    assert_eq!(
        (
            list(&network["changes"]).len(),
            list(&network["rules"]).len()
        ),
        (0, 0)
    );
    let passes = list(&network["connections"][0]["passes"]);
    assert!(!passes.is_empty());
}

#[test]
fn ids_are_taken_by_their_beginning_and_others_are_refused() {
    let id = id_of("ingress-violation", "10.0.1.11", 22);
    let short = &id[..10];
    let (whole, begun) = (fix(&[&id]), fix(&[short]));
    assert_eq!((whole.code, &whole.stdout), (0, &begun.stdout));
    // Twice the same is once.
    assert_eq!(fix(&[&id, short]).stdout, whole.stdout);
    let other = format!("{}zz", &id[..6]);
    fix(&[&other]).refused(2, &["has no finding", &id]);
    let all = findings();
    let first = |id: &str| id[..1].to_owned();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (id, _) in &all {
        *counts.entry(first(id)).or_default() += 1;
    }
    let several = counts.iter().find(|(_, count)| **count > 1).expect("some");
    fix(&[several.0]).refused(2, &["begins the ids of", "give more of the id"]);
    fix(&[""]).refused(2, &["has no finding"]);
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let id = id_of("ingress-violation", "10.0.1.11", 22);
    fix(&[&id, "--policy", "policies/public-load-balancer.toml"])
        .refused(2, &["judged by another policy"]);
    fix(&[&id, "--config", "nowhere.json", "README.md"])
        .refused(2, &["cannot read `nowhere.json`"]);
    run(root(), &["policy", "fix", &id, "--lake", "sample-logs"]).refused(2, &["expected a lake"]);
    let early = ["--until", "2020-01-01"];
    fix(&[&[id.as_str()], &early[..]].concat()).refused(2, &["holds no hour of that time"]);
}

/// Whatever stands in a configuration, a shell takes the printed calls apart as they are meant.
#[test]
fn hostile_descriptions_and_ids_stay_in_their_words() {
    let hostile =
        "x'; touch pwned; echo \"$(touch pwned)\" `touch pwned` \u{202e}\n&& touch pwned #";
    let text_of = fs::read_to_string(root().join(NETWORK)).expect("the network");
    let mut network: Value = serde_json::from_str(&text_of).expect("JSON");
    for group in network["SecurityGroups"].as_array_mut().expect("groups") {
        if group["GroupName"] == "web" {
            group["IpPermissions"][0]["IpRanges"][0]["Description"] = hostile.into();
            group["GroupName"] = hostile.into();
            group["GroupId"] = "sg-1'; touch pwned; '".into();
        }
    }
    for interface in network["NetworkInterfaces"]
        .as_array_mut()
        .expect("interfaces")
    {
        if interface["PrivateIpAddress"] == "10.0.1.11" {
            interface["Groups"][0]["GroupId"] = "sg-1'; touch pwned; '".into();
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("network.json");
    fs::write(&file, network.to_string()).expect("written");
    let file = file.display().to_string();
    let id = id_of("ingress-violation", "10.0.1.11", 22);
    let answer = json(&[&id, "--policy", POLICY, "--config", &file]);
    let changes = list(&answer["findings"][0]["network"]["changes"]);
    assert!(changes.len() >= 2);
    for change in changes {
        let call = text(&change["call"]);
        let ran = Command::new("sh")
            .current_dir(folder.path())
            .args(["-c", &format!("aws() {{ printf '%s\\n' \"$@\"; }}\n{call}")])
            .output()
            .expect("a shell");
        assert!(ran.status.success(), "{call}");
        let words = String::from_utf8(ran.stdout).expect("UTF-8");
        let words: Vec<&str> = words.lines().collect();
        assert_eq!(
            words[2..4],
            ["--group-id", "sg-1'; touch pwned; '"],
            "{call}"
        );
        let permissions: Value = serde_json::from_str(words[5]).expect("JSON");
        assert_eq!(permissions[0]["FromPort"], 22);
    }
    assert!(!folder.path().join("pwned").exists());
    let shown = fix(&[&id, "--policy", POLICY, "--config", &file]).stdout;
    assert!(!shown.contains('\u{202e}') && !shown.contains('\u{1b}'));
}

/// What the page shows is what the program prints.
#[test]
fn the_example_of_the_page_is_what_is_printed() {
    let page = fs::read_to_string(root().join("docs/fix.md")).expect("the page");
    let id = id_of("ingress-violation", "10.0.1.11", 22);
    assert!(page.contains(&format!("tidegate policy fix {} ", &id[..8])));
    let printed = fix(&[&id[..8], "--policy", POLICY, "--config", NETWORK]).stdout;
    let printed = printed.replace(&format!("{}/", root().display()), "");
    let block = page
        .split("```text\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("an example");
    assert_eq!(block, printed);
    let json_block = page
        .split("```json\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("an example");
    let shown: Value = serde_json::from_str(json_block).expect("JSON");
    let answer = json(&[&id, "--policy", POLICY, "--config", NETWORK]);
    let keys = |value: &Value| -> BTreeSet<String> {
        let object = value.as_object().expect("an object");
        object.keys().cloned().collect()
    };
    assert_eq!(keys(&shown), keys(&answer));
    let (shown, answer) = (&shown["findings"][0], &answer["findings"][0]);
    assert_eq!(keys(shown), keys(answer));
    for part in ["network", "permit", "mute"] {
        assert_eq!(keys(&shown[part]), keys(&answer[part]), "{part}");
    }
}
