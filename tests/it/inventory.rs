//! An inventory as users give it: files beside the policy, a scan, what is told of it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::cli_policy_replay::{changes, edges, joined, prepared, replay_of, scan, total};
use super::cli_program::{ok, run};

const POLICY: &str = r#"
[policy]
id = "INV"
[networks.prod]
vpcs = ["vpc-1"]
cidrs = ["10.0.0.0/16"]
[[subnets]]
tier = "app"
cidrs = ["10.0.32.0/24"]
[[subnets]]
tier = "data"
cidrs = ["10.0.64.0/24"]
[[subnets]]
tier = "edge"
cidrs = ["10.0.0.0/24"]
[groups.web]
security_groups = ["sg-web"]
[groups.db]
tags = { role = "db" }
[[allow]]
id = "web-to-db"
from = "web"
to = "db"
ports = ["tcp/5432"]
"#;

const DATED: &str = "[data]\ninventory = [{ file = \"january.json\", valid_from = 2026-01-01 }, { file = \"february.json\", valid_from = 2026-02-01T06:02:30Z }]\n";

/// An interface as the describe call prints it.
fn eni(id: &str, addr: &str, group: &str, more: Value) -> Value {
    let mut eni = json!({
        "NetworkInterfaceId": id,
        "VpcId": "vpc-1",
        "PrivateIpAddress": addr,
        "Groups": [{"GroupId": group, "GroupName": "x"}],
    });
    let more = more.as_object().expect("an object").clone();
    eni.as_object_mut().expect("an object").extend(more);
    eni
}

fn described(enis: &[Value]) -> String {
    json!({ "NetworkInterfaces": enis }).to_string()
}

fn db(addr: &str) -> Value {
    let tags = json!({ "TagSet": [{"Key": "role", "Value": "db"}] });
    eni("eni-db", addr, "sg-x", tags)
}

/// A log without types, tags and instances: `INTERFACE SRC DST SRCPORT DSTPORT FLAGS TIME [ACTION]` a line.
fn log(lines: &str) -> String {
    let mut log = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status vpc-id tcp-flags pkt-srcaddr pkt-dstaddr flow-direction\n".to_owned();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split(' ').collect();
        let [interface, src, dst, src_port, dst_port, flags, time] = words[..7] else {
            panic!("{line}");
        };
        let start: jiff::Timestamp = time.parse().expect("a time");
        let start = start.as_second();
        let direction = if words.len() > 7 { words[7] } else { "egress" };
        writeln!(
            log,
            "5 123456789012 {interface} {src} {dst} {src_port} {dst_port} 6 10 1000 {start} {} ACCEPT OK vpc-1 {flags} {src} {dst} {direction}",
            start + 20
        )
        .expect("a text");
    }
    log
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("written");
    }
    folder
}

/// The findings of a scan that go by a rule; what detectors find does not.
fn findings(folder: &Path) -> Vec<Value> {
    let arguments = [
        "scan", "a.log", "--policy", "p.toml", "--format", "json", "--lake", "lake", "--keep",
        "all",
    ];
    let report: Value = serde_json::from_str(&ok(folder, &arguments).stdout).expect("JSON");
    let mut findings = report["findings"].as_array().expect("a list").clone();
    findings.retain(|finding| finding["rule"] != "");
    findings
}

fn rows(folder: &Path, query: &str) -> String {
    ok(
        folder,
        &["sql", "--lake", "lake", "-c", query, "--format", "csv"],
    )
    .stdout
}

#[test]
fn the_same_flow_is_judged_before_and_after_a_security_group_changes() {
    let before = described(&[
        eni("eni-1", "10.0.32.1", "sg-x", json!({})),
        db("10.0.64.1"),
    ]);
    let after = described(&[
        eni("eni-1", "10.0.32.1", "sg-web", json!({})),
        db("10.0.64.1"),
    ]);
    // Both are in one slot, of which the second file holds the later half.
    let lines = "
        eni-1 10.0.32.1 10.0.64.1 40000 5432 3 2026-02-01T06:02:29Z
        eni-db 10.0.64.1 10.0.32.1 5432 40000 19 2026-02-01T06:02:29Z
        eni-1 10.0.32.1 10.0.64.1 40001 5432 3 2026-02-01T06:02:30Z
        eni-db 10.0.64.1 10.0.32.1 5432 40001 19 2026-02-01T06:02:30Z
        eni-1 10.0.32.1 10.0.64.1 40002 5432 3 2025-12-31T23:59:00Z
        eni-db 10.0.64.1 10.0.32.1 5432 40002 19 2025-12-31T23:59:00Z";
    let policy = format!("{POLICY}{DATED}");
    let folder = folder(&[
        ("p.toml", &policy),
        ("january.json", &before),
        ("february.json", &after),
        ("a.log", &log(lines)),
    ]);
    let found = findings(folder.path());
    let kinds: BTreeSet<(&str, &str)> = found
        .iter()
        .map(|one| {
            (
                one["kind"].as_str().expect("a kind"),
                one["rule"].as_str().expect("a rule"),
            )
        })
        .collect();
    assert_eq!(
        kinds,
        BTreeSet::from([
            ("cross-tier-violation", "default"),
            ("unproven", "web-to-db")
        ])
    );
    let query = "SELECT client_port, decision, rule, array_to_string(client_groups, ' ') AS c, array_to_string(server_groups, ' ') AS s, count(*) AS n FROM records GROUP BY 1, 2, 3, 4, 5 ORDER BY 1";
    assert_eq!(
        rows(folder.path(), query),
        "client_port,decision,rule,c,s,n\n\
         40000,deny,default,,db,2\n\
         40001,allow,web-to-db,web,db,2\n\
         40002,unproven,web-to-db,,,2\n"
    );
}

#[test]
fn a_connection_to_ones_own_public_address_is_low_and_says_so() {
    let public = json!({ "Association": {"PublicIp": "198.51.100.7"} });
    let enis = described(&[
        eni("eni-1", "10.0.32.1", "sg-x", json!({})),
        eni("eni-lb", "10.0.0.7", "sg-x", public),
    ]);
    let lines = "
        eni-1 10.0.32.1 198.51.100.7 40000 443 3 2026-02-01T06:00:10Z
        eni-1 198.51.100.7 10.0.32.1 443 40000 19 2026-02-01T06:00:10Z ingress
        eni-1 10.0.32.1 203.0.113.9 40000 443 3 2026-02-01T06:00:10Z
        eni-1 203.0.113.9 10.0.32.1 443 40000 19 2026-02-01T06:00:10Z ingress";
    let policy = format!("{POLICY}[data]\ninventory = [\"enis.json\"]\n");
    let folder = folder(&[
        ("p.toml", &policy),
        ("enis.json", &enis),
        ("a.log", &log(lines)),
    ]);
    let found = findings(folder.path());
    let shown: BTreeSet<[&str; 3]> = found
        .iter()
        .map(|one| {
            ["kind", "severity", "server_subject"].map(|of| one[of].as_str().expect("a text"))
        })
        .collect();
    assert_eq!(
        shown,
        BTreeSet::from([
            ["egress-violation", "high", "203.0.113.0/24"],
            ["egress-violation", "low", "self-public"],
        ])
    );
}

#[test]
fn whose_flows_an_interface_carries_goes_by_the_inventorys_type() {
    let of_type =
        |id: &str, addr: &str, kind: &str| eni(id, addr, "sg-x", json!({ "InterfaceType": kind }));
    let enis = described(&[
        of_type("eni-nat", "10.0.0.220", "nat_gateway"),
        of_type("eni-tgw", "10.0.0.10", "transit_gateway"),
        of_type("eni-nlb", "10.0.0.20", "network_load_balancer"),
    ]);
    let lines = "
        eni-nat 192.0.2.1 10.0.0.220 40000 443 2 2026-02-01T06:00:10Z ingress
        eni-tgw 10.0.32.1 10.0.0.10 40001 443 2 2026-02-01T06:00:10Z ingress
        eni-nlb 192.0.2.1 10.0.0.20 40002 443 2 2026-02-01T06:00:10Z ingress";
    let policy = format!("{POLICY}[data]\ninventory = [\"enis.json\"]\n");
    let folder = folder(&[
        ("p.toml", &policy),
        ("enis.json", &enis),
        ("a.log", &log(lines)),
    ]);
    findings(folder.path());
    let query = "SELECT client_port, observer, rule FROM records ORDER BY 1";
    assert_eq!(
        rows(folder.path(), query),
        "client_port,observer,rule\n40000,transit,nat-unsolicited\n40001,transit,transit\n40002,server,default\n"
    );
}

#[test]
fn explain_tells_which_file_and_interface_put_an_end_into_a_group() {
    let attached = json!({ "Attachment": {"InstanceId": "i-1"}, "InterfaceType": "interface" });
    let before = described(&[
        eni("eni-1", "10.0.32.1", "sg-web", attached),
        db("10.0.64.1"),
    ]);
    let policy = format!("{POLICY}{DATED}");
    let folder = folder(&[
        ("p.toml", &policy),
        ("january.json", &before),
        ("february.json", &described(&[db("10.0.64.1")])),
    ]);
    let explain = |at: &str, more: &[&str]| {
        let flow = [
            "policy",
            "explain",
            "p.toml",
            "10.0.32.1",
            "10.0.64.1:5432/tcp",
            "--at",
            at,
        ];
        ok(folder.path(), &[&flow[..], more].concat()).stdout
    };
    let text = explain("2026-01-15", &[]);
    for line in [
        "                by the inventory: web\n  inventory     eni-1 of type interface of i-1 in sg-web; says january.json, from 2026-01-01T00:00:00Z on\n",
        "                by the inventory: db\n  inventory     eni-db in sg-x; says january.json, from 2026-01-01T00:00:00Z on\n",
        "allow by web-to-db\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let text = explain("2026-02-15", &[]);
    for line in [
        "  inventory     knows no interface with this address then\n",
        "and perhaps db, web: no evidence tells",
        "unproven by web-to-db\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let json: Value =
        serde_json::from_str(&explain("2026-01-15", &["--format", "json"])).expect("JSON");
    assert_eq!(json["client"]["groups_by_inventory"], json!(["web"]));
    assert_eq!(
        json["client"]["interfaces"],
        json!([{
            "id": "eni-1", "file": "january.json", "from": "2026-01-01T00:00:00Z",
            "interface_type": "interface", "instance_id": "i-1", "security_groups": ["sg-web"],
        }])
    );
}

#[test]
fn a_group_that_nobody_in_the_inventory_is_in_is_unresolved() {
    let enis = described(&[eni("eni-1", "10.0.32.1", "sg-web", json!({}))]);
    let policy = format!("{POLICY}[data]\ninventory = [\"enis.json\"]\n");
    let folder = folder(&[("p.toml", &policy), ("enis.json", &enis)]);
    let arguments = ["policy", "check", "p.toml", "--format", "json"];
    let lints: Value = serde_json::from_str(&run(folder.path(), &arguments).stdout).expect("JSON");
    let lints = lints.as_array().expect("a list").iter();
    let unresolved: Vec<&str> = lints
        .filter(|lint| lint["name"] == "unresolved-group")
        .map(|lint| lint["message"].as_str().expect("a message"))
        .collect();
    assert_eq!(
        unresolved,
        ["nobody in the inventory is in group `db`, which goes by tag role"]
    );
}

/// An interface for each address; every second one is in `sg-1`, but not every eighth if those are `moved`.
fn interfaces_of(addrs: &BTreeSet<String>, moved: bool) -> String {
    let enis: Vec<Value> = addrs
        .iter()
        .enumerate()
        .map(|(at, addr)| {
            let is_member = at % 2 == 0 && !(moved && at % 8 == 0);
            let group = if is_member { "sg-1" } else { "sg-2" };
            json!({
                "NetworkInterfaceId": format!("eni-{at}"),
                "VpcId": "vpc-0a1b2c3d4e5f60718",
                "PrivateIpAddress": addr,
                "Groups": [{"GroupId": group}],
            })
        })
        .collect();
    described(&enis)
}

#[test]
fn a_lake_is_replayed_with_an_inventory_as_two_scans_have_it() {
    let folder = prepared(11, "plain.toml");
    let root = folder.path();
    let addrs: BTreeSet<String> = edges(&root.join("lake"))
        .into_iter()
        .flat_map(|(_, edge)| [edge.client_addr.to_string(), edge.server_addr.to_string()])
        .filter(|addr| addr.starts_with("10.0."))
        .collect();
    assert!(addrs.len() > 20);
    fs::write(root.join("1.json"), interfaces_of(&addrs, false)).expect("written");
    fs::write(root.join("2.json"), interfaces_of(&addrs, true)).expect("written");
    let sample = fs::read_to_string(root.join("plain.toml")).expect("a policy");
    let groups = "[groups.secured]\nsecurity_groups = [\"sg-1\"]\n[[allow]]\nid = \"a-secured\"\nfrom = \"secured\"\nto = \"any-tier\"\n";
    let data = "[data]\ninventory = [{ file = \"1.json\", valid_from = 2026-02-01 }, { file = \"2.json\", valid_from = 2026-02-25T05:47:10Z }]\n";
    assert!(!sample.contains("[data]"));
    fs::write(root.join("known.toml"), format!("{sample}\n{groups}{data}")).expect("written");
    scan(root, "known.toml", "lake-known");
    for (old, new, [lake, other]) in [
        ("plain.toml", "known.toml", ["lake", "lake-known"]),
        ("known.toml", "plain.toml", ["lake-known", "lake"]),
    ] {
        let expected = joined(&root.join(lake), &root.join(other));
        assert!(total(&expected) > 0, "{old}");
        let from_logs = replay_of(root, old, new, "logs");
        assert_eq!(from_logs["judged"], "connections", "{old}");
        assert_eq!(changes(&from_logs), expected, "{old}, over logs");
        let from_lake = replay_of(root, old, new, lake);
        let told = changes(&from_lake);
        for (key, counts) in &told {
            let all = expected.get(key).copied().unwrap_or_default();
            let is_within = counts.iter().zip(all).all(|(told, all)| *told <= all);
            assert!(is_within, "{old}: {key:?}: told {counts:?} of {all:?}");
        }
        let unknown = from_lake["not_compared"]["connections"].as_u64();
        let unknown = unknown.expect("a number");
        let compared = from_lake["compared"].as_u64().expect("a number");
        assert!(total(&expected) - total(&told) <= unknown, "{old}");
        // Only what was seen on both sides of the date is in doubt.
        assert!(unknown * 4 < compared, "{old}: {unknown} of {compared}");
        assert!(total(&told) > 0, "{old}");
    }
}

#[test]
fn a_broken_inventory_is_refused_with_its_file_and_place() {
    let policy = format!("{POLICY}[data]\ninventory = [\"enis.json\"]\n");
    let broken = described(&[eni("eni-1", "10.0.32.300", "sg-web", json!({}))]);
    let folder = folder(&[("p.toml", &policy), ("enis.json", &broken), ("a.log", "")]);
    run(folder.path(), &["scan", "a.log", "--policy", "p.toml"]).refused(
        2,
        &[
            "cannot use `enis.json`: at `NetworkInterfaces[0].PrivateIpAddress`: `10.0.32.300` is no prefix",
            "p.toml:",
        ],
    );
}

#[test]
fn the_manuals_example_is_a_policy_whose_tests_hold() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/inventory.md");
    let page = fs::read_to_string(page).expect("a readable page");
    let folder = tempfile::tempdir().expect("a folder");
    let block = |rest: &str, language: &str| -> String {
        let (_, rest) = rest.split_once(language).expect("a block");
        rest.split("```").next().unwrap_or_default().to_owned()
    };
    for name in ["january.json", "february.json"] {
        let (_, rest) = page.split_once(&format!("`{name}`:")).expect("a file");
        fs::write(folder.path().join(name), block(rest, "```json\n")).expect("written");
    }
    fs::write(folder.path().join("p.toml"), block(&page, "```toml\n")).expect("written");
    let ran = ok(
        folder.path(),
        &["policy", "test", "p.toml", "--format", "json"],
    );
    let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert!(ran.stdout.contains("and is one since February"), "{report}");
    ok(
        folder.path(),
        &["policy", "check", "p.toml", "--fail-on", "warning"],
    );
}

#[test]
fn the_difference_of_two_policies_tells_what_members_by_an_inventory_lose_and_gain() {
    let enis = described(&[
        eni("eni-1", "10.0.32.1", "sg-web", json!({})),
        db("10.0.64.1"),
    ]);
    let old = format!("{POLICY}[data]\ninventory = [\"enis.json\"]\n");
    let new = old.replace("tcp/5432", "tcp/5433");
    let dated = old.replace(
        "\"enis.json\"",
        "{ file = \"enis.json\", valid_from = 2026-01-01 }",
    );
    let folder = folder(&[
        ("old.toml", &old),
        ("new.toml", &new),
        ("dated.toml", &dated),
        ("enis.json", &enis),
    ]);
    let diff = |new: &str| -> Value {
        let arguments = ["policy", "diff", "old.toml", new, "--format", "json"];
        serde_json::from_str(&ok(folder.path(), &arguments).stdout).expect("JSON")
    };
    let found = diff("new.toml");
    let changes = found["changes"].as_array().expect("a list").iter();
    let shown: BTreeSet<(String, String)> = changes
        .filter(|change| change["old_answer"] == "allow" || change["new_answer"] == "allow")
        .map(|change| {
            assert_eq!(change["client_groups"], json!(["web"]), "{change}");
            assert_eq!(change["server_groups"], json!(["db"]), "{change}");
            (change["change"].to_string(), change["ports"].to_string())
        })
        .collect();
    let pair = |change: &str, ports: &str| (format!("\"{change}\""), format!("[\"{ports}\"]"));
    assert_eq!(
        shown,
        BTreeSet::from([
            pair("newly-allowed", "tcp/5433"),
            pair("newly-denied", "tcp/5432"),
        ])
    );
    // Which addresses are whose is not compared, but that the files differ is told.
    let found = diff("dated.toml");
    assert_eq!(found["changes"], json!([]));
    assert_eq!(found["edits"][0]["what"], "inventory");
    let added = found["edits"][0]["added"][0].as_str().expect("a text");
    assert!(added.ends_with(" from 2026-01-01 on"), "{added}");
}
