//! Every error that a policy file can have, each with its place and its hint.

use super::*;

/// The errors of a text, a line each: `LINE:COLUMN message (hint)`.
fn errors_of(text: &str) -> Vec<String> {
    let Err(errors) = parse(text) else {
        return Vec::new();
    };
    let line = |error: &PolicyError| {
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
fn check(more: &str, expected: &[&str]) {
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
fn allow(more: &str) -> String {
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
fn a_port_out_of_range() {
    check(
        &allow("ports = [\"tcp/70000\"]"),
        &["5:10 in `tcp/70000`: port `70000` is out of range: expected 0 to 65535"],
    );
    check(
        &allow("ports_except = [\"tcp/9-3\"]"),
        &["5:17 in `tcp/9-3`: the range 9-3 is empty: its first port is above its last"],
    );
    check(
        &allow("ports = [\"tpc/443\"]"),
        &["5:10 unknown protocol `tpc` (did you mean `tcp`?)"],
    );
    check(
        "[services.x]\nports = [\"icmp/8\"]\n",
        &["2:10 in `icmp/8`: `icmp` has no ports"],
    );
}

#[test]
fn ports_are_given_one_way_and_not_empty() {
    check(
        &allow("service = \"https\"\nports = [\"tcp/443\"]"),
        &["6:9 `ports` beside `service`: expected one of service, ports and ports_except"],
    );
    check(
        &allow("ports = []"),
        &["5:9 `ports` names nothing (leave it out for any port)"],
    );
    check(
        &allow("via = []"),
        &["5:7 `via` names nothing (leave it out for any path)"],
    );
    check(
        "[[allow]]\nid = \"a\"\nfrom = []\nto = \"app\"\n",
        &["3:8 `from` names nothing (`any` is every endpoint)"],
    );
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
fn dates_are_instants_in_order() {
    let owned = "owner = \"x\"\nticket = \"y\"";
    check(
        &allow(&format!(
            "not_before = 2026-01-02\nexpires = 2026-01-02\n{owned}"
        )),
        &["6:11 `expires` is not after `not_before`: this is never in force"],
    );
    check(
        &allow("not_before = 2026-01-01T00:00:00"),
        &[
            "5:14 `2026-01-01T00:00:00` names no instant (say in which zone: append Z for UTC, or an offset like +01:00)",
        ],
    );
    check(
        &allow("not_before = \"2026-01-01\""),
        &["5:14 expected a date or a time in `not_before` of [[allow]], got a text"],
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
fn what_must_be_there() {
    check(
        "[[allow]]\n",
        &[
            "1:1 [[allow]] lacks `id`",
            "1:1 [[allow]] lacks `from`",
            "1:1 [[allow]] lacks `to`",
        ],
    );
    check(
        "[[subnets]]\n",
        &[
            "1:1 [[subnets]] lacks `tier`",
            "1:1 [[subnets]] lacks `cidrs`",
        ],
    );
    check(
        "[[require]]\nsame = [\"az\"]\n",
        &[
            "1:1 [[require]] lacks `id`",
            "1:1 [[require]] lacks `between`",
        ],
    );
    check(
        "[destinations.d]\nregions = [\"us-east-2\"]\n",
        &[
            "1:15 nothing says where destination `d` is (give any of cidrs, domains, prefix_lists, aws_services)",
            "2:11 `regions` narrows `aws_services`, which is not there",
        ],
    );
    check("[services.s]\n", &["1:11 service `s` lacks `ports`"]);
    assert_eq!(
        errors_of(""),
        [
            "1:1 the file lacks [policy] (begin it with [policy] and an id)",
            "1:1 the file has no network (add [networks.NAME] with the cidrs that are yours)",
        ]
    );
    assert_eq!(
        errors_of("[policy]\n[networks.a]\n"),
        ["1:1 [policy] lacks `id`", "2:11 [networks.a] lacks `cidrs`"]
    );
}

#[test]
fn wrong_types_say_what_was_expected() {
    check(
        "[[allow]]\nid = 7\nfrom = [\"app\", 3]\nto = { a = 1 }\n",
        &[
            "2:6 expected a text in `id` of [[allow]], got an integer",
            "3:16 expected a list of texts in `from` of [[allow]], got an integer",
            "4:6 expected a text or a list of texts in `to` of [[allow]], got a table",
        ],
    );
    check(
        "[allow]\nid = \"x\"\n",
        &["1:1 expected a list of tables in `allow` (write [[allow]])"],
    );
    check(
        &allow("observable = \"no\""),
        &["5:14 expected true or false in `observable` of [[allow]], got a text"],
    );
    check(
        "[groups]\ng = 1\n",
        &["2:5 expected a table, got an integer: [groups.g]"],
    );
}

#[test]
fn prefixes_and_ids_have_their_forms() {
    check(
        "[destinations.d]\ncidrs = [\"10.1.2.3/16\", \"x\", \"10.0.0.0/40\"]\n",
        &[
            "2:10 `10.1.2.3/16` is no prefix: bits are set behind its length (did you mean `10.1.0.0/16`?)",
            "2:25 `x` is no prefix: expected a prefix like 10.0.0.0/16 or 2001:db8::/32",
            "2:30 `10.0.0.0/40` is no prefix: expected a length up to 32",
        ],
    );
    check(
        "[destinations.d]\ndomains = [\"https://x\"]\nprefix_lists = [\"sg-1\"]\n",
        &[
            "2:12 `https://x` is no domain: expected a name like packages.example or *.packages.example",
            "3:17 `sg-1` in `prefix_lists`: expected an id like pl-0a1b2c3d",
        ],
    );
    check(
        "[transit]\nnat = [\"nat-1\"]\n",
        &[
            "2:8 `nat-1` is no address, prefix or interface: expected a prefix like 10.0.0.0/16 or 2001:db8::/32, or an interface like eni-0a1b2c3d",
        ],
    );
    let network = "[policy]\nid = \"T\"\n[networks.a]\ncidrs = [\"10.0.0.0/16\"]\n";
    assert_eq!(
        errors_of(&format!(
            "{network}accounts = [\"1234\"]\nregions = [\"Ohio\"]\nvpcs = [\"prod\"]\n"
        )),
        [
            "5:13 `1234` is no account: expected 12 digits, leading zeros included",
            "6:12 `Ohio` is no region: expected a code like us-east-2",
            "7:9 `prod` in `vpcs`: expected an id like vpc-0a1b2c3d",
        ]
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
fn tests_and_mutes_are_checked() {
    let test = |more: &str| format!("[[test]]\nname = \"t\"\n{more}\n");
    check(
        &test("flow = \"10.0.0.1 to 10.0.0.2\"\nexpect = \"alow\""),
        &[
            "3:8 `10.0.0.1 to 10.0.0.2` is no flow: expected four words (write client -> server and the protocol: 10.0.32.5:41022 -> 10.0.64.20:443 tcp)",
            "4:10 unknown word `alow` in `expect` (did you mean `allow`?)",
        ],
    );
    check(
        &test("flow = \"10.0.0.1:1 -> 10.0.0.2:2 tcp\"\nexpect = \"deny\"\nrule = \"defalt\""),
        &["5:8 unknown rule `defalt` (did you mean `default`?)"],
    );
    check(
        "[[test]]\n",
        &[
            "1:1 [[test]] lacks `name`",
            "1:1 [[test]] lacks `flow`",
            "1:1 [[test]] lacks `expect`",
        ],
    );
    check(
        "[[mute]]\nfinding = \"overblockd\"\nfrom = \"etl\"\nrule = \"x\"\n",
        &[
            "1:1 [[mute]] lacks `owner`",
            "1:1 [[mute]] lacks `reason`",
            "2:11 unknown kind of finding `overblockd` (did you mean `overblocked`?)",
            "3:8 `etl` is a group: a finding knows zones only (name the tier, or the rule that decides)",
            "4:8 unknown rule `x`",
        ],
    );
}

#[test]
fn detectors_take_plain_parameters() {
    check(
        "[detect.port-scan]\ntargets = 20\nquiet = true\npeers = [\"a\"]\n",
        &[],
    );
    check(
        "[detect.port-scan]\ntargets = { a = 1 }\n",
        &[
            "2:11 expected a number, a text, a flag or a list of those in `targets` of [detect.port-scan], got a table",
        ],
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

#[test]
fn hostile_input_ends_in_errors() {
    let many = |item: &str, times: usize| item.repeat(times);
    for text in [
        "\u{0}".to_owned(),
        "\u{feff}[policy]".to_owned(),
        "[policy]\nid = \"\u{202e}evil\"".to_owned(),
        "[policy]\nid = \"e\u{301}\u{200b}\"".to_owned(),
        many("[[allow]]\n", 20_000),
        many("[policy]\n", 10_000),
        format!("[policy]\nid = \"{}\"", many("x", 1_000_000)),
        format!("[[allow]]\nfrom = [{}]", many("\"x\",", 300_000)),
        many("a = \"\n", 30_000),
        format!("[destinations.d]\ncidrs = [{}]", many("\"1\",", 300_000)),
        many("=", 300_000),
        "\u{1b}[31m = 1".to_owned(),
    ] {
        let errors = parse(&text).err().expect("an error");
        assert!(!errors.errors().is_empty());
        assert!(!errors.to_string().contains('\u{1b}'));
    }
}

#[test]
fn address_space_in_too_many_pieces_is_an_error() {
    let mut text = BASE.to_owned();
    for i in 0..1000 {
        text += &format!("[destinations.d{i}]\ncidrs = [\"0.0.0.0/0\"]\n");
    }
    let lists: Vec<String> = (0..17_000u32)
        .map(|i| format!("\"{}.{}.{}.0/24\"", 11 + (i >> 16), i >> 8 & 255, i & 255))
        .collect();
    text += &format!("[destinations.many]\ncidrs = [{}]\n", lists.join(","));
    let errors = parse(&text).err().expect("too many pieces");
    assert!(
        errors.errors()[0]
            .message
            .starts_with("too many prefixes hold each other")
    );
}

mod mutated {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

        #[test]
        fn no_change_to_a_policy_makes_the_parser_panic(at in 0usize..20_000, length in 0usize..200, with in "\\PC{0,20}|[\\[\\]{}=\",.#\n\\-0-9a-z]{0,30}") {
            let text = include_str!("../../../policies/sec-003.toml");
            let floor = |mut at: usize| {
                at = at.min(text.len());
                while !text.is_char_boundary(at) {
                    at -= 1;
                }
                at
            };
            let (from, until) = (floor(at), floor(at + length));
            let changed = format!("{}{with}{}", &text[..from], &text[until..]);
            if let Err(errors) = parse(&changed) {
                prop_assert!(!errors.render(true).is_empty());
            }
        }
    }
}
