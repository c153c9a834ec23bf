//! Both shapes, read: the same network gives the same model, and what is wrong is named with its place.

use super::*;

/// A file of `tests/import`.
macro_rules! file {
    ($name:literal) => {
        Input {
            name: $name,
            bytes: include_bytes!(concat!("../../tests/import/", $name)),
        }
    };
}

/// The describe calls of one network.
const DESCRIBED: [Input<'static>; 9] = [
    file!("describe/nat-gateways.json"),
    file!("describe/network-acls.json"),
    file!("describe/network-interfaces.json"),
    file!("describe/pl-0f000000000000001.json"),
    file!("describe/prefix-lists.json"),
    file!("describe/security-groups.json"),
    file!("describe/subnets.json"),
    file!("describe/vpc-endpoints.json"),
    file!("describe/vpcs.json"),
];

const STATE: Input<'static> = file!("terraform/state.json");
const PLAN: Input<'static> = file!("terraform/plan.json");

fn described() -> Config {
    from_describe(&DESCRIBED).expect("a configuration")
}

fn inline(text: &str) -> Input<'_> {
    Input {
        name: "a.json",
        bytes: text.as_bytes(),
    }
}

fn errors_of(read: Result<Config, Vec<ConfigError>>) -> String {
    let errors = read.err().unwrap_or_default();
    let shown: Vec<String> = errors.iter().map(ToString::to_string).collect();
    shown.join("\n")
}

#[test]
fn the_same_network_is_the_same_model_from_both_shapes() {
    let terraform = from_terraform(&[STATE]).expect("a configuration");
    let described = described();
    assert!(described.has_all_interfaces && !terraform.has_all_interfaces);
    assert!(described.resources.is_empty() && !terraform.resources.is_empty());
    let terraform = Config {
        has_all_interfaces: true,
        resources: Resources::default(),
        ..terraform
    };
    assert_eq!(terraform, described);
    assert_eq!(described.vpcs[0].account.as_deref(), Some("123456789012"));
    assert_eq!(described.vpcs[0].region.as_deref(), Some("us-east-2"));
    assert_eq!(described.vpcs[0].cidrs.len(), 1, "one is disassociated");
    assert_eq!(described.subnets.len(), 7);
    assert_eq!(described.nats.len(), 1, "one is deleted");
    let rules: usize = described.groups.iter().map(|group| group.rules.len()).sum();
    assert_eq!(rules, 20);
}

#[test]
fn the_order_of_files_and_files_given_twice_change_nothing() {
    let mut backwards = DESCRIBED;
    backwards.reverse();
    assert_eq!(from_describe(&backwards), Ok(described()));
    let twice = [DESCRIBED.as_slice(), DESCRIBED.as_slice()].concat();
    assert_eq!(from_describe(&twice), Ok(described()));
}

#[test]
fn rules_told_by_their_own_call_are_those_of_the_groups() {
    let rules = inline(
        r#"{"SecurityGroupRules": [
            {"SecurityGroupRuleId": "sgr-1", "GroupId": "sg-1", "GroupOwnerId": "123456789012", "IsEgress": false,
             "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIpv4": "0.0.0.0/0", "Description": "All"},
            {"SecurityGroupRuleId": "sgr-2", "GroupId": "sg-1", "GroupOwnerId": "123456789012", "IsEgress": true,
             "IpProtocol": "-1", "FromPort": -1, "ToPort": -1, "CidrIpv6": "::/0"},
            {"SecurityGroupRuleId": "sgr-3", "GroupId": "sg-1", "GroupOwnerId": "123456789012", "IsEgress": false,
             "IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "ReferencedGroupInfo": {"GroupId": "sg-2", "UserId": "123456789012"}},
            {"SecurityGroupRuleId": "sgr-4", "GroupId": "sg-1", "GroupOwnerId": "123456789012", "IsEgress": false,
             "IpProtocol": "icmp", "FromPort": 3, "ToPort": 4, "PrefixListId": "pl-1"}]}"#,
    );
    let groups = inline(
        r#"{"SecurityGroups": [{"GroupId": "sg-1", "GroupName": "web", "VpcId": "vpc-1", "OwnerId": "123456789012",
            "IpPermissions": [
                {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "All"}]},
                {"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "UserIdGroupPairs": [{"GroupId": "sg-2", "UserId": "123456789012"}]},
                {"IpProtocol": "icmp", "FromPort": 3, "ToPort": 4, "PrefixListIds": [{"PrefixListId": "pl-1"}]}],
            "IpPermissionsEgress": [{"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}]}]}"#,
    );
    let both = from_describe(&[groups, rules]).expect("a configuration");
    let alone = from_describe(&[rules]).expect("a configuration");
    assert_eq!(both, from_describe(&[groups]).expect("a configuration"));
    assert_eq!(both.groups[0].rules, alone.groups[0].rules);
    assert!(both.groups[0].is_told && !alone.groups[0].is_told);
    assert_eq!(both.groups[0].rules[0].traffic.icmp, Some((3, Some(4))));
}

#[test]
fn unknown_ids_of_a_plan_lead_to_the_addresses_of_their_resources() {
    let config = from_terraform(&[PLAN]).expect("a configuration");
    let vpc = "module.net.aws_vpc.this";
    assert_eq!(config.vpcs.len(), 1);
    assert_eq!(config.vpcs[0].id, vpc);
    assert!(!is_known(vpc));
    assert!(
        config
            .subnets
            .iter()
            .all(|subnet| subnet.vpc.as_deref() == Some(vpc))
    );
    let groups: Vec<&str> = config
        .groups
        .iter()
        .map(|group| group.id.as_str())
        .collect();
    let (db, web) = ("aws_security_group.db[0]", "aws_security_group.web");
    assert_eq!(groups, [db, web]);
    assert_eq!(config.groups[0].name.as_deref(), Some("db"));
    let peers = |at: usize| -> Vec<&Peer> {
        config.groups[at]
            .rules
            .iter()
            .map(|rule| &rule.peer)
            .collect()
    };
    let group = |id: &str| Peer::Group(id.to_owned());
    assert_eq!(peers(0), [&group(web)]);
    let everybody = Peer::Cidr("0.0.0.0/0".parse().expect("a prefix"));
    assert_eq!(peers(1), [&everybody, &group(db)]);
    assert_eq!(config.balancers[0].groups, [web]);
    assert_eq!(config.balancers[0].subnets.len(), 3);
    assert_eq!(
        config.acls[0].subnets,
        ["module.net.aws_subnet.this[\"c\"]"]
    );
    let gaps: Vec<&str> = config.gaps.iter().map(|gap| gap.about.as_str()).collect();
    assert_eq!(gaps, ["aws_security_group_rule.mystery"]);
}

#[test]
fn modules_that_name_each_other_for_ever_come_to_an_end() {
    // Every variable is set to two outputs, and every output to two variables.
    let text = r#"{"format_version": "1.2",
        "planned_values": {"root_module": {"child_modules": [{"address": "module.m", "resources": [
            {"address": "module.m.aws_subnet.a", "type": "aws_subnet", "name": "a", "values": {"cidr_block": "10.0.0.0/24"}}]}]}},
        "resource_changes": [{"address": "module.m.aws_subnet.a", "change": {"after_unknown": {"vpc_id": true}}}],
        "configuration": {"root_module": {"module_calls": {"m": {
            "expressions": {"x": {"references": ["module.m.o", "module.m.p"]}, "y": {"references": ["module.m.p", "module.m.o"]}},
            "module": {"outputs": {"o": {"expression": {"references": ["var.x", "var.y"]}}, "p": {"expression": {"references": ["var.y", "var.x"]}}},
                "resources": [{"type": "aws_subnet", "name": "a", "expressions": {"vpc_id": {"references": ["var.x"]}}}]}}}}}}"#;
    let config = from_terraform(&[inline(text)]).expect("a configuration");
    assert_eq!(config.subnets[0].vpc, None);
    assert_eq!(config.gaps.len(), 1);
}

#[test]
fn what_is_wrong_with_describe_output_is_named_with_its_place() {
    fn check(text: &str, expected: &str) {
        let found = errors_of(from_describe(&[inline(text)]));
        assert!(
            found.contains(expected),
            "expected `{expected}` in:\n{found}"
        );
    }
    check("", "a.json: expected JSON: EOF");
    check(
        "[]",
        "a.json: at `the file`: expected an object, got a list",
    );
    check("{}", "nothing to read: expected NatGateways, NetworkAcls");
    check(
        r#"{"Volumes": []}"#,
        "unknown key `Volumes`: expected NatGateways",
    );
    check(
        r#"{"Vpcs": [], "NextToken": "abc"}"#,
        "the output is incomplete",
    );
    check(
        r#"{"Vpcs": {}}"#,
        "at `Vpcs`: expected a list, got an object",
    );
    check(
        r#"{"Vpcs": [{"VpcId": 7}]}"#,
        "at `Vpcs[0].VpcId`: expected a text, got a number",
    );
    check(
        r#"{"Vpcs": [{}]}"#,
        "at `Vpcs[0]`: expected `VpcId`, which is not there",
    );
    check(
        r#"{"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0/16"}]}"#,
        "at `Vpcs[0].CidrBlock`: `10.0.0/16` is no prefix",
    );
    check(
        r#"{"SecurityGroups": [{"GroupId": "sg-1", "IpPermissions": [{"IpProtocol": "tpc"}]}]}"#,
        "at `SecurityGroups[0].IpPermissions[0]`: expected a protocol's name or number, got `tpc`",
    );
    check(
        r#"{"SecurityGroups": [{"GroupId": "sg-1", "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 70000, "ToPort": 70000}]}]}"#,
        "expected a port, got 70000",
    );
    check(
        r#"{"NetworkAcls": [{"NetworkAclId": "acl-1", "Entries": [{"RuleNumber": -5, "RuleAction": "deny", "Protocol": "-1", "CidrBlock": "10.0.0.0/8"}]}]}"#,
        "at `NetworkAcls[0].Entries[0]`: expected `RuleNumber`",
    );
    check(
        r#"{"Entries": [{"Cidr": "10.0.0.0/8"}]}"#,
        "do not say whose they are",
    );
    check(
        &"[".repeat(100_000),
        "expected JSON: recursion limit exceeded",
    );
    check(
        &format!("{{\"Vpcs\": {}", "[".repeat(100_000)),
        "recursion limit exceeded",
    );
}

#[test]
fn what_is_wrong_with_terraforms_json_is_named_with_its_place() {
    fn check(text: &str, expected: &str) {
        let found = errors_of(from_terraform(&[inline(text)]));
        assert!(
            found.contains(expected),
            "expected `{expected}` in:\n{found}"
        );
    }
    check(
        r#"{"Vpcs": []}"#,
        "expected `format_version`, which is not there",
    );
    check(
        r#"{"version": 4, "terraform_version": "1.9.8", "lineage": "x", "resources": []}"#,
        "this is Terraform's own state file",
    );
    check(
        r#"{"format_version": "2.0"}"#,
        "expected `format_version` 0 or 1, got `2.0`",
    );
    check(r#"{"format_version": "1.0"}"#, "it holds no resources");
    check(
        r#"{"format_version": "1.0", "values": {"root_module": {"resources": [{"address": "aws_vpc.a", "type": "aws_vpc", "name": "a", "values": {"id": "vpc-1", "cidr_block": 5}}]}}}"#,
        "at `values.root_module.resources[0].values.cidr_block`: expected a text, got a number",
    );
    check(
        r#"{"format_version": "1.0", "values": {"root_module": {"child_modules": [{"resources": 3}]}}}"#,
        "at `values.root_module.child_modules[0].resources`: expected a list, got a number",
    );
    let deep = "{\"child_modules\":[".repeat(50_000);
    check(
        &format!("{{\"format_version\": \"1.0\", \"values\": {{\"root_module\": {deep}"),
        "recursion limit exceeded",
    );
}

#[test]
fn a_file_beyond_the_bound_is_an_error_and_every_file_is_named() {
    let large = vec![b' '; MAX_BYTES + 1];
    let large = Input {
        name: "large.json",
        bytes: &large,
    };
    let found = errors_of(from_describe(&[large, inline("{}"), inline("[]")]));
    assert_eq!(found.lines().count(), 3, "{found}");
    assert!(
        found.starts_with("large.json: expected at most 64 MiB"),
        "{found}"
    );
}

/// A plan of resources in the root module: of each its address, values, what is unknown of them, and expressions.
fn plan(resources: &[[&str; 4]]) -> String {
    let (mut planned, mut changes, mut written) = (Vec::new(), Vec::new(), Vec::new());
    for [address, values, unknown, expressions] in resources {
        let (kind, name) = address.split_once('.').expect("a kind and a name");
        let head = format!(r#""address": "{address}", "type": "{kind}", "name": "{name}""#);
        planned.push(format!(r#"{{{head}, "values": {values}}}"#));
        changes.push(format!(
            r#"{{"address": "{address}", "change": {{"after_unknown": {unknown}}}}}"#
        ));
        written.push(format!(r#"{{{head}, "expressions": {expressions}}}"#));
    }
    format!(
        r#"{{"format_version": "1.2", "planned_values": {{"root_module": {{"resources": [{}]}}}},
            "resource_changes": [{}], "configuration": {{"root_module": {{"resources": [{}]}}}}}}"#,
        planned.join(", "),
        changes.join(", "),
        written.join(", ")
    )
}

fn planned(resources: &[[&str; 4]]) -> Config {
    from_terraform(&[inline(&plan(resources))]).expect("a configuration")
}

/// What could not be followed, one line for each.
fn gaps_of(config: &Config) -> String {
    let gaps = config.gaps.iter();
    let shown: Vec<String> = gaps
        .map(|gap| format!("{}: {}", gap.about, gap.what))
        .collect();
    shown.join("\n")
}

#[test]
fn what_a_condition_may_refer_to_is_no_peer_unless_the_plan_tells() {
    fn check(groups: &str, mark: &str, references: &str, expected: &[&str], gaps: &str) {
        let values = format!(
            r#"{{"ingress": [{{"from_port": 443, "to_port": 443, "protocol": "tcp", "security_groups": {groups}}}]}}"#
        );
        let unknown = format!(r#"{{"ingress": [{{"security_groups": {mark}}}]}}"#);
        let expressions = format!(
            r#"{{"ingress": [{{"protocol": {{"constant_value": "tcp"}}, "security_groups": {{"references": [{references}]}}}}]}}"#
        );
        let config = planned(&[
            ["aws_security_group.aa", "{}", "{}", "{}"],
            ["aws_security_group.bb", "{}", "{}", "{}"],
            [
                "aws_security_group.web",
                values.as_str(),
                unknown.as_str(),
                expressions.as_str(),
            ],
        ]);
        let rules = config.groups.iter().flat_map(|group| &group.rules);
        let peers: Vec<Peer> = rules.map(|rule| rule.peer.clone()).collect();
        let expected: Vec<Peer> = expected
            .iter()
            .map(|id| Peer::Group((*id).to_owned()))
            .collect();
        assert_eq!(peers, expected, "{references}");
        assert_eq!(gaps_of(&config), gaps, "{references}");
    }
    let (aa, bb) = ("aws_security_group.aa", "aws_security_group.bb");
    let of_aa = r#""aws_security_group.aa.id", "aws_security_group.aa""#;
    let of_both = format!(r#"{of_aa}, "aws_security_group.bb.id", "aws_security_group.bb""#);
    let one_or_none = format!(r#""var.on", {of_aa}"#);
    let one_or_other = format!(r#""var.on", {of_both}"#);
    check("[]", "[]", &one_or_none, &[], "");
    check("null", "true", &one_or_none, &[aa], "");
    check(
        "null",
        "true",
        &one_or_other,
        &[],
        "aws_security_group.web: ingress rule 0: one or all of aws_security_group.aa, aws_security_group.bb, the plan does not tell; none is carried over",
    );
    check(
        "null",
        "true",
        &of_both,
        &[aa, bb],
        "aws_security_group.web: ingress rule 0: one or all of aws_security_group.aa, aws_security_group.bb, the plan does not tell; all are carried over",
    );
}

#[test]
fn rules_of_unknown_prefixes_are_listed() {
    let rule = r#"{"type": "ingress", "security_group_id": "sg-1", "protocol": "tcp", "from_port": 443, "to_port": 443}"#;
    let single =
        r#"{"security_group_id": "sg-1", "ip_protocol": "tcp", "from_port": 443, "to_port": 443}"#;
    let inside = r#"{"ingress": [{"protocol": "tcp", "from_port": 443, "to_port": 443}]}"#;
    let config = planned(&[
        [
            "aws_security_group.a",
            inside,
            r#"{"ingress": [{"cidr_blocks": true}]}"#,
            "{}",
        ],
        [
            "aws_security_group_rule.b",
            rule,
            r#"{"cidr_blocks": [true]}"#,
            "{}",
        ],
        [
            "aws_vpc_security_group_ingress_rule.c",
            single,
            r#"{"cidr_ipv4": true}"#,
            "{}",
        ],
    ]);
    assert!(config.groups.iter().all(|group| group.rules.is_empty()));
    assert_eq!(
        gaps_of(&config),
        "aws_security_group.a: the prefixes of ingress rule 0 are not known before it is applied\n\
         aws_security_group_rule.b: `cidr_blocks` is not known before it is applied, and leads to nothing in this plan\n\
         aws_vpc_security_group_ingress_rule.c: `cidr_ipv4` is not known before it is applied, and leads to nothing in this plan"
    );
}

#[test]
fn entries_of_unknown_prefixes_are_listed_and_the_others_read() {
    let inside = r#"{"ingress": [
        {"rule_no": 100, "action": "deny", "protocol": "tcp", "from_port": 22, "to_port": 22},
        {"rule_no": 200, "action": "deny", "protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_block": "10.0.0.0/8"}]}"#;
    let own = r#"{"network_acl_id": "acl-1", "rule_number": 100, "rule_action": "deny", "protocol": "tcp", "from_port": 22, "to_port": 22}"#;
    let config = planned(&[
        [
            "aws_network_acl.a",
            inside,
            r#"{"ingress": [{"cidr_block": true}, {}]}"#,
            "{}",
        ],
        [
            "aws_network_acl_rule.b",
            own,
            r#"{"cidr_block": true}"#,
            "{}",
        ],
    ]);
    let entries = config.acls.iter().flat_map(|acl| &acl.entries);
    let numbers: Vec<u32> = entries.map(|entry| entry.number).collect();
    assert_eq!(numbers, [200]);
    assert_eq!(
        gaps_of(&config),
        "aws_network_acl.a: the prefix of ingress entry 0 is not known before it is applied; the entry is left out\n\
         aws_network_acl_rule.b: `cidr_block` is not known before it is applied, and leads to nothing in this plan"
    );
}

#[test]
fn the_entries_that_close_a_network_acl_are_passed_over_in_both_families() {
    let text = r#"{"NetworkAcls": [{"NetworkAclId": "acl-1", "VpcId": "vpc-1", "Entries": [
        {"RuleNumber": 32766, "RuleAction": "deny", "Protocol": "-1", "Egress": false, "CidrBlock": "10.0.0.0/8"},
        {"RuleNumber": 32767, "RuleAction": "deny", "Protocol": "-1", "Egress": false, "CidrBlock": "0.0.0.0/0"},
        {"RuleNumber": 32768, "RuleAction": "deny", "Protocol": "-1", "Egress": false, "Ipv6CidrBlock": "::/0"}]}]}"#;
    let config = from_describe(&[inline(text)]).expect("a configuration");
    let entries = config.acls[0].entries.iter();
    let numbers: Vec<u32> = entries.map(|entry| entry.number).collect();
    assert_eq!(numbers, [32_766]);
}
