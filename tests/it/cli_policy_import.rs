//! `tidegate policy import`: drafts from describe calls and from Terraform, and what it says of what it cannot read.

use std::fs;
use std::path::Path;

use tidegate::policy::{Answer, Policy};

use super::cli_program::{Ran, run};

const DESCRIBED: [&str; 9] = [
    "describe/vpcs.json",
    "describe/subnets.json",
    "describe/security-groups.json",
    "describe/network-acls.json",
    "describe/network-interfaces.json",
    "describe/vpc-endpoints.json",
    "describe/prefix-lists.json",
    "describe/pl-0f000000000000001.json",
    "describe/nat-gateways.json",
];

fn import(kind: &str, files: &[&str], options: &[&str]) -> Ran {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import");
    let arguments = [&["policy", "import", kind], files, options].concat();
    run(&folder, &arguments)
}

/// The draft, which is a policy.
fn draft(kind: &str, files: &[&str], options: &[&str]) -> String {
    let ran = import(kind, files, options);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("draft.toml"), &ran.stdout).expect("a file");
    let checked = run(folder.path(), &["policy", "check", "draft.toml"]);
    assert_eq!(checked.code, 0, "{}\n{}", checked.stderr, ran.stdout);
    ran.stdout
}

#[test]
fn a_network_of_three_tiers_by_describe_calls() {
    insta::assert_snapshot!(
        "import_describe",
        draft("aws", &DESCRIBED, &["--label-tag", "env"])
    );
}

#[test]
fn a_plan_of_what_does_not_exist_yet() {
    insta::assert_snapshot!(
        "import_plan",
        draft("terraform", &["terraform/plan.json"], &[])
    );
}

#[test]
fn a_state_says_what_the_describe_calls_say_but_for_interfaces_it_did_not_make() {
    let terraform = draft(
        "terraform",
        &["terraform/state.json"],
        &["--label-tag", "env"],
    );
    let described = draft("aws", &DESCRIBED, &["--label-tag", "env"]);
    let rules = |text: &str, head: &str| -> Vec<String> {
        let blocks = text.split("\n\n").filter(|block| block.contains(head));
        blocks.map(str::to_owned).collect()
    };
    assert!(
        rules(&described, "[[subnets]]").len() == 7 && !rules(&described, "[[deny]]").is_empty()
    );
    for head in ["[networks.", "[[subnets]]", "[[deny]]"] {
        assert_eq!(rules(&terraform, head), rules(&described, head), "{head}");
    }
    // What nothing carries is not known to be empty here.
    assert!(terraform.contains("[groups.shop-spare]"));
    assert!(!described.contains("[groups.shop-spare]"));
    assert!(terraform.contains("security_groups = [\"sg-0f0000000000000003\"]\ncidrs = [\"10.0.20.6/32\", \"10.0.21.6/32\"]"));
}

#[test]
fn tiers_go_by_the_tag_that_is_asked_for() {
    let by_env = draft("aws", &DESCRIBED, &["--tier-tag", "ENV"]);
    assert!(
        by_env.contains("[tiers.prod]") && !by_env.contains("[tiers.app]"),
        "{by_env}"
    );
    assert!(
        draft("aws", &DESCRIBED, &[]).contains("the tier is guessed from the name shop-mgmt-a")
    );
    assert!(draft("aws", &DESCRIBED, &["--tier-tag", "nowhere"]).contains("[tiers.data]"));
}

#[test]
fn what_could_not_be_carried_over_is_counted() {
    let ran = import("aws", &DESCRIBED, &[]);
    let notes = ran
        .stdout
        .split_once("# Not carried over")
        .expect("a list")
        .1;
    let number = notes
        .lines()
        .filter(|line| line.starts_with("# - "))
        .count();
    assert!(
        ran.stderr.starts_with(&format!(
            "warning: {number} things could not be carried over"
        )),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_draft_goes_into_a_new_file_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import/describe");
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["vpcs.json", "subnets.json"] {
        fs::copy(root.join(name), folder.path().join(name)).expect("a copy");
    }
    let arguments = [
        "policy",
        "import",
        "aws",
        "vpcs.json",
        "subnets.json",
        "--output",
        "p.toml",
    ];
    let ran = run(folder.path(), &arguments);
    assert_eq!(
        (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
        (0, "", "")
    );
    let written = fs::read_to_string(folder.path().join("p.toml")).expect("a draft");
    assert!(written.contains("[networks.shop]"));
    run(folder.path(), &arguments).refused(2, &["`p.toml` exists", "hint: give another file"]);
    assert_eq!(
        fs::read_to_string(folder.path().join("p.toml")).expect("a draft"),
        written
    );
    let nowhere = [
        "policy",
        "import",
        "aws",
        "vpcs.json",
        "--output",
        "no/where.toml",
    ];
    run(folder.path(), &nowhere).refused(4, &["cannot write `no/where.toml`"]);
}

#[test]
fn what_cannot_be_read_is_named_with_file_and_place() {
    import("aws", &["nowhere.json", "neither.json"], &[]).refused(
        2,
        &["cannot read `nowhere.json`", "cannot read `neither.json`"],
    );
    import("aws", &["terraform/state.json"], &[]).refused(
        2,
        &[
            "terraform/state.json: at `the file`: unknown key",
            "use `policy import terraform`",
        ],
    );
    import("terraform", &["describe/vpcs.json"], &[]).refused(
        2,
        &[
            "describe/vpcs.json: at `the file`: expected `format_version`",
            "terraform show -json",
        ],
    );
    import("aws", &["describe/prefix-lists.json"], &[])
        .refused(2, &["nothing in the input says what addresses a VPC has"]);
}

#[test]
fn texts_of_others_cannot_leave_their_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = r#"{"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16", "Tags": [{"Key": "Name", "Value": "a\"]\n[policy]"}]}],
        "Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/24", "AvailabilityZone": "x\"y",
            "Tags": [{"Key": "Name", "Value": "n\n[policy]\u001b[31m"}, {"Key": "tier", "Value": "any"}, {"Key": "env", "Value": "\u202e\\"}]}],
        "SecurityGroups": [{"GroupId": "sg-1", "GroupName": "default", "VpcId": "vpc-1", "Description": "d\r[policy]",
            "IpPermissions": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "\"\u0007"}]}]},
            {"GroupId": "sg-2", "GroupName": "any", "VpcId": "vpc-1"}]}"#;
    fs::write(folder.path().join("a.json"), text).expect("a file");
    let ran = run(
        folder.path(),
        &[
            "policy",
            "import",
            "aws",
            "a.json",
            "--label-tag",
            "env",
            "--output",
            "p.toml",
        ],
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let written = fs::read_to_string(folder.path().join("p.toml")).expect("a draft");
    assert!(!written.contains(['\u{1b}', '\u{7}', '\u{202e}', '\r']));
    for name in ["[tiers.any-2]", "[groups.default-sg]", "[groups.any-sg]"] {
        assert!(written.contains(name), "{name} in\n{written}");
    }
    let ran = run(folder.path(), &["policy", "check", "p.toml"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn networks_are_kept_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let vpc = |number: u8| {
        format!(
            r#"{{"Vpcs": [{{"VpcId": "vpc-{number}", "CidrBlock": "10.{number}.0.0/16", "OwnerId": "123456789012"}}],
            "Subnets": [{{"SubnetId": "subnet-{number}", "VpcId": "vpc-{number}", "CidrBlock": "10.{number}.0.0/24", "Tags": [{{"Key": "tier", "Value": "app"}}]}}],
            "SecurityGroups": [{{"GroupId": "sg-{number}", "GroupName": "web", "VpcId": "vpc-{number}",
                "IpPermissions": [{{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "UserIdGroupPairs": [{{"GroupId": "sg-1"}}]}}],
                "IpPermissionsEgress": [{{"IpProtocol": "-1", "IpRanges": [{{"CidrIp": "0.0.0.0/0"}}]}}]}}],
            "NetworkInterfaces": [{{"NetworkInterfaceId": "eni-{number}", "VpcId": "vpc-{number}", "SubnetId": "subnet-{number}", "PrivateIpAddress": "10.{number}.0.7", "Groups": [{{"GroupId": "sg-{number}"}}]}}]}}"#
        )
    };
    // Of the third no interface is told: the call may have been another account's.
    let third = vpc(3);
    let told = third.split(",\n            \"NetworkInterfaces\"").next();
    let third = format!("{}}}", told.expect("what comes before"));
    fs::write(folder.path().join("3.json"), third).expect("a file");
    for number in [1, 2] {
        fs::write(folder.path().join(format!("{number}.json")), vpc(number)).expect("a file");
    }
    let ran = run(
        folder.path(),
        &[
            "policy", "import", "aws", "1.json", "2.json", "3.json", "--output", "p.toml",
        ],
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let written = fs::read_to_string(folder.path().join("p.toml")).expect("a draft");
    for expected in [
        "[networks.vpc-1]",
        "[networks.vpc-2]",
        "cidrs = [\"10.2.0.7/32\"]",
        "security_groups = [\"sg-3\"]",
        "network = \"vpc-2\"",
        "[groups.web-sg]",
        "id = \"web-to-web-tcp-443\"",
        "sg-2: lets sg-1 in, which is another VPC's",
        "connected_to",
    ] {
        assert!(written.contains(expected), "{expected} in\n{written}");
    }
    let ran = run(folder.path(), &["policy", "check", "p.toml"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn what_is_inside_one_network_permits_no_peer_of_another() {
    let folder = tempfile::tempdir().expect("a folder");
    for number in [1, 2] {
        let lets_in = |port: u16, cidr: &str| {
            format!(
                r#"{{"IpProtocol": "tcp", "FromPort": {port}, "ToPort": {port}, "IpRanges": [{{"CidrIp": "10.{number}.{cidr}"}}]}}"#
            )
        };
        let subnet = |id: &str, third: u8, tier: &str| {
            format!(
                r#"{{"SubnetId": "{id}", "VpcId": "vpc-{number}", "CidrBlock": "10.{number}.{third}.0/24", "Tags": [{{"Key": "tier", "Value": "{tier}"}}]}}"#
            )
        };
        let interface = |third: u8| {
            format!(
                r#"{{"NetworkInterfaceId": "eni-{number}-{third}", "VpcId": "vpc-{number}", "PrivateIpAddress": "10.{number}.{third}.7", "Groups": [{{"GroupId": "sg-{number}"}}]}}"#
            )
        };
        let text = format!(
            r#"{{"Vpcs": [{{"VpcId": "vpc-{number}", "CidrBlock": "10.{number}.0.0/16"}}],
            "Subnets": [{}, {}],
            "SecurityGroups": [{{"GroupId": "sg-{number}", "GroupName": "front", "VpcId": "vpc-{number}",
                "IpPermissions": [{}, {}, {}],
                "IpPermissionsEgress": [{{"IpProtocol": "-1", "IpRanges": [{{"CidrIp": "0.0.0.0/0"}}]}}]}}],
            "NetworkInterfaces": [{}, {}]}}"#,
            subnet(&format!("subnet-{number}"), 0, "web"),
            subnet(&format!("subnet-{number}b"), 1, &format!("own-{number}")),
            lets_in(443, "0.0/24"),
            lets_in(22, "1.0/24"),
            lets_in(80, "0.0/16"),
            interface(0),
            interface(1),
        );
        fs::write(folder.path().join(format!("{number}.json")), text).expect("a file");
    }
    let ran = run(
        folder.path(),
        &["policy", "import", "aws", "1.json", "2.json"],
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for expected in [
        "from = \"subnet-1\"",
        "from = \"own-1\"",
        "from = \"vpc-1-inside\"",
    ] {
        assert!(
            ran.stdout.contains(expected),
            "{expected} in\n{}",
            ran.stdout
        );
    }
    // As the draft's head says for networks that are peers.
    let head = "[networks.vpc-1]\n";
    assert!(ran.stdout.contains(head), "{}", ran.stdout);
    let connected = ran
        .stdout
        .replace(head, &format!("{head}connected_to = [\"vpc-2\"]\n"));
    let no_files = |_: &str| Err(std::io::ErrorKind::NotFound.into());
    let policy = Policy::parse("draft", &connected, &no_files);
    let policy = policy.unwrap_or_else(|errors| panic!("{errors}\n{connected}"));
    let is_permitted = |client: &str, server: &str, port: u16| {
        let client = client.parse().expect("an address");
        let server = server.parse().expect("an address");
        policy.decide_by_addr(client, server, 6, port, 0).answer == Answer::Allow
    };
    for (client, port) in [("0.7", 443), ("1.7", 22), ("0.7", 80)] {
        let (own, other) = (format!("10.1.{client}"), format!("10.2.{client}"));
        let server = if client == "0.7" {
            "10.1.1.7"
        } else {
            "10.1.0.7"
        };
        assert!(
            is_permitted(&own, server, port),
            "{own} {port}\n{connected}"
        );
        assert!(
            !is_permitted(&other, server, port),
            "{other} {port}\n{connected}"
        );
    }
}
