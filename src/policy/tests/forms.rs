//! Errors of form: what must be there, types, dates, ports, prefixes, ids.

use super::errors::{allow, check, errors_of};

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
fn detectors_take_what_they_know() {
    check(
        "[detect.port-scan]\ntargets = 20\nowner = \"soc\"\nseverity = \"critical\"\n[detect.beacon]\nenabled = false\nexcept_ports = [123, 0x1f90]\n",
        &[],
    );
    check(
        "[detect.port-scan]\ntargets = { a = 1 }\nfailed = -1\npeers = 3\n[detect.beakon]\n[detect.data-pull]\ntiers = [\"dta\"]\n[detect.watchlist]\nfiles = \"none.txt\"\n[detect.dns-bypass]\nresolvers = \"dns\"\nseverity = \"info\"\n",
        &[
            "2:11 expected a whole number from 1 to 1099511627776 in `targets` of [detect.port-scan], got a table",
            "3:10 expected a whole number from 0 to 100 in `failed` of [detect.port-scan], got an integer",
            "4:1 unknown key in [detect.port-scan]: `peers`",
            "5:9 unknown detector `beakon` (did you mean `beacon`?)",
            "7:10 unknown tier `dta` (did you mean `data`?)",
            "9:9 cannot read `none.txt`: entity not found (the path is relative to the policy file)",
            "11:13 expected an address or a prefix, got `dns`: expected a prefix like 10.0.0.0/16 or 2001:db8::/32",
            "12:12 unknown word `info` in `severity` (one of low, medium, high, critical)",
        ],
    );
}
