//! Errors that a policy file can have, each with its place and its hint: what names refer to. The forms of values are in
//! `forms`, hostile files in `hostile`.

use super::*;

/// The errors of a text, a line each: `LINE:COLUMN message (hint)`.
pub(super) fn errors_of(text: &str) -> Vec<String> {
    let Err(errors) = parse(text) else {
        return Vec::new();
    };
    let line = |error: &Remark| {
        let hint = error
            .hint
            .as_ref()
            .map(|hint| format!(" ({hint})"))
            .unwrap_or_default();
        format!("{}:{} {}{hint}", error.line, error.column, error.message)
    };
    errors.errors().iter().map(line).collect()
}

/// Errors of what is added to the base, with lines counted from there.
pub(super) fn check(more: &str, expected: &[&str]) {
    let skipped = BASE.lines().count();
    let found: Vec<String> = errors_of(&format!("{BASE}{more}"))
        .into_iter()
        .map(|error| {
            let (line, rest) = error.split_once(':').expect("a place");
            format!(
                "{}:{rest}",
                line.parse::<usize>().expect("a line") as i64 - skipped as i64
            )
        })
        .collect();
    assert_eq!(found, expected, "{more}");
}

/// An allow with an id, ends, and this.
pub(super) fn allow(more: &str) -> String {
    format!("[[allow]]\nid = \"a\"\nfrom = \"app\"\nto = \"data\"\n{more}\n")
}

#[test]
fn an_unknown_key_names_the_nearest() {
    check(
        "[polcy]\n",
        &["1:2 unknown key `polcy` (did you mean `policy`?)"],
    );
    check(
        &allow("servce = \"https\""),
        &["5:1 unknown key in [[allow]]: `servce` (did you mean `service`?)"],
    );
    check(
        "[tiers.app]\ncritical = true\n",
        &["2:1 unknown key in [tiers.app]: `critical` (did you mean `criticality`?)"],
    );
    check(
        "[groups.g]\ncidr = [\"10.0.0.0/24\"]\n",
        &[
            "1:9 nothing says who is in group `g` (give any of cidrs, interfaces, instances, security_groups, tags, ecs_services, interface_types, descriptions, endpoints)",
            "2:1 unknown key in [groups.g]: `cidr` (did you mean `cidrs`?)",
        ],
    );
    check(
        "[data]\nip_range = \"x\"\n[transit]\nnats = []\n",
        &[
            "2:1 unknown key in [data]: `ip_range` (did you mean `ip_ranges`?)",
            "4:1 unknown key in [transit]: `nats` (did you mean `nat`?)",
        ],
    );
    check(
        "[services.x]\nports = [\"tcp/1\"]\nsymetric = true\n",
        &["3:1 unknown key in service `x`: `symetric` (did you mean `symmetric`?)"],
    );
    check(
        "[[deny]]\nid = \"d\"\nfrom = \"any\"\nto = \"any\"\nexempt = [\"x\"]\n",
        &["5:1 unknown key in [[deny]]: `exempt`"],
    );
}

#[test]
fn an_unknown_name_names_the_nearest() {
    check(
        "[[allow]]\nid = \"a\"\nfrom = \"ap\"\nto = [\"data\", \"vectordb\"]\n",
        &[
            "3:8 unknown name `ap` (did you mean `app`?)",
            "4:15 unknown name `vectordb` (did you mean `vector-db`?)",
        ],
    );
    check(
        &allow("service = \"htps\""),
        &["5:11 unknown service `htps` (did you mean `https`?)"],
    );
    check(
        &allow("service = \"tcp/443\""),
        &["5:11 unknown service `tcp/443` (write ports = [\"tcp/443\"])"],
    );
    check(
        &allow("to_except = \"aws:S4\""),
        &["5:13 unknown AWS service `S4` (did you mean `S3`?)"],
    );
    check(
        &allow("via = [\"natt\"]"),
        &["5:8 unknown word `natt` in `via` (did you mean `nat`?)"],
    );
    check(
        &allow("severity = \"worst\""),
        &["5:12 unknown word `worst` in `severity` (one of info, low, medium, high, critical)"],
    );
    check(
        &allow("family = \"ipv5\""),
        &["5:10 unknown word `ipv5` in `family` (did you mean `ipv4`?)"],
    );
    check(
        "[destinations.d]\naws_services = [\"DYNAMO_DB\"]\n",
        &["2:17 unknown AWS service `DYNAMO_DB` (did you mean `DYNAMODB`?)"],
    );
    check(
        "[groups.g]\nnetwork = \"prd\"\ncidrs = [\"10.0.0.0/24\"]\n",
        &["2:11 unknown network `prd` (did you mean `prod`?)"],
    );
    check(
        "[networks.two]\ncidrs = [\"10.1.0.0/16\"]\nconnected_to = [\"pord\"]\n",
        &[
            "-33:1 [[subnets]] lacks `network`, which a file with several networks needs (add network = \"…\")",
            "-28:1 [[subnets]] lacks `network`, which a file with several networks needs (add network = \"…\")",
            "-23:1 [[subnets]] lacks `network`, which a file with several networks needs (add network = \"…\")",
            "-18:1 [[subnets]] lacks `network`, which a file with several networks needs (add network = \"…\")",
            "-13:1 [[subnets]] lacks `network`, which a file with several networks needs (add network = \"…\")",
            "3:17 unknown network `pord` (did you mean `prod`?)",
        ],
    );
}

#[test]
fn same_subnet_is_an_error_outside_exceptions() {
    check(
        "[[allow]]\nid = \"a\"\nfrom = \"app\"\nto = \"same-subnet\"\n",
        &["4:6 `same-subnet` is for from_except and to_except only: it is the other end's subnet"],
    );
}

#[test]
fn names_of_tiers_groups_and_destinations_are_one_set() {
    check(
        "[groups.app]\ncidrs = [\"10.0.0.0/24\"]\n",
        &[
            "1:9 `app` is already the name of a tier (tiers, groups and destinations share one set of names)",
        ],
    );
    check(
        "[destinations.etl]\ncidrs = [\"192.0.2.0/24\"]\n",
        &[
            "1:15 `etl` is already the name of a group (tiers, groups and destinations share one set of names)",
        ],
    );
    check(
        "[groups.internet]\ncidrs = [\"10.0.0.0/24\"]\n",
        &["1:9 `internet` is a reserved word"],
    );
    check("[tiers.local]\n", &["1:8 `local` is a reserved word"]);
    check(
        "[groups.\"a b\"]\ncidrs = [\"10.0.0.0/24\"]\n",
        &["1:9 `a b` cannot name a group (use letters, digits and - _ . / @ +)"],
    );
    check(
        "[groups.\"aws:S3\"]\ncidrs = [\"10.0.0.0/24\"]\n",
        &["1:9 `aws:S3` cannot name a group (use letters, digits and - _ . / @ +)"],
    );
}

#[test]
fn two_tiers_with_the_same_prefix_in_one_network() {
    check(
        "[[subnets]]\ntier = \"other\"\ncidrs = [\"10.0.32.0/19\"]\n",
        &["3:10 tiers `app` and `other` have the same prefix `10.0.32.0/19`"],
    );
    check(
        "[[subnets]]\ntier = \"app\"\ncidrs = [\"10.0.32.0/19\"]\n",
        &["3:10 two subnets have the same prefix `10.0.32.0/19`"],
    );
}

#[test]
fn a_group_or_subnet_outside_its_network() {
    check(
        "[[subnets]]\ntier = \"x\"\ncidrs = [\"10.1.0.0/24\"]\n",
        &["3:10 `10.1.0.0/24` lies outside network `prod`"],
    );
    check(
        "[groups.g]\ncidrs = [\"10.0.0.0/8\"]\n",
        &["2:10 `10.0.0.0/8` of group `g` lies outside network `prod`"],
    );
}

#[test]
fn a_group_in_several_networks_says_which() {
    let two = "[policy]\nid = \"T\"\n[networks.a]\ncidrs = [\"10.0.0.0/16\"]\n[networks.b]\ncidrs = [\"10.0.0.0/15\"]\n[groups.g]\n";
    assert_eq!(
        errors_of(&format!("{two}cidrs = [\"10.0.1.0/24\"]\n")),
        ["8:10 the prefixes of group `g` lie in several networks: a, b (add network = \"…\")",]
    );
    assert_eq!(
        errors_of(&format!("{two}cidrs = [\"10.2.0.0/24\"]\n")),
        ["8:10 the prefixes of group `g` lie outside every single network"]
    );
    assert!(errors_of(&format!("{two}cidrs = [\"10.1.0.0/24\"]\n")).is_empty());
    assert!(
        errors_of(&format!(
            "{two}cidrs = [\"10.0.1.0/24\"]\nnetwork = \"a\"\n"
        ))
        .is_empty()
    );
    assert!(errors_of(&format!("{two}interfaces = [\"eni-1\"]\n")).is_empty());
}

#[test]
fn a_duplicate_id() {
    check(
        &format!(
            "{}{}",
            allow(""),
            "[[require]]\nid = \"a\"\nbetween = \"any\"\nsame = [\"az\"]\n"
        ),
        &["7:6 duplicate id `a`"],
    );
    check(
        "[[allow]]\nid = \"default\"\nfrom = \"any\"\nto = \"app\"\n",
        &["2:6 `default` is the name of the default: what no rule matches is denied"],
    );
    check(
        "[[allow]]\nid = \"stray\"\nfrom = \"any\"\nto = \"app\"\n",
        &["2:6 `stray` stands where a record is not judged: no rule can be told from it"],
    );
    let subnet = |cidr: &str| {
        format!("[[subnets]]\nid = \"subnet-1\"\ntier = \"x\"\ncidrs = [\"{cidr}\"]\n")
    };
    check(
        &format!("{}{}", subnet("10.0.128.0/24"), subnet("10.0.129.0/24")),
        &["6:6 duplicate subnet id `subnet-1`"],
    );
}

#[test]
fn an_expires_without_owner_and_ticket() {
    let hint = "(say who ends it, and where that is tracked)";
    check(
        &allow("expires = 2026-01-01"),
        &[&format!(
            "5:11 a rule that expires needs an owner and a ticket: `owner` and `ticket` is missing {hint}"
        )],
    );
    check(
        &allow("expires = 2026-01-01\nowner = \"x\""),
        &[&format!(
            "5:11 a rule that expires needs an owner and a ticket: `ticket` is missing {hint}"
        )],
    );
    check(
        "[[deny]]\nid = \"d\"\nfrom = \"any\"\nto = \"app\"\nexpires = 2026-01-01\nticket = \"x\"\n",
        &[&format!(
            "5:11 a rule that expires needs an owner and a ticket: `owner` is missing {hint}"
        )],
    );
    check(
        &allow("expires = 2026-01-01\nowner = \"x\"\nticket = \"y\""),
        &[],
    );
}

#[test]
fn an_exempt_that_is_no_require() {
    let require = "[[require]]\nid = \"same-az\"\nbetween = \"any\"\nsame = [\"az\"]\n";
    check(
        &format!("{require}{}", allow("exempt = [\"sameaz\"]")),
        &["9:11 unknown require `sameaz` (did you mean `same-az`?)"],
    );
    check(
        &format!("{require}{}", allow("exempt = [\"a\"]")),
        &["9:11 `a` is no require"],
    );
}

#[test]
fn a_require_asks_for_one_thing_that_exists() {
    let require = |what: &str| format!("[[require]]\nid = \"r\"\nbetween = \"any\"\n{what}\n");
    check(
        &require(""),
        &["1:1 this require asks for nothing (give same = [\"az\"], labels, or encrypted = true)"],
    );
    check(
        &require("same = [\"env\"]\nencrypted = true"),
        &[
            "5:13 `encrypted` beside `same` (write two requires, so that each can be exempted and named)",
        ],
    );
    check(
        &require("encrypted = false"),
        &["4:13 expected `encrypted = true`"],
    );
    check(
        &require("same = [\"evn\"]"),
        &["4:9 unknown label, which no subnet has: `evn` (did you mean `env`?)"],
    );
}

#[test]
fn no_record_may_belong_to_two_networks() {
    let network =
        |name: &str, more: &str| format!("[networks.{name}]\ncidrs = [\"10.0.0.0/16\"]\n{more}\n");
    let two = |one: &str, other: &str| {
        format!(
            "[policy]\nid = \"T\"\n{}{}",
            network("a", one),
            network("b", other)
        )
    };
    let vpc = "vpcs = [\"vpc-1\"]";
    assert_eq!(
        errors_of(&two(vpc, vpc)),
        ["8:9 `vpc-1` is listed by network `a` too"]
    );
    let account = "accounts = [\"111111111111\"]";
    assert_eq!(
        errors_of(&two(account, account)),
        ["6:11 networks `a` and `b` claim the same account and region (list their vpcs)"]
    );
    assert!(
        errors_of(&two(
            &format!("{account}\nregions = [\"us-east-1\"]"),
            &format!("{account}\nregions = [\"us-east-2\"]")
        ))
        .is_empty()
    );
    assert_eq!(
        errors_of(&two("connected_to = [\"a\"]", "")),
        ["5:17 network `a` is connected to itself"]
    );
}

#[test]
fn pinned_files_that_cannot_be_used() {
    check(
        "[data]\nip_ranges = \"none.json\"\n",
        &[
            "2:13 cannot read `none.json`: entity not found (the path is relative to the policy file)",
        ],
    );
    let text = format!(
        "{BASE}[data]\nprefix_list_files = [\"l\"]\n[destinations.d]\nprefix_lists = [\"pl-12\"]\n"
    );
    let errors = parse_with(&text, &[("l", r#"{"pl-11":["192.0.2.0/24"]}"#)])
        .err()
        .expect("an unknown list");
    assert_eq!(
        errors.errors()[0].message,
        "unknown prefix list, in no file of prefix_list_files: `pl-12`"
    );
    assert_eq!(
        errors.errors()[0].hint.as_deref(),
        Some("did you mean `pl-11`?")
    );
    let text = format!(
        "{BASE}[data]\nip_ranges = \"r\"\n[destinations.d]\naws_services = [\"S3\"]\nregions = [\"us-east-1\"]\n"
    );
    let errors = parse_with(
        &text,
        &[(
            "r",
            r#"{"prefixes":[{"ip_prefix":"192.0.2.0/24","region":"us-east-2","service":"S3"}]}"#,
        )],
    );
    assert_eq!(
        errors.err().expect("an unknown region").errors()[0].message,
        "unknown region, in no range of ip_ranges: `us-east-1`"
    );
    let errors = parse_with(&text, &[("r", "<html>")])
        .err()
        .expect("no JSON");
    assert!(
        errors.errors()[0]
            .message
            .starts_with("cannot use `r`: expected JSON")
    );
}

#[test]
fn all_errors_of_a_file_are_reported_in_one_run_in_the_order_of_their_places() {
    let text = "x = 1\n[policy]\nid = \"T\"\nid = \"T\"\n[networks.a]\ncidrs = [\"10.0.0.0/33\"]\n[[allow]]\nid = \"a\"\nfrom = \"ap\"\nto = \"any\"\nports = [\"tcp/99999\"]\n";
    let lines: Vec<String> = errors_of(text)
        .iter()
        .map(|error| error.split(' ').next().unwrap_or("").to_owned())
        .collect();
    assert_eq!(lines, ["1:1", "4:1", "6:10", "9:8", "11:10"]);
}

#[test]
fn errors_are_shown_with_file_line_column_source_line_and_hint() {
    let text = "[policy]\nid = \"T\"\n[networks.a]\ncidrs = [\"10.0.0.0/16\"]\n[[deny]]\nid = \"d\"\nfrom = \"anny\"\nto = \"any\"\n";
    let shown = parse(text).err().expect("an unknown name").to_string();
    let expected = "error: unknown name `anny`\n --> policy.toml:7:8\n  |\n7 | from = \"anny\"\n  |        ^^^^^^\n  |\n  = hint: did you mean `any`?\n\npolicy.toml: 1 error";
    assert_eq!(shown, expected);
}
