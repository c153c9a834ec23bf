//! `tidegate policy explain`: how the policy decides on a flow, for people and for programs.

use std::fs;
use std::path::Path;

use super::cli_program::{Ran, run};

fn explain(arguments: &[&str]) -> Ran {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let command = ["policy", "explain", "policies/sec-003.toml"];
    run(root, &[&command[..], arguments].concat())
}

/// The explanation, as text.
#[track_caller]
fn told(arguments: &[&str]) -> String {
    let ran = explain(arguments);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    ran.stdout
}

#[test]
fn words_for_people_tell_ends_rules_requires_and_the_decision() {
    let text = told(&["10.0.33.5:41022", "10.0.66.7:443/tcp", "--at", "2026-02-25"]);
    assert_eq!(
        text,
        r#"10.0.33.5 -> 10.0.66.7 443/tcp (https) at 2026-02-25T00:00:00Z
seen from network prod

client 10.0.33.5
  network       prod (10.0.0.0/16)
  subnet        subnet-0c1a00000000000a2, tier app, az use2-az1, app pipeline, env prod (10.0.32.0/19)
  groups        etl (10.0.33.0/24)
  zone          app: the tier of its subnet, the only one that holds it

server 10.0.66.7
  network       prod (10.0.0.0/16)
  subnet        subnet-0c1a00000000000a3, tier data, az use2-az1, app pipeline, env prod (10.0.64.0/19)
  groups        vector-db (10.0.66.0/24)
  zone          data: the tier of its subnet, the only one that holds it

denies
  matches       etl-to-vector-db: from etl to vector-db, ports any
  matches       vector-db-accepts-only-the-vector-service: from any to vector-db, ports any
  nearly        quarantine-accepts-nothing: the server is not quarantine
  nearly        quarantine-starts-nothing: the client is not quarantine
  nearly        ssh-only-from-bastion: from any to inside, but the port is not tcp/22
  4 others fail several conditions each (--all shows them)

allows
  nearly        amazon-linux-repositories: the server is not s3
  nearly        app-to-package-repos: the server is not package-repos
  nearly        etl-to-kms: the server is not kms-endpoint
  nearly        etl-to-vector-service: the server is not vector-service
  nearly        images: the server is not ecr-api-endpoint or ecr-dkr-endpoint
  nearly        job-state: the server is not dynamodb
  nearly        load-balancer-to-vector-db: the client is not vector-lb
  nearly        logs-and-metrics: the server is not logs-endpoint or monitoring-endpoint
  nearly        object-store: the server is not s3
  nearly        secrets: the server is not secrets-manager-endpoint
  nearly        systems-manager: the server is not ec2messages-endpoint or ssm-endpoint or ssmmessages-endpoint
  nearly        tokens: the server is not sts-endpoint
  16 others fail several conditions each (--all shows them)

requires
  not in force  encrypted-paths: encrypted; from 2027-01-01T00:00:00Z
  satisfied     same-app: same app
  satisfied     same-az: same az
  satisfied     same-env: same env

deny by etl-to-vector-db
  step          1: a deny matches, whatever allows say
  named         etl-to-vector-db before vector-db-accepts-only-the-vector-service: its name in `from` is more specific
  reason        ETL writes through the vector service, which validates and rate-limits
  owner         data-platform
  controls      NIST SC-7, ISO 27001 A.8.20
"#
    );
}

#[test]
fn what_decides_is_told_step_by_step() {
    let check = |client: &str, server: &str, words: &[&str]| {
        let text = told(&[client, server, "--at", "2026-02-25T06:00:00Z"]);
        for word in words {
            assert!(text.contains(word), "expected `{word}` in:\n{text}");
        }
    };
    check(
        "10.0.33.5",
        "10.0.34.9:443/tcp",
        &[
            "allow by etl-to-vector-service\n",
            "2: an allow matches",
            "satisfied     same-az: same az",
        ],
    );
    check(
        "10.0.36.5",
        "10.0.36.9:443/tcp",
        &["deny by default\n", "4: no rule matches"],
    );
    check(
        "10.0.36.5",
        "10.0.129.10:443/tcp",
        &["deny by default\n", "client is not load-balancer"],
    );
    check(
        "10.0.0.36",
        "10.0.129.10:443/tcp",
        &[
            "deny by same-az\n",
            "held back     api-gateway-to-etl: from vpc-link to etl, but it breaks same-az and is not exempt",
            "broken        same-az: same az",
            "the first require by id is named",
        ],
    );
    check(
        "10.0.33.5",
        "52.216.1.1:443/tcp",
        &[
            "unproven by object-store\n",
            "not known whether `to` holds for s3, which needs the AWS service fields, or pinned ip_ranges",
            "3: an allow could have matched",
            "a rule with `via` matches until records say otherwise",
        ],
    );
    check(
        "10.0.58.5",
        "198.19.77.5/icmp",
        &[
            "app: the tier of its subnet, whose prefix is longer than that of subnet-0c1a00000000000a2",
        ],
    );
    check(
        "192.0.2.1",
        "203.0.113.9:443/tcp",
        &[
            "neither end is in a network of the policy",
            "cloudfront: the destination that holds it",
        ],
    );
    check(
        "172.20.1.1",
        "10.0.36.5/icmp",
        &["destinations  corp-vpn (172.20.0.0/16)\n"],
    );
}

#[test]
fn all_rules_are_shown_when_asked_for() {
    let few = told(&["10.0.33.5", "10.0.66.7:443/tcp"]);
    assert!(
        few.contains("others fail several conditions each (--all shows them)"),
        "{few}"
    );
    assert!(!few.contains("monitoring-ping"), "{few}");
    let all = told(&["10.0.33.5", "10.0.66.7:443/tcp", "--all"]);
    assert!(
        all.contains(
            "fails         monitoring-ping: the client is not mgmt; the port is not icmp, icmpv6\n"
        ),
        "{all}"
    );
    assert!(!all.contains("--all"), "{all}");
}

#[test]
fn json_tells_the_same_with_every_rule() {
    let text = told(&[
        "10.0.0.36",
        "10.0.129.10:443/tcp",
        "--at",
        "2026-02-25",
        "--format",
        "json",
    ]);
    let told: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(told["decision"], "deny");
    assert_eq!(told["rule"], "same-az");
    assert_eq!(told["step"], "require");
    assert_eq!(told["qualified"], serde_json::json!(["same-az"]));
    assert_eq!(told["at"], "2026-02-25T00:00:00Z");
    assert_eq!(told["network"], "prod");
    assert_eq!(told["client"]["zone"], "public");
    assert_eq!(
        told["client"]["groups"],
        serde_json::json!([{ "name": "vpc-link", "prefix": "10.0.0.32/28" }])
    );
    assert_eq!(
        told["server"]["subnets"][0]["id"],
        "subnet-0c1a00000000000b2"
    );
    assert_eq!(told["server"]["subnets"][0]["labels"]["env"], "prod");
    let policy =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/sec-003.toml"));
    let policy = policy.expect("the policy");
    let number = policy.matches("\n[[allow]]").count() + policy.matches("\n[[deny]]").count();
    let rules = told["rules"].as_array().expect("rules");
    assert_eq!(rules.len(), number);
    let of = |id: &str| {
        rules
            .iter()
            .find(|rule| rule["id"] == id)
            .expect("the rule")
    };
    assert_eq!(of("api-gateway-to-etl")["standing"], "nearly");
    assert_eq!(
        of("api-gateway-to-etl")["failed"],
        serde_json::json!(["requires"])
    );
    assert_eq!(
        of("api-gateway-to-etl")["broken"],
        serde_json::json!(["same-az"])
    );
    assert_eq!(of("monitoring-ping")["standing"], "apart");
    assert_eq!(told["requires"][0]["state"], "not-in-force");
    assert_eq!(told["requires"][1]["state"], "satisfied");
}

#[test]
fn a_flow_between_networks_is_seen_from_the_one_that_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let policy = r#"[policy]
id = "P"
[networks.alpha]
cidrs = ["10.0.0.0/16"]
[networks.beta]
cidrs = ["10.0.0.0/16", "10.1.0.0/16"]
[[subnets]]
network = "alpha"
tier = "app"
cidrs = ["10.0.0.0/16"]
[[subnets]]
network = "beta"
tier = "data"
cidrs = ["10.0.0.0/16"]
"#;
    fs::write(folder.path().join("p.toml"), policy).expect("a file");
    let flow = [
        "policy",
        "explain",
        "p.toml",
        "10.0.0.1",
        "10.0.0.2:443/tcp",
    ];
    let first = run(folder.path(), &flow).stdout;
    assert!(
        first
            .contains("seen from network alpha; its ends lie in alpha, beta (--network chooses)\n"),
        "{first}"
    );
    assert!(first.contains("zone          app: "), "{first}");
    let second = run(folder.path(), &[&flow[..], &["--network", "beta"]].concat()).stdout;
    assert!(second.contains("seen from network beta; "), "{second}");
    assert!(second.contains("zone          data: "), "{second}");
    run(
        folder.path(),
        &[&flow[..], &["--network", "gamma"]].concat(),
    )
    .refused(2, &["the policy has no network `gamma`", "alpha, beta"]);
}

/// Columns of a judged record that an explanation tells too.
const TOLD: [&str; 9] = [
    "network",
    "observer",
    "orientation",
    "confidence",
    "outcome",
    "decision",
    "rule",
    "verdict",
    "severity",
];

#[test]
fn a_record_is_told_as_a_scan_judges_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let query = format!(
        "select source, line, {} from (select *, row_number() over (partition by orientation, verdict = 'unjudged' \
         order by source, line) as n from records) where n = 1 order by source, line",
        TOLD.join(", ")
    );
    let sql = [
        "sql",
        "--logs",
        "sample-logs/logs",
        "--policy",
        "policies/sec-003.toml",
    ];
    let asked = run(
        root,
        &[&sql[..], &["--format", "ndjson", "-c", &query]].concat(),
    );
    assert_eq!(asked.code, 0, "{}", asked.stderr);
    let mut seen = std::collections::BTreeSet::new();
    for line in asked.stdout.lines() {
        let row: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let source = row["source"].as_str().expect("a source");
        let place = format!("{source}:{}", row["line"]);
        let record = [
            "--record",
            &place,
            "--logs",
            "sample-logs/logs",
            "--format",
            "json",
        ];
        let told: serde_json::Value = serde_json::from_str(&told(&record)).expect("JSON");
        for column in TOLD {
            let found = told.get(column).filter(|value| !value.is_null());
            let expected = row.get(column).filter(|value| !value.is_null());
            assert_eq!(found, expected, "{column} of {place}");
        }
        let ladder = &told["connection"]["ladder"];
        for rung in ladder.as_array().into_iter().flatten() {
            if rung["decides"] == true {
                assert_eq!(rung["client"], told["connection"]["client"]);
                seen.insert(rung["orientation"].to_string());
            }
        }
    }
    assert!(seen.len() > 4, "{seen:?}");
}

/// Three objects of one connection, and of others that make a server of an end.
fn logs(folder: &Path) {
    let object = |time: &str, lines: &str| {
        let name = format!("123456789012_vpcflowlogs_us-east-2_fl-1_20260225T{time}Z_0a0b0c0d.log");
        let head = "interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action flow-direction tcp-flags\n";
        fs::write(folder.join(name), format!("{head}{lines}")).expect("a file");
    };
    object(
        "0600",
        "eni-c 10.0.32.5 10.0.64.20 41022 443 6 5 500 1771999200 1771999260 ACCEPT egress 2\n",
    );
    object(
        "0605",
        "eni-c 10.0.32.5 10.0.64.20 41022 443 6 5 500 1771999500 1771999560 ACCEPT egress 16\n\
                    eni-c 10.0.64.20 10.0.32.5 443 41022 6 5 500 1771999500 1771999560 ACCEPT ingress 16\n\
                    eni-c - - - - - - - 1771999500 1771999560 - - -\n\
                    eni-c nobody\n",
    );
    fs::write(folder.join("p.toml"), POLICY).expect("a file");
}

const POLICY: &str = r#"[policy]
id = "P"
[networks.prod]
cidrs = ["10.0.0.0/16"]
[[subnets]]
tier = "app"
cidrs = ["10.0.32.0/19"]
[[subnets]]
tier = "data"
cidrs = ["10.0.64.0/19"]
[[allow]]
id = "app-to-data"
from = "app"
to = "data"
ports = ["tcp/443"]
reason = "searches"
"#;

const OBJECT: &str = "123456789012_vpcflowlogs_us-east-2_fl-1_20260225T0605Z_0a0b0c0d.log";

#[test]
fn the_evidence_of_a_record_lies_in_the_folder_of_its_object_and_in_the_hour_before() {
    let folder = tempfile::tempdir().expect("a folder");
    logs(folder.path());
    let place = format!("{OBJECT}:3");
    let command = ["policy", "explain", "p.toml", "--record", &place];
    let ran = run(folder.path(), &command);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert_eq!(
        ran.stdout,
        r#"123456789012_vpcflowlogs_us-east-2_fl-1_20260225T0605Z_0a0b0c0d.log:3
  interface-id               eni-c
  srcaddr                    10.0.64.20
  dstaddr                    10.0.32.5
  srcport                    443
  dstport                    41022
  protocol                   6
  packets                    5
  bytes                      500
  start                      1771999500
  end                        1771999560
  action                     ACCEPT
  tcp-flags                  16
  flow-direction             ingress

judged with 2 objects: the slot of 2026-02-25T06:05:00Z and 12 slots before it, 1 of them with objects
  network       prod
  observer      client

seen in the slot
  10.0.32.5:41022 -> 10.0.64.20:443: 1 record accepted at eni-c of 10.0.32.5:41022, 500 B; flags: neither SYN nor RST
  10.0.64.20:443 -> 10.0.32.5:41022: 1 record accepted at eni-c of 10.0.32.5:41022, 500 B; flags: neither SYN nor RST

the client is 10.0.32.5:41022, by connection (strong)
  -          syn          neither end was seen to send a SYN without ACK
  -          syn_ack      neither end was seen to send SYN and ACK
  decides    connection   flags proved it in an earlier slot of the horizon
  -          listener     neither end is known to have answered an accepted SYN
  -          lone_reject  no lone reject whose flags are not told
  -          fan_in       10.0.32.5:41022 has at most one peer, 10.0.64.20:443 has at most one peer: a server has at least 4, and 4 times the other's
  agrees     service      only the port of 10.0.64.20:443 is in the list of services
  agrees     port         10.0.32.5:41022 alone is in 32768 to 65535, or else has the higher port: that is no more than a guess
  -          peer         the ports differ

what became of it
  outcome       established
  decision      allow by app-to-data
  verdict       compliant
  severity      info

client 10.0.32.5
  network       prod (10.0.0.0/16)
  subnet        tier app (10.0.32.0/19)
  groups        none
  zone          app: the tier of its subnet, the only one that holds it

server 10.0.64.20
  network       prod (10.0.0.0/16)
  subnet        tier data (10.0.64.0/19)
  groups        none
  zone          data: the tier of its subnet, the only one that holds it

denies
  none in the policy

allows
  matches       app-to-data: from app to data, ports tcp/443

requires
  none in the policy

allow by app-to-data
  step          2: an allow matches, is in force, and its requires are satisfied or exempted
  reason        searches
"#
    );
    // Without the slot before, nothing but the list of services tells.
    let alone = run(folder.path(), &[&command[..], &["--horizon", "0"]].concat()).stdout;
    assert!(
        alone.contains("the client is 10.0.32.5:41022, by service (medium)\n"),
        "{alone}"
    );
    assert!(
        alone.contains(
            "  -          connection   no slot of the horizon before this one has proved it\n"
        ),
        "{alone}"
    );
    let elsewhere = folder.path().join("elsewhere");
    fs::create_dir(&elsewhere).expect("a folder");
    fs::rename(folder.path().join(OBJECT), elsewhere.join(OBJECT)).expect("a file");
    let moved = format!("elsewhere/{OBJECT}:3");
    let command = ["policy", "explain", "p.toml", "--record", &moved];
    let ran = run(folder.path(), &command);
    assert!(ran.stderr.contains("--logs names where"), "{}", ran.stderr);
    let without = ran.stdout;
    assert!(without.contains("by service (medium)\n"), "{without}");
    assert!(without.contains(" 0 of them with objects\n"), "{without}");
    for logs in [".", "./elsewhere/.."] {
        let with = run(folder.path(), &[&command[..], &["--logs", logs]].concat()).stdout;
        assert!(with.contains("by connection (strong)\n"), "{with}");
        assert!(with.contains("judged with 2 objects: "), "{with}");
    }
}

#[test]
fn where_one_allowed_direction_is_enough_the_opposite_one_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let more = r#"[[allow]]
id = "ping-and-time"
from = "app"
to = "data"
ports = ["icmp", "udp/123"]
"#;
    fs::write(folder.path().join("p.toml"), format!("{POLICY}{more}")).expect("a file");
    let told = |client: &str, server: &str, format: &str| {
        let command = ["policy", "explain", "p.toml", client, server];
        let ran = run(
            folder.path(),
            &[&command[..], &["--format", format]].concat(),
        );
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
        ran.stdout
    };
    let (app, data) = ("10.0.32.5", "10.0.64.20");
    let enough = "one allowed direction is enough, and the opposite one is";
    for (client, server, decision, line) in [
        (
            data,
            "10.0.32.5/icmp",
            "deny by default\n",
            format!("where scan cannot tell who starts icmp, {enough} allowed by ping-and-time\n"),
        ),
        (
            data,
            "10.0.32.5:123/udp",
            "deny by default\n",
            format!(
                "who starts 123/udp (ntp) with this port at both ends, {enough} allowed by ping-and-time\n"
            ),
        ),
        (
            app,
            "10.0.64.20/icmp",
            "allow by ping-and-time\n",
            format!("where scan cannot tell who starts icmp, {enough} denied by default\n"),
        ),
    ] {
        let text = told(client, server, "text");
        assert!(text.contains(decision), "{text}");
        assert!(text.contains(&line), "{text}");
    }
    // The direction counts, or both give the same answer.
    for server in ["10.0.32.5:443/tcp", "10.0.32.5/gre"] {
        let text = told(data, server, "text");
        assert!(!text.contains("opposite"), "{text}");
    }
    let opposite = |server: &str| {
        let told: serde_json::Value =
            serde_json::from_str(&told(data, server, "json")).expect("JSON");
        told["opposite"].clone()
    };
    assert_eq!(
        opposite("10.0.32.5/icmp"),
        serde_json::json!({ "decision": "allow", "rule": "ping-and-time" })
    );
    assert_eq!(
        opposite("10.0.32.5/gre"),
        serde_json::json!({ "decision": "deny", "rule": "default" })
    );
    assert!(opposite("10.0.32.5:443/tcp").is_null());
}

#[test]
fn a_line_without_a_record_says_what_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    logs(folder.path());
    let refused = |place: &str, words: &[&str]| {
        run(
            folder.path(),
            &["policy", "explain", "p.toml", "--record", place],
        )
        .refused(2, words);
    };
    let line = |line: u32| format!("{OBJECT}:{line}");
    refused(&line(1), &["no record on line 1 of", "there is none"]);
    refused(
        &line(4),
        &[
            "no record on line 4 of",
            "it says NODATA, which is no traffic",
        ],
    );
    refused(&line(5), &["no record on line 5 of", "it is malformed"]);
    refused(&line(9), &["no record on line 9 of", "there is none"]);
    refused(&line(0), &["expected an object and a line"]);
    refused("nowhere.log:1", &["nowhere.log"]);
    refused(".:1", &["expected one flow log object, got `.`"]);
    let both = [
        "policy",
        "explain",
        "p.toml",
        "10.0.32.5",
        "10.0.64.20:443/tcp",
        "--record",
        "a:1",
    ];
    run(folder.path(), &both).refused(2, &["cannot be used with"]);
    let logs = [
        "policy",
        "explain",
        "p.toml",
        "10.0.32.5",
        "10.0.64.20:443/tcp",
        "--logs",
        ".",
    ];
    run(folder.path(), &logs).refused(2, &["cannot be used with"]);
}

#[test]
fn wrong_usage_is_refused_with_what_was_expected() {
    explain(&["host", "10.0.66.7:443/tcp"]).refused(2, &["expected an address like"]);
    explain(&["10.0.33.5", "10.0.66.7"]).refused(2, &["expected a server like"]);
    explain(&["10.0.33.5", "10.0.66.7:443/icmp"]).refused(2, &["expected no port"]);
    explain(&["10.0.33.5"]).refused(2, &["SERVER:PORT/PROTOCOL"]);
    explain(&["10.0.33.5", "10.0.66.7:443/tcp", "--at", "noon"]).refused(2, &["expected RFC 3339"]);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    run(
        root,
        &[
            "policy",
            "explain",
            "nowhere.toml",
            "10.0.33.5",
            "10.0.66.7:443/tcp",
        ],
    )
    .refused(2, &["cannot read the policy `nowhere.toml`"]);
}
