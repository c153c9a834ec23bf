//! What is remarked on in single entries: wide ones, exceptions, names that nothing uses, places.

use super::*;

#[test]
fn any_to_any_is_found_whatever_its_ports() {
    check(
        "P005",
        "allow a any -> any\nallow b app,any -> any service=\"https\"\nallow c any -> data\ndeny d any -> any",
        &[
            "warning \"a\": allow `a` permits any to reach any on every port",
            "warning \"b\": allow `b` permits any to reach any on its ports",
        ],
    );
}

#[test]
fn services_that_are_anybodys_are_found_where_they_open_something() {
    let more = "[destinations.open]\naws_services = [\"S3\", \"EC2\"]\n[destinations.closed]\naws_services = [\"AMAZON\"]\n";
    let rules = rules("allow a app -> open\nallow b app -> aws:*,aws:S3\nallow c app -> data");
    check_more(
        "P006",
        &format!("{more}{rules}"),
        &[
            "warning \"EC2\": destination `open` goes by the AWS service `EC2`: any customer's machine is inside",
            "warning \"aws:*\": allow `b` goes by `aws:*`: it holds EC2, so any customer's machine is inside",
        ],
    );
}

#[test]
fn domains_on_shared_networks_are_found_by_their_labels() {
    check_more(
        "P007",
        "[destinations.x]\ndomains = [\"D1.CloudFront.net\", \"*.fastly.net\", \"notfastly.net\", \"fastly.net.example\"]\n",
        &[
            "warning \"D1.CloudFront.net\": `D1.CloudFront.net` of destination `x` is served by Amazon CloudFront, whose addresses many customers share",
            "warning \"*.fastly.net\": `*.fastly.net` of destination `x` is served by Fastly, whose addresses many customers share",
        ],
    );
}

#[test]
fn exceptions_are_looked_at_against_now() {
    let rule = |dates: &str| {
        rules(&format!(
            "allow a app -> data {dates} owner=\"x\" ticket=\"y\""
        ))
    };
    let check = |dates: &str, expected: &[&str]| {
        let text = format!("{BASE}\n{}", rule(dates));
        let found: Vec<String> = ["P008", "P009", "P010"]
            .into_iter()
            .flat_map(|code| of_code(code, &text))
            .map(|message| {
                message
                    .split_once("allow")
                    .map_or("", |(_, rest)| rest)
                    .to_owned()
            })
            .collect();
        assert_eq!(found, expected, "{dates}");
    };
    let long = |days: &str| format!(" `a` lasts {days}: an exception is expected to end within 90");
    check("not_before=2026-01-01 expires=2026-04-01", &[]);
    check(
        "not_before=2026-01-01 expires=2026-04-02",
        &[&long("91 days from 2026-01-01 on")],
    );
    // BASE has no `effective`: from now on.
    check("expires=2026-05-26", &[]);
    check("expires=2026-05-27", &[&long("91 days from now on")]);
    check("expires=2026-03-11", &[" `a` ends in 14 days"]);
    check("expires=2026-03-12", &[]);
    check("expires=2026-02-25T00:00:01Z", &[" `a` ends within a day"]);
    check(
        "expires=2026-02-25",
        &[" `a` ended on 2026-02-25: what it permitted is no longer permitted by it"],
    );
}

#[test]
fn a_require_that_ends_is_looked_at_as_a_rule_is() {
    let check = |code: &str, expires: &str, expected: &[&str]| {
        let text = format!(
            "{BASE}\n[[require]]\nid = \"r\"\nbetween = \"any-tier\"\nsame = [\"az\"]\nexpires = {expires}\nowner = \"x\"\nticket = \"y\"\n"
        );
        let found = of_code(code, &text).into_iter();
        let found: Vec<String> = found
            .map(|message| {
                message
                    .split_once("require")
                    .map_or("", |(_, rest)| rest)
                    .to_owned()
            })
            .collect();
        assert_eq!(found, expected, "{code} {expires}");
    };
    let over = " `r` ended on 2026-02-25: what it asked for is no longer asked for by it";
    check("P009", "2026-02-25", &[over]);
    check("P010", "2026-02-25", &[]);
    check("P010", "2026-03-11", &[" `r` ends in 14 days"]);
    check("P009", "2026-03-11", &[]);
    check("P010", "2026-03-12", &[]);
    check("P008", "2027-03-12", &[]);
}

#[test]
fn names_that_nothing_uses_are_found_and_those_in_exceptions_requires_and_mutes_are_not() {
    let more = "[groups.used]\ncidrs = [\"10.0.0.8/29\"]\n[[require]]\nid = \"r\"\nbetween = [\"used\", \"vector-db\"]\nsame = [\"az\"]\n[[mute]]\nfinding = \"unassigned\"\nto = \"office\"\nservice = \"dns\"\nowner = \"x\"\nreason = \"y\"\n";
    check_more(
        "P011",
        &format!(
            "{more}{}",
            rules("deny d any -> internet to_except=\"repos\"")
        ),
        &[
            "note etl: no rule and no require names group `etl`",
            "note https: no rule and no mute names service `https`",
        ],
    );
    let symmetric = BASE.replace(
        "https = [\"tcp/443\"]",
        "https = { ports = [\"tcp/443\"], symmetric = true }",
    );
    assert!(
        of_code("P011", &symmetric)
            .iter()
            .all(|message| !message.contains("https"))
    );
}

#[test]
fn tiers_that_are_nowhere_or_in_each_other_are_found() {
    check_more(
        "P012",
        "[tiers.audit]\n[tiers.app]\n",
        &["warning audit: tier `audit` has no subnets, so no address is in it"],
    );
    check_more(
        "P013",
        "[[subnets]]\ntier = \"app\"\ncidrs = [\"10.0.66.0/24\"]\n[[subnets]]\ntier = \"app\"\ncidrs = [\"10.0.66.0/25\", \"10.0.33.0/24\"]\n[[subnets]]\ntier = \"data\"\ncidrs = [\"2600:1f16:abcd:ef01::/80\"]\n",
        &[
            "warning \"10.0.66.0/24\": `10.0.66.0/24` of tier `app` lies inside `10.0.64.0/20` of tier `data`",
            "warning \"2600:1f16:abcd:ef01::/80\": `2600:1f16:abcd:ef01::/80` of tier `data` lies inside `2600:1f16:abcd:ef01::/64` of tier `app`",
        ],
    );
}

#[test]
fn groups_that_need_an_inventory_are_unresolved() {
    let more = "[groups.a]\nsecurity_groups = [\"sg-1\"]\ncidrs = [\"10.0.0.0/28\"]\n[groups.b]\ntags = { service = \"x\" }\n[groups.c]\ninterfaces = [\"eni-1\"]\n";
    check_more(
        "P014",
        more,
        &[
            "warning a: group `a` goes by security group sg-1, which only an inventory tells, and none is loaded: an allow by it is `unproven` for whoever is not shown to be in it",
            "note b: group `b` goes by tag service: records may show who is in it, but without an inventory never who is not, and an allow by it is `unproven` then",
        ],
    );
}

#[test]
fn subnets_lie_in_each_other_at_a_time_or_not_at_all() {
    let subnet = |tier: &str, cidr: &str, dates: &str| {
        format!("[[subnets]]\ntier = \"{tier}\"\ncidrs = [\"{cidr}\"]\n{dates}\n")
    };
    let lies = |inner: &str, outer: &str| {
        format!("warning \"10.0.130.0/24\": `10.0.130.0/24` of tier `{inner}` lies inside {outer}")
    };
    let outer = subnet("one", "10.0.128.0/20", "valid_until = 2026-01-01");
    let check = |more: &[&str], expected: &[String]| {
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        check_more("P013", &more.concat(), &expected);
    };
    let later = subnet("two", "10.0.130.0/24", "valid_from = 2026-01-01");
    check(&[&outer, &later], &[]);
    let across = subnet("two", "10.0.130.0/24", "valid_from = 2025-12-31");
    check(
        &[&outer, &across],
        &[lies("two", "`10.0.128.0/20` of tier `one`")],
    );
    // What lies between hides what is around it, as long as it is there.
    let between = |dates| subnet("two", "10.0.128.0/21", dates);
    let around_between = "warning \"10.0.128.0/21\": `10.0.128.0/21` of tier `two` lies inside `10.0.128.0/20` of tier `one`".to_owned();
    let always = subnet("two", "10.0.130.0/24", "");
    check(
        &[&outer, &between(""), &always],
        std::slice::from_ref(&around_between),
    );
    check(
        &[&outer, &between("valid_from = 2025-06-01"), &always],
        &[around_between, lies("two", "`10.0.128.0/20` of tier `one`")],
    );
}
