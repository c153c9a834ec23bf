//! What an inventory gives to rules: groups, labels, and what it does not know. How it is put together of its files is
//! tested beside it.

use super::*;

/// An interface of VPC `vpc-1`, as the describe call prints it: `ID ADDRESSES GROUPS [more JSON]`.
fn interface(text: &str) -> String {
    let mut words = text.splitn(4, ' ');
    let mut next = || words.next().unwrap_or_default();
    let (id, addrs, groups, more) = (next(), next(), next(), next());
    let list = |text: &str, key: &str| {
        let all = text.split(',').filter(|word| *word != "-");
        let all: Vec<String> = all
            .map(|word| format!("{{\"{key}\": \"{word}\"}}"))
            .collect();
        all.join(",")
    };
    format!(
        "{{\"NetworkInterfaceId\": \"{id}\", \"VpcId\": \"vpc-1\", \"PrivateIpAddresses\": [{}], \"Groups\": [{}]{}{more}}}",
        list(addrs, "PrivateIpAddress"),
        list(groups, "GroupId"),
        if more.is_empty() { "" } else { ", " }
    )
}

fn enis(lines: &[&str]) -> String {
    let all: Vec<String> = lines.iter().map(|line| interface(line)).collect();
    format!("{{\"NetworkInterfaces\": [{}]}}", all.join(","))
}

const GROUPS: &str =
    "[groups.web]\nsecurity_groups = [\"sg-web\"]\n[groups.db]\ntags = { role = \"db\" }\n";

const ENIS: [&str; 3] = [
    "eni-1 10.0.32.1 sg-web",
    "eni-2 10.0.64.1 sg-x \"TagSet\": [{\"Key\": \"role\", \"Value\": \"db\"}]",
    "eni-3 10.0.64.2 sg-x",
];

/// A policy of [`BASE`], these groups and rules, and an inventory of one file without a date.
fn with_enis(more: &str, lines: &str, enis: &str) -> Policy {
    let text = format!(
        "{more}\n{}[data]\ninventory = [\"enis.json\"]\n",
        rules(lines)
    );
    base_with(&text, &[("enis.json", enis)])
}

fn with_inventory(lines: &str) -> Policy {
    with_enis(GROUPS, lines, &enis(&ENIS))
}

#[test]
fn a_group_is_whom_the_inventory_has_in_it_and_nobody_else_that_it_knows() {
    let policy = with_inventory("allow a web -> db");
    check_of(&policy, "10.0.32.1 -> 10.0.64.1:443 tcp", "allow a");
    check_of(&policy, "10.0.32.1 -> 10.0.64.2:443 tcp", "deny default");
    check_of(&policy, "10.0.64.2 -> 10.0.64.1:443 tcp", "deny default");
    // What records show is added.
    check_of(
        &policy,
        "10.0.32.1 -> 10.0.64.2:443 tcp server-groups=db",
        "allow a",
    );
}

#[test]
fn what_the_inventory_does_not_know_is_unproven() {
    let policy = with_inventory("allow a web -> db");
    check_of(
        &policy,
        "10.0.32.1 -> 10.0.64.9:443 tcp",
        "unproven a, no evidence: an inventory that knows the address, its instance's tags (a)",
    );
    // An end that it knows settles the matter.
    check_of(&policy, "10.0.64.2 -> 10.0.64.9:443 tcp", "deny default");
    check_of(&policy, "10.0.32.1 -> 203.0.113.9:443 tcp", "deny default");
}

#[test]
fn a_deny_may_go_by_an_inventory_and_excepts_only_whom_it_knows() {
    let policy = with_inventory("deny d any -> db\nallow a any -> any");
    check_of(&policy, "10.0.32.1 -> 10.0.64.1:443 tcp", "deny d");
    check_of(&policy, "10.0.32.1 -> 10.0.64.2:443 tcp", "allow a");
    let policy =
        with_inventory("deny d any-tier -> data from_except=[\"web\"]\nallow a any -> any");
    check_of(&policy, "10.0.32.1 -> 10.0.64.1:443 tcp", "allow a");
    check_of(&policy, "10.0.32.9 -> 10.0.64.1:443 tcp", "deny d");
}

#[test]
fn all_that_a_group_may_go_by_is_read_of_the_inventory() {
    let enis = enis(&[
        "eni-1 10.0.64.1 - \"Attachment\": {\"InstanceId\": \"i-1\"}",
        "eni-2 10.0.64.2 - \"Description\": \"ELB app/web/1\", \"InterfaceType\": \"lambda\"",
        "eni-3 10.0.64.3 - \"Description\": \"VPC Endpoint Interface vpce-1\", \"Ipv6Addresses\": [{\"Ipv6Address\": \"2600:1f16:abcd:ef02::3\"}]",
        "eni-4 10.0.64.4,10.0.64.5 - \"Ipv4Prefixes\": [{\"Ipv4Prefix\": \"10.0.64.16/28\"}]",
    ]);
    let endpoints = "\"VpcEndpoints\": [{\"VpcEndpointId\": \"vpce-4\", \"ServiceName\": \"com.amazonaws.us-east-2.kms\", \
        \"VpcEndpointType\": \"Interface\", \"NetworkInterfaceIds\": [\"eni-4\"]}], \"NetworkInterfaces\"";
    let file = enis.replacen("\"NetworkInterfaces\"", endpoints, 1);
    let cases: [(&str, &[&str]); 8] = [
        ("instances = [\"i-1\"]", &["10.0.64.1"]),
        ("interfaces = [\"eni-2\"]", &["10.0.64.2"]),
        ("descriptions = [\"ELB *\"]", &["10.0.64.2"]),
        ("interface_types = [\"lambda\"]", &["10.0.64.2"]),
        (
            "endpoints = [\"vpce-1\"]",
            &["10.0.64.3", "[2600:1f16:abcd:ef02::3]"],
        ),
        ("endpoints = [\"*.kms\"]", &["10.0.64.4", "10.0.64.16"]),
        ("endpoints = [\"vpce-4\"]", &["10.0.64.4", "10.0.64.16"]),
        ("descriptions = [\"app\"]", &[]),
    ];
    for (key, members) in cases {
        let policy = with_enis(&format!("[groups.g]\n{key}\n"), "allow a any -> g", &file);
        for addr in [
            "10.0.64.1",
            "10.0.64.2",
            "10.0.64.3",
            "10.0.64.4",
            "10.0.64.16",
            "[2600:1f16:abcd:ef02::3]",
        ] {
            let client = match addr.starts_with('[') {
                true => "2600:1f16:abcd:ef01::1",
                false => "10.0.32.1",
            };
            let found = answer(&policy, &format!("{client} -> {addr}:443 tcp"));
            let expected = match members.contains(&addr) {
                true => "allow a",
                false => "deny default",
            };
            assert_eq!(found, expected, "{key} {addr}");
        }
    }
}

#[test]
fn a_group_changes_with_the_dates_of_the_files() {
    let data = "[data]\ninventory = [{ file = \"2.json\", valid_from = 2026-02-01 }, { file = \"1.json\", valid_from = 2026-01-01T12:00:00Z }]\n";
    let text = format!("{GROUPS}\n{}{data}", rules("allow a web -> data"));
    let policy = base_with(
        &text,
        &[
            (
                "1.json",
                &enis(&["eni-1 10.0.32.1 sg-x", "eni-2 10.0.32.2 sg-web"]),
            ),
            ("2.json", &enis(&["eni-1 10.0.32.1 sg-web"])),
        ],
    );
    let at = |client: &str, day: &str, expected: &str| {
        let instant: jiff::Timestamp = day.parse().expect("a time");
        let question = format!("{client} -> 10.0.64.1:443 tcp at={}", instant.as_second());
        check_of(&policy, &question, expected);
    };
    let unknown = "unproven a, no evidence: an inventory that knows the address (a)";
    at("10.0.32.1", "2026-01-01T11:59:59Z", unknown);
    at("10.0.32.1", "2026-01-01T12:00:00Z", "deny default");
    at("10.0.32.1", "2026-01-31T23:59:59Z", "deny default");
    at("10.0.32.1", "2026-02-01T00:00:00Z", "allow a");
    at("10.0.32.2", "2026-01-31T23:59:59Z", "allow a");
    at("10.0.32.2", "2026-02-01T00:00:00Z", unknown);
}

#[test]
fn an_interfaces_tags_are_its_labels_before_those_of_its_subnet() {
    let tag = |env: &str| {
        format!(
            "\"TagSet\": [{{\"Key\": \"env\", \"Value\": \"{env}\"}}, {{\"Key\": \"team\", \"Value\": \"a\"}}]"
        )
    };
    let enis = enis(&[
        &format!("eni-1 10.0.32.1 - {}", tag("dev")),
        &format!("eni-2 10.0.64.1 - {}", tag("dev")),
        &format!("eni-3 10.0.96.1 - {}", tag("prod")),
    ]);
    let require = "[[require]]\nid = \"same-env\"\nbetween = \"any-tier\"\nsame = [\"env\"]\n";
    let policy = with_enis(require, "allow a any -> any", &enis);
    let broken = "deny same-env, env not shared, and not exempt from same-env (a)";
    check_of(&policy, "10.0.32.1 -> 10.0.64.1:443 tcp", "allow a");
    check_of(&policy, "10.0.32.1 -> 10.0.64.2:443 tcp", broken);
    check_of(&policy, "10.0.32.2 -> 10.0.64.2:443 tcp", "allow a");
    // Its subnet has no label.
    check_of(&policy, "10.0.32.2 -> 10.0.96.1:443 tcp", "allow a");
    check_of(
        &policy,
        "10.0.32.2 -> 10.0.96.2:443 tcp",
        &format!("{broken}, unlabelled"),
    );
    // A label that only tags have.
    let require = require.replace("\"env\"]", "\"team\"]");
    let policy = with_enis(&require, "allow a any -> any", &enis);
    check_of(&policy, "10.0.32.1 -> 10.0.64.1:443 tcp", "allow a");
    let errors = parse(&format!("{BASE}\n{require}"))
        .err()
        .map(|errors| errors.to_string());
    assert!(errors.is_some_and(|errors| errors.contains("label, which no subnet has: `team`")));
}

#[test]
fn tags_of_an_instance_count_and_where_nothing_tells_them_nothing_is_proven() {
    let enis = enis(&[
        "eni-1 10.0.64.1 - \"Attachment\": {\"InstanceId\": \"i-1\"}",
        "eni-2 10.0.64.2 - \"Attachment\": {\"InstanceId\": \"i-2\"}",
        "eni-3 10.0.64.3 -",
    ]);
    let instances = r#"{"Reservations": [{"Instances": [
        {"InstanceId": "i-1", "Tags": [{"Key": "role", "Value": "db"}]}]}]}"#;
    let text = format!(
        "{GROUPS}\n{}[data]\ninventory = [\"enis.json\", \"instances.json\"]\n",
        rules(
            "allow a app -> db\ndeny d app -> data to_except=[\"db\"] ports=[\"tcp/22\"]\nallow b app -> data ports=[\"tcp/22\"]"
        )
    );
    let policy = base_with(
        &text,
        &[("enis.json", &enis), ("instances.json", instances)],
    );
    let unknown =
        "unproven a, no evidence: an inventory that knows the address, its instance's tags (a)";
    check_of(&policy, "10.0.32.1 -> 10.0.64.1:443 tcp", "allow a");
    check_of(&policy, "10.0.32.1 -> 10.0.64.2:443 tcp", unknown);
    check_of(
        &policy,
        "10.0.32.1 -> 10.0.64.3:443 tcp",
        "deny default, allowed on tcp/22 only (b)",
    );
    // An exception from a deny has to be shown.
    check_of(&policy, "10.0.32.1 -> 10.0.64.1:22 tcp", "allow a");
    check_of(&policy, "10.0.32.1 -> 10.0.64.2:22 tcp", "deny d");
}

#[test]
fn who_carries_others_flows_goes_by_the_type() {
    let kinds = [
        ("nat_gateway", true),
        ("natGateway", true),
        ("transit_gateway", true),
        ("gateway_load_balancer_endpoint", true),
        ("network_load_balancer", false),
        ("interface", false),
    ];
    for (kind, carries) in kinds {
        let eni = format!("eni-1 10.0.32.1 - \"InterfaceType\": \"{kind}\"");
        let policy = with_enis("", "allow a any -> any", &enis(&[&eni]));
        let addr = "10.0.32.1".parse().expect("an address");
        let known = policy.known(Some(NetworkId(0)), addr, 0);
        assert_eq!(policy.carries_others(known), carries, "{kind}");
        let by_id = policy.interface_type("eni-1").is_some_and(carries_others);
        assert_eq!(by_id, carries, "{kind}");
    }
}

#[test]
fn public_addresses_of_interfaces_are_ones_own() {
    let enis = enis(&[
        "eni-1 10.0.32.1 - \"Association\": {\"PublicIp\": \"198.51.100.7\"}, \"Ipv6Addresses\": [{\"Ipv6Address\": \"2001:db9::7\"}]",
    ]);
    let policy = with_enis("", "allow a any -> any", &enis);
    for (addr, is_own) in [
        ("198.51.100.7", true),
        ("198.51.100.8", false),
        ("2001:db9::7", true),
        ("10.0.32.1", false),
    ] {
        assert_eq!(
            policy.is_own_public(addr.parse().expect("an address"), 0),
            is_own,
            "{addr}"
        );
    }
}

#[test]
fn terraform_tells_of_interfaces_nat_gateways_and_endpoints() {
    let resource = |kind: &str, name: &str, values: &str| {
        format!(
            "{{\"address\": \"{kind}.{name}\", \"mode\": \"managed\", \"type\": \"{kind}\", \"name\": \"{name}\", \"values\": {values}}}"
        )
    };
    let resources = [
        resource("aws_vpc", "v", "{\"id\": \"vpc-1\"}"),
        resource(
            "aws_subnet",
            "s",
            "{\"id\": \"subnet-1\", \"vpc_id\": \"vpc-1\", \"cidr_block\": \"10.0.32.0/19\"}",
        ),
        resource(
            "aws_instance",
            "i",
            "{\"id\": \"i-1\", \"primary_network_interface_id\": \"eni-1\", \"subnet_id\": \"subnet-1\", \
            \"private_ip\": \"10.0.32.1\", \"public_ip\": \"198.51.100.7\", \"vpc_security_group_ids\": [\"sg-web\"]}",
        ),
        resource(
            "aws_nat_gateway",
            "n",
            "{\"id\": \"nat-1\", \"subnet_id\": \"subnet-1\", \"private_ip\": \"10.0.32.2\"}",
        ),
    ];
    let state = format!(
        "{{\"format_version\": \"1.0\", \"values\": {{\"root_module\": {{\"resources\": [{}]}}}}}}",
        resources.join(",")
    );
    let policy = with_enis(GROUPS, "allow a web -> data", &state);
    check_of(&policy, "10.0.32.1 -> 10.0.64.1:443 tcp", "allow a");
    check_of(&policy, "10.0.32.2 -> 10.0.64.1:443 tcp", "deny default");
    let addr = |text: &str| text.parse().expect("an address");
    let known = policy.known(Some(NetworkId(0)), addr("10.0.32.2"), 0);
    assert!(policy.carries_others(known));
    assert!(policy.is_own_public(addr("198.51.100.7"), 0));
}

#[test]
fn the_hash_covers_the_files_of_an_inventory_and_their_dates() {
    let hash = |entry: &str, enis: &str| {
        let text = format!("[data]\ninventory = [{entry}]\n");
        base_with(&text, &[("enis.json", enis), ("copy.json", enis)])
            .hash()
            .to_owned()
    };
    let one = hash("\"enis.json\"", &enis(&ENIS));
    assert_eq!(one, hash("\"copy.json\"", &enis(&ENIS)));
    assert_ne!(one, hash("\"enis.json\"", &enis(&ENIS[1..])));
    let dated = |day: &str| {
        hash(
            &format!("{{ file = \"enis.json\", valid_from = {day} }}"),
            &enis(&ENIS),
        )
    };
    assert_ne!(one, dated("2026-01-01"));
    assert_ne!(dated("2026-01-01"), dated("2026-01-02"));
    assert_eq!(dated("2026-01-01"), dated("2026-01-01T01:00:00+01:00"));
}

#[test]
fn what_is_wrong_with_an_inventory_is_named_with_file_and_place() {
    let check = |entry: &str, file: &str, expected: &str| {
        let text = format!("{BASE}\n[data]\ninventory = {entry}\n");
        let errors = parse_with(&text, &[("a.json", file)]).err();
        let errors = errors.map(|errors| errors.to_string()).unwrap_or_default();
        assert!(errors.contains(expected), "{entry} {file}: {errors}");
    };
    let one = "\"a.json\"";
    check("[\"b.json\"]", "", "cannot read `b.json`");
    check(one, "{", "cannot use `a.json`: expected JSON");
    check(one, "\u{1f}\u{8b}", "cannot use `a.json`: expected JSON");
    check(
        one,
        "{\"NetworkInterfaces\": 7}",
        "at `NetworkInterfaces`: expected a list, got a number",
    );
    check(
        one,
        &enis(&["eni-1 10.0.0.300 -"]),
        "at `NetworkInterfaces[0].PrivateIpAddresses[0].PrivateIpAddress`: `10.0.0.300` is no prefix",
    );
    check(
        one,
        "{\"NetworkInterfaces\": [], \"NextToken\": \"x\"}",
        "incomplete",
    );
    check(one, "{\"Interfaces\": []}", "unknown key `Interfaces`");
    check(&"[".repeat(3), "", "expected");
    check(
        "7",
        "",
        "expected the name of a file, or a table, in `inventory`",
    );
    check("[{ valid_from = 2026-01-01 }]", "", "lacks `file`");
    check(
        "[{ file = \"a.json\", valid_from = \"soon\" }]",
        "",
        "expected a date or a time in `valid_from`",
    );
    check(
        "[{ file = \"a.json\", valid = 2026-01-01 }]",
        "",
        "unknown key",
    );
    check(
        "[{ file = \"a.json\", valid_from = 2026-01-01 }]",
        "{\"configurationItems\": []}",
        "is a history, whose states have dates of their own",
    );
    check(one, &"[".repeat(100_000), "recursion limit");
}

#[test]
fn an_inventory_has_bounds() {
    let check = |entry: &str, file: &str, expected: &str| {
        let text = format!("{BASE}\n[data]\ninventory = {entry}\n");
        let errors = parse_with(&text, &[("a.json", file)]).err();
        let errors = errors.map(|errors| errors.to_string()).unwrap_or_default();
        assert!(
            errors.contains(expected),
            "{}",
            &errors[..errors.len().min(300)]
        );
    };
    let entries = "\"a.json\", ".repeat(3000);
    check(
        &format!("[{entries}]"),
        "{\"NetworkInterfaces\": []}",
        "3000 files of the inventory: expected at most 2048",
    );
    let many: Vec<String> = (0..300)
        .map(|number| format!("eni-{number} 10.0.32.1 -"))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    check(
        "\"a.json\"",
        &enis(&many),
        "more than 256 interfaces with the address 10.0.32.1/32 at a time",
    );
}
