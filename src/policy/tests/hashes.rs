//! The policy's hash: what changes it and what does not.

use super::*;

const PARTS: [&str; 6] = [
    "[[allow]]\nid = \"a\"\nfrom = [\"app\", \"public\"]\nto = \"data\"\nservice = \"https\"\nreason = \"because\"\nowner = \"me\"\nexempt = [\"az\"]\n",
    "[[deny]]\nid = \"d\"\nfrom = \"any\"\nto = \"repos\"\nports = [\"tcp/80\", \"tcp/81\"]\n",
    "[[require]]\nid = \"az\"\nbetween = \"any-tier\"\nsame = [\"az\"]\n",
    "[groups.extra]\ncidrs = [\"10.0.35.0/24\", \"10.0.36.0/24\"]\n",
    "[tiers.app]\ncriticality = \"high\"\n",
    "[transit]\nnat = [\"10.0.0.220\", \"eni-1\"]\n",
];

fn hash(text: &str) -> String {
    parse(text)
        .unwrap_or_else(|errors| panic!("{errors}"))
        .hash()
        .to_owned()
}

fn whole() -> String {
    format!("{BASE}\n{}", PARTS.concat())
}

/// The hash after a replacement, beside the one before.
fn check(from: &str, to: &str, same: bool) {
    let (before, after) = (whole(), whole().replacen(from, to, 1));
    assert_ne!(before, after, "`{from}` is not in the file");
    assert_eq!(hash(&before) == hash(&after), same, "`{from}` to `{to}`");
}

#[test]
fn the_hash_is_64_hex_digits_and_stable() {
    let found = hash(&whole());
    assert_eq!(found.len(), 64);
    assert!(found.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_eq!(found, hash(&whole()));
}

#[test]
fn the_order_of_the_file_does_not_change_it() {
    let mut parts = PARTS;
    parts.reverse();
    assert_eq!(hash(&whole()), hash(&format!("{}\n{BASE}", parts.concat())));
    check("[\"app\", \"public\"]", "[\"public\", \"app\"]", true);
    check("[\"tcp/80\", \"tcp/81\"]", "[\"tcp/80-81\"]", true);
    check(
        "[\"10.0.35.0/24\", \"10.0.36.0/24\"]",
        "[\"10.0.36.0/24\", \"10.0.35.0/24\"]",
        true,
    );
}

#[test]
fn when_a_require_is_in_force_changes_it() {
    let same = "same = [\"az\"]\n[groups";
    let dated = |dates: &str| same.replace("[groups", &format!("{dates}\n[groups"));
    check(same, &dated("not_before = 2026-01-01"), false);
    let hashes = [
        "not_before = 2026-01-01",
        "not_before = 2026-01-02",
        "expires = 2026-01-01\nowner = \"me\"\nticket = \"T-1\"",
    ];
    let hashes = hashes.map(|dates| hash(&whole().replacen(same, &dated(dates), 1)));
    assert!(hashes[0] != hashes[1] && hashes[0] != hashes[2] && hashes[1] != hashes[2]);
}

#[test]
fn texts_tests_mutes_and_detectors_do_not_change_it() {
    check("because", "for another reason", true);
    check(
        "owner = \"me\"",
        "owner = \"you\"\ncontrols = [\"NIST SC-7\"]\nobservable = false",
        true,
    );
    check(
        "id = \"TEST\"",
        "id = \"TEST\"\ntitle = \"x\"\nowner = \"y\"\neffective = 2026-01-01",
        true,
    );
    let more = "[[test]]\nname = \"t\"\nflow = \"10.0.0.1:1 -> 10.0.0.2:2 tcp\"\nexpect = \"deny\"\n[detect.port-scan]\ntargets = 20\n\
        [[mute]]\nfinding = \"overblocked\"\nowner = \"x\"\nreason = \"y\"\n";
    assert_eq!(hash(&whole()), hash(&format!("{}{more}", whole())));
}

#[test]
fn everything_that_decides_changes_it() {
    check("vpcs = [\"vpc-1\"]", "vpcs = [\"vpc-2\"]", false);
    check(
        "\"10.0.0.0/16\", ",
        "\"10.0.0.0/16\", \"10.1.0.0/16\", ",
        false,
    );
    check(
        "vpcs = [\"vpc-1\"]",
        "vpcs = [\"vpc-1\"]\naccounts = [\"111111111111\"]",
        false,
    );
    check("az = \"az1\"", "az = \"az3\"", false);
    check("env = \"prod\"", "env = \"test\"", false);
    check("tier = \"bare\"", "tier = \"naked\"", false);
    check("10.0.35.0/24", "10.0.37.0/24", false);
    check("198.51.100.0/24", "198.51.101.0/24", false);
    check(
        "https = [\"tcp/443\"]",
        "https = [\"tcp/443\", \"udp/443\"]",
        false,
    );
    check(
        "https = [\"tcp/443\"]",
        "https = { ports = [\"tcp/443\"], symmetric = true }",
        false,
    );
    check("id = \"a\"", "id = \"b\"", false);
    check("[\"app\", \"public\"]", "\"app\"", false);
    check(
        "to = \"data\"",
        "to = \"data\"\nto_except = \"same-subnet\"",
        false,
    );
    check("to = \"data\"", "to = \"data\"\nvia = [\"local\"]", false);
    check("to = \"data\"", "to = \"data\"\nfamily = \"ipv4\"", false);
    check(
        "to = \"data\"",
        "to = \"data\"\nnot_before = 2026-01-01",
        false,
    );
    check(
        "to = \"data\"",
        "to = \"data\"\nexpires = 2026-01-01\nticket = \"x\"",
        false,
    );
    check("to = \"data\"", "to = \"data\"\nseverity = \"low\"", false);
    check("exempt = [\"az\"]\n", "", false);
    check(
        "ports = [\"tcp/80\", \"tcp/81\"]",
        "ports_except = [\"tcp/80\", \"tcp/81\"]",
        false,
    );
    check("[[deny]]", "[[allow]]", false);
    check("same = [\"az\"]", "same = [\"env\"]", false);
    check("same = [\"az\"]", "encrypted = true", false);
    check("between = \"any-tier\"", "between = \"any\"", false);
    check("criticality = \"high\"", "criticality = \"low\"", false);
    check("10.0.0.220", "10.0.0.221", false);
}

#[test]
fn pinned_data_changes_it_by_its_digest_not_by_its_name() {
    let policy = |name: &str, file: &str| {
        let text = format!("{BASE}[data]\nip_ranges = {name:?}\n");
        parse_with(&text, &[(name, file)])
            .unwrap_or_else(|errors| panic!("{errors}"))
            .hash()
            .to_owned()
    };
    let (one, other) = (r#"{"prefixes":[]}"#, r#"{"prefixes":[] }"#);
    assert_eq!(policy("a", one), policy("b", one));
    assert_ne!(policy("a", one), policy("a", other));
    assert_ne!(policy("a", one), hash(BASE));
}
