//! Outcome, verdict, flags and severity: a test for each row of their tables.

use crate::twin::policy::{TwinPolicy, allow, cidrs, deny, words};
use crate::twin::table::{SLOT, check, sample};

/// The sample with what the tests below need to be allowed.
fn policed() -> TwinPolicy {
    let mut policy = sample()
        .with(allow("to-data", "app", "data").ports("tcp/5432 udp/53"))
        .with(allow("https-out", "app", "internet").ports("tcp/443"));
    policy.destinations.push(crate::twin::policy::Destination {
        name: "office".to_string(),
        cidrs: cidrs("203.0.113.0/24"),
        ..Default::default()
    });
    policy
}

// Outcome, first that fits.

#[test]
fn rejected_server_beats_the_clients_accept() {
    check(
        &policed(),
        "
        app out 10.0.32.5:41000 -> 10.0.64.20:5432 tcp S ACCEPT => outcome=rejected_server
        data in 10.0.32.5:41000 -> 10.0.64.20:5432 tcp S REJECT => outcome=rejected_server
        ",
    );
}

#[test]
fn rejected_client_at_its_own_interface() {
    check(
        &policed(),
        "
        app out 10.0.32.5:41000 -> 10.0.64.20:5432 tcp S REJECT => outcome=rejected_client
        ",
    );
}

#[test]
fn rejected_needs_that_no_reply_was_accepted() {
    check(
        &policed(),
        "
        data in 10.0.32.5:41000 -> 10.0.64.20:5432 tcp S REJECT
        data in 10.0.32.5:41000 -> 10.0.64.20:5432 tcp S ACCEPT => outcome=established
        data out 10.0.64.20:5432 -> 10.0.32.5:41000 tcp SA ACCEPT
        ",
    );
}

#[test]
fn rejected_return_the_request_was_accepted_and_the_reply_rejected() {
    check(
        &policed(),
        "
        data in 10.0.32.5:41000 -> 10.0.64.20:5432 tcp S ACCEPT => outcome=rejected_return verdict=overblocked
        data out 10.0.64.20:5432 -> 10.0.32.5:41000 tcp SA REJECT => outcome=rejected_return
        ",
    );
}

#[test]
fn refused_every_reverse_record_has_rst_and_no_syn() {
    check(
        &policed(),
        "
        data in 10.0.32.5:41000 -> 10.0.64.20:5432 tcp S ACCEPT => outcome=refused
        data out 10.0.64.20:5432 -> 10.0.32.5:41000 tcp RA ACCEPT => outcome=refused
        data in 10.0.32.6:41000 -> 10.0.64.20:5432 tcp S ACCEPT => outcome=established
        data out 10.0.64.20:5432 -> 10.0.32.6:41000 tcp SAR ACCEPT
        data in 10.0.32.7:41000 -> 10.0.64.20:5432 tcp 0 ACCEPT => outcome=established
        data out 10.0.64.20:5432 -> 10.0.32.7:41000 tcp R ACCEPT
        ",
    );
}

#[test]
fn refused_whatever_came_after_the_close() {
    check(
        &policed(),
        "
        data in 10.0.32.5:41000 -> 10.0.64.20:5432 tcp S ACCEPT => outcome=refused
        data out 10.0.64.20:5432 -> 10.0.32.5:41000 tcp R ACCEPT
        data out 10.0.64.20:5432 -> 10.0.32.5:41000 tcp - REJECT start=20 => rule=post-close outcome=-
        ",
    );
}

#[test]
fn established_a_syn_ack_both_directions_or_mid_connection() {
    check(
        &policed(),
        "
        data out 10.0.64.20:5432 -> 10.0.32.5:41000 tcp SA ACCEPT
        data out 10.0.64.20:5432 -> 10.0.32.5:41000 tcp R ACCEPT => outcome=established
        data in 10.0.32.5:41001 -> 10.0.64.20:53 udp - ACCEPT => outcome=established
        data out 10.0.64.20:53 -> 10.0.32.5:41001 udp - ACCEPT => outcome=established
        data in 10.0.32.5:41002 -> 10.0.64.20:5432 tcp 0 ACCEPT => outcome=established
        data in 10.0.32.5:41003 -> 10.0.64.20:5432 tcp F ACCEPT => outcome=established
        ",
    );
}

#[test]
fn delivered_accepted_at_the_servers_interface_and_no_reply() {
    check(
        &policed(),
        "
        data in 10.0.32.5:41000 -> 10.0.64.20:5432 tcp S ACCEPT => outcome=delivered
        app out 10.0.32.5:41000 -> 10.0.64.20:5432 tcp S ACCEPT => outcome=delivered
        data in 10.0.32.5:41001 -> 10.0.64.20:53 udp - ACCEPT => outcome=delivered
        data in 10.0.32.5:41002 -> 10.0.64.20:5432 tcp - ACCEPT => outcome=delivered
        ",
    );
}

#[test]
fn sent_accepted_at_the_clients_interface_only() {
    check(
        &policed(),
        "
        app out 10.0.32.5:41000 -> 10.0.64.20:5432 tcp S ACCEPT => outcome=sent
        some - 10.0.32.5:41001 -> 10.0.64.20:5432 tcp S ACCEPT layout=v2 => outcome=sent observer=unknown
        ",
    );
}

#[test]
fn forwarded_by_a_transit_gateway() {
    check(
        &policed(),
        "
        - in 10.0.32.5:41000 -> 10.0.64.20:5432 tcp S - layout=tgw log=tgw => outcome=forwarded verdict=compliant rule=to-data
        - in 10.0.32.5:41000 -> 10.0.64.20:22 tcp S - layout=tgw log=tgw => outcome=forwarded verdict=violation
        ",
    );
}

// Verdict.

#[test]
fn allow_and_any_outcome_but_rejected_is_compliant() {
    check(
        &policed(),
        "
        app out 10.0.32.5:41000 -> 10.0.64.20:5432 tcp S ACCEPT => outcome=sent decision=allow rule=to-data verdict=compliant severity=info flags=-
        data in 10.0.32.5:41001 -> 10.0.64.20:5432 tcp S ACCEPT => outcome=delivered verdict=compliant
        ",
    );
}

#[test]
fn allow_and_rejected_is_overblocked() {
    check(
        &policed(),
        "
        data in 10.0.32.5:41000 -> 10.0.64.20:5432 tcp S REJECT => decision=allow verdict=overblocked severity=medium flags=-
        app out 10.0.32.6:41000 -> 10.0.64.20:5432 tcp S REJECT => outcome=rejected_client verdict=overblocked
        ",
    );
}

#[test]
fn deny_and_rejected_is_blocked() {
    check(
        &policed(),
        "
        data in 10.0.32.5:41000 -> 10.0.64.20:22 tcp S REJECT => decision=deny rule=default verdict=blocked severity=medium flags=denied_attempt,cross_tier
        ",
    );
}

#[test]
fn deny_and_sent_by_tcp_is_attempted() {
    check(
        &policed(),
        "
        app out 10.0.32.5:41000 -> 10.0.64.20:22 tcp S ACCEPT => outcome=sent verdict=attempted severity=medium flags=denied_attempt,cross_tier
        ",
    );
}

#[test]
fn deny_and_any_other_outcome_is_a_violation() {
    check(
        &policed(),
        "
        app out 10.0.32.5:41000 -> 10.0.64.20:514 udp - ACCEPT => outcome=sent verdict=violation flags=cross_tier
        data in 10.0.32.5:41000 -> 10.0.64.20:22 tcp S ACCEPT => outcome=delivered verdict=violation severity=medium
        data in 10.0.32.5:41001 -> 10.0.64.20:22 tcp 0 ACCEPT => outcome=established verdict=violation severity=high
        ",
    );
}

#[test]
fn unproven_whatever_the_outcome() {
    let mut policy = policed();
    policy.destinations.push(crate::twin::policy::Destination {
        name: "repos".to_string(),
        domains: words("packages.example"),
        ..Default::default()
    });
    let policy = policy.with(allow("repos", "data", "repos").ports("tcp/443"));
    check(
        &policy,
        "
        data out 10.0.64.20:41000 -> 198.51.100.7:443 tcp S ACCEPT => decision=unproven rule=repos verdict=unproven severity=low flags=-
        data out 10.0.64.20:41001 -> 198.51.100.7:443 tcp S REJECT => outcome=rejected_client verdict=unproven
        data out 10.0.64.20:41001 -> 198.51.100.7:22 tcp S REJECT => decision=deny verdict=blocked
        ",
    );
}

// Flags.

#[test]
fn flags_follow_the_zones_of_a_denied_connection() {
    check(
        &policed(),
        "
        data out 10.0.64.20:41000 -> 198.51.100.7:22 tcp 0 ACCEPT => flags=egress server_tier=internet severity=high
        data out 10.0.64.20:41000 -> 198.51.100.8:22 tcp S REJECT => flags=denied_attempt,egress severity=medium
        data in 10.0.32.5:41000 -> 10.0.64.20:22 tcp 0 ACCEPT => flags=cross_tier severity=high
        data in 10.0.64.21:41000 -> 10.0.64.20:22 tcp 0 ACCEPT => flags=intra_tier severity=medium
        data in 198.51.100.7:41000 -> 10.0.64.20:22 tcp 0 ACCEPT => flags=ingress severity=high
        data in 203.0.113.7:41000 -> 10.0.64.20:22 tcp 0 ACCEPT => flags=ingress client_tier=office severity=high
        ",
    );
}

#[test]
fn unassigned_counts_as_a_tier() {
    check(
        &policed(),
        "
        x in 10.0.200.1:41000 -> 10.0.200.2:22 tcp 0 ACCEPT => client_tier=unassigned flags=intra_tier severity=medium
        data in 10.0.200.1:41000 -> 10.0.64.20:22 tcp 0 ACCEPT => flags=cross_tier severity=high
        ",
    );
}

// Severity.

#[test]
fn severity_of_a_violation_is_lower_if_delivered_or_refused() {
    check(
        &policed(),
        "
        data in 10.0.32.5:41000 -> 10.0.64.20:22 tcp S ACCEPT => outcome=refused severity=medium
        data out 10.0.64.20:22 -> 10.0.32.5:41000 tcp R ACCEPT
        data in 10.0.64.21:41000 -> 10.0.64.20:22 tcp S ACCEPT => outcome=delivered severity=low
        ",
    );
}

#[test]
fn severity_of_a_broken_require() {
    let base = sample().with(allow("app-data", "app", "data"));
    let established = |expected: &str| {
        format!("data in 10.0.33.5:41000 -> 10.0.64.20:22 tcp 0 ACCEPT => {expected}")
    };
    check(
        &base.clone().require("zone", "any-tier", "az"),
        &established("decision=deny rule=zone severity=low verdict=violation"),
    );
    let mut labelled = base.clone().require("env", "any-tier", "env");
    labelled.subnets[3].labels = vec![("env".to_string(), "dev".to_string())];
    check(
        &labelled,
        &established("decision=deny rule=env severity=medium"),
    );
    let mut unlabelled = base.clone().require("env", "any-tier", "env");
    unlabelled.subnets[3].labels.clear();
    check(
        &unlabelled,
        &established("decision=deny rule=env severity=low"),
    );
}

#[test]
fn severity_of_what_was_held_depends_on_where_it_came_from() {
    check(
        &policed(),
        "
        data in 10.0.32.5:41000 -> 10.0.64.20:22 tcp S REJECT => verdict=blocked severity=medium
        data in 192.168.1.1:41000 -> 10.0.64.20:22 tcp S REJECT => verdict=blocked severity=medium client_tier=private
        data in 198.51.100.7:41000 -> 10.0.64.20:22 tcp S REJECT => verdict=blocked severity=info
        - - 198.51.100.8:41000 -> 10.0.64.20:22 tcp S ACCEPT layout=v5- log=2 => verdict=attempted severity=info observer=unknown
        - - 10.0.32.9:41000 -> 10.0.64.29:22 tcp S ACCEPT layout=v5- log=2
        app out 10.0.32.5:41001 -> 10.0.64.20:22 tcp S ACCEPT => verdict=attempted severity=medium
        ",
    );
}

#[test]
fn severity_of_overblocked_is_medium_for_inside_clients() {
    check(
        &policed().with(allow("in", "internet", "web").ports("tcp/443")),
        "
        data in 10.0.32.5:41000 -> 10.0.64.20:5432 tcp S REJECT => verdict=overblocked severity=medium
        web in 198.51.100.7:41000 -> 10.0.0.20:443 tcp S REJECT => verdict=overblocked severity=info
        ",
    );
}

#[test]
fn severity_moves_with_the_criticality_of_the_inside_ends_tier() {
    let attempt = |expected: &str| {
        format!("data in 10.0.32.5:41000 -> 10.0.64.20:22 tcp S REJECT => severity={expected}")
    };
    check(&policed().criticality("data", "high"), &attempt("high"));
    check(&policed().criticality("data", "low"), &attempt("low"));
    check(&policed().criticality("app", "high"), &attempt("medium"));
    let out = |expected: &str| {
        format!("data out 10.0.64.20:41000 -> 198.51.100.7:22 tcp 0 ACCEPT => severity={expected}")
    };
    check(&policed().criticality("data", "high"), &out("critical"));
    check(&policed().criticality("data", "low"), &out("medium"));
}

#[test]
fn severity_below_medium_does_not_move_with_criticality() {
    check(
        &policed().criticality("data", "high"),
        "
        data in 198.51.100.7:41000 -> 10.0.64.20:22 tcp S REJECT => severity=info
        data in 10.0.64.21:41000 -> 10.0.64.20:22 tcp S ACCEPT => outcome=delivered severity=low
        ",
    );
}

#[test]
fn severity_of_the_deciding_rule_replaces_all_that() {
    check(
        &policed().criticality("data", "high").with(
            deny("no-ssh", "any", "data")
                .ports("tcp/22")
                .severity("critical"),
        ),
        "
        data in 198.51.100.7:41000 -> 10.0.64.20:22 tcp S REJECT => rule=no-ssh severity=critical
        ",
    );
    check(
        &policed().with(deny("no-ssh", "any", "data").ports("tcp/22").severity("info")),
        "
        data in 10.0.32.5:41000 -> 10.0.64.20:22 tcp 0 ACCEPT => rule=no-ssh verdict=violation severity=info
        ",
    );
}

#[test]
fn severity_is_at_most_low_where_the_opposite_direction_would_be_allowed() {
    check(
        &sample().with(allow("high", "app", "data").ports("tcp/40000")),
        "
        data in 10.0.32.5:20001 -> 10.0.64.20:40000 tcp 0 ACCEPT => orientation=port client=10.0.64.20:40000 decision=deny severity=low
        ",
    );
}

#[test]
fn severity_is_the_lower_of_two_where_both_directions_are_denied() {
    check(
        &sample().with(deny("mild", "app", "data").severity("info")).with(deny("bad", "data", "app").severity("critical")),
        "
        data in 10.0.32.5:20001 -> 10.0.64.20:40000 tcp 0 ACCEPT => orientation=port client=10.0.64.20:40000 rule=bad severity=info
        data in 10.0.32.5:20001 -> 10.0.64.20:40001 tcp S ACCEPT => orientation=syn client=10.0.32.5:20001 rule=mild severity=info
        ",
    );
}

// Peers: both directions are decided.

#[test]
fn peers_of_a_symmetric_service_need_one_allowed_direction() {
    let base = || sample().with(allow("one-way", "app", "data"));
    check(
        &base(),
        "
        data out 10.0.64.20:123 -> 10.0.32.5:123 udp - ACCEPT => orientation=peer client=10.0.64.20:123 decision=allow rule=one-way
        data out 10.0.64.20 -> 10.0.32.5 50 - ACCEPT => orientation=peer client=10.0.64.20 decision=allow
        data out 10.0.64.20:20001 -> 10.0.32.5:20001 udp - ACCEPT => orientation=peer decision=deny rule=default severity=low
        ",
    );
    let mut declared = base();
    declared.services.push(crate::twin::policy::Service {
        name: "own".to_string(),
        ports: words("udp/20001"),
        symmetric: true,
    });
    check(
        &declared,
        "
        data out 10.0.64.20:20001 -> 10.0.32.5:20001 udp - ACCEPT => orientation=peer decision=allow rule=one-way
        ",
    );
}

#[test]
fn other_peers_need_both_directions_allowed() {
    check(
        &sample().with(allow("there", "app", "data")).with(allow("back", "data", "app")),
        "
        data out 10.0.64.20:20001 -> 10.0.32.5:20001 udp - ACCEPT => orientation=peer decision=allow rule=back
        ",
    );
}

// The instant and the path.

#[test]
fn a_rule_is_in_force_from_not_before_until_before_expires() {
    let dated = |from: Option<u32>, until: Option<u32>| {
        sample().with(allow("dated", "app", "data").dates(from, until))
    };
    let at_ten = |expected: &str| {
        format!("app out 10.0.32.5:41000 -> 10.0.64.20:22 tcp S ACCEPT start=10 => {expected}")
    };
    check(&dated(Some(SLOT + 10), None), &at_ten("decision=allow"));
    check(&dated(Some(SLOT + 11), None), &at_ten("decision=deny"));
    check(&dated(None, Some(SLOT + 11)), &at_ten("decision=allow"));
    check(&dated(None, Some(SLOT + 10)), &at_ten("decision=deny"));
}

#[test]
fn via_is_told_by_the_inside_ends_egress_record() {
    let cases = [
        ("path=1", "-"),
        ("path=2", "internet-gateway"),
        ("path=2 svc-dst=S3", "gateway-endpoint"),
        ("path=2 svc-dst=DYNAMODB", "gateway-endpoint"),
        ("path=3", "vgw"),
        ("path=4", "peering"),
        ("path=5", "peering"),
        ("path=6", "local-zone"),
        ("path=7", "gateway-endpoint"),
        ("path=8", "internet-gateway"),
        ("layout=v11 next=nat_gateway", "nat"),
        ("layout=v11 next=regional_nat_gateway path=8", "nat"),
        ("path=-", "-"),
    ];
    for (fields, via) in cases {
        check(
            &policed(),
            &format!(
                "app out 10.0.32.5:41000 -> 198.51.100.7:443 tcp S ACCEPT {fields} => via={via} decision=allow"
            ),
        );
    }
}

#[test]
fn via_is_local_between_inside_ends() {
    check(
        &policed(),
        "
        app out 10.0.32.5:41000 -> 10.0.64.20:5432 tcp S ACCEPT path=1 => via=local
        ",
    );
}

#[test]
fn via_of_several_paths_is_the_first_in_order_and_ingress_tells_none() {
    check(
        &policed(),
        "
        app out 10.0.32.5:41000 -> 198.51.100.7:443 tcp S ACCEPT path=8 => via=gateway-endpoint
        app out 10.0.32.5:41000 -> 198.51.100.7:443 tcp 0 ACCEPT path=7 start=20 => via=gateway-endpoint
        web in 198.51.100.7:41000 -> 10.0.0.20:443 tcp S ACCEPT path=8 => via=-
        web out 10.0.0.20:443 -> 198.51.100.8:41000 tcp SA ACCEPT path=8
        web in 198.51.100.8:41000 -> 10.0.0.20:443 tcp S ACCEPT => via=internet-gateway
        ",
    );
}

#[test]
fn a_rule_with_via_matches_its_paths_and_the_unknown_one() {
    let policy = sample().with(allow("by-nat", "app", "internet").via("nat"));
    check(
        &policy,
        "
        app out 10.0.32.5:41000 -> 198.51.100.7:443 tcp S ACCEPT path=8 => decision=deny
        app out 10.0.32.5:41001 -> 198.51.100.7:443 tcp S ACCEPT => decision=allow
        app out 10.0.32.5:41002 -> 198.51.100.7:443 tcp S ACCEPT layout=v11 next=nat_gateway log=2 => decision=allow via=nat
        ",
    );
}

#[test]
fn an_interface_of_the_nat_list_as_the_next_hop_is_the_way_by_nat() {
    let listed = sample()
        .with(allow("by-nat", "app", "internet").via("nat"))
        .transit("eni-0a77");
    check(
        &listed,
        "
        app out 10.0.32.5:41000 -> 198.51.100.7:443 tcp S ACCEPT layout=v11 path=8 next-id=eni-0a77 => decision=allow via=nat
        app out 10.0.32.5:41001 -> 198.51.100.7:443 tcp S ACCEPT layout=v11 path=8 next-id=eni-0a78 => decision=deny via=internet-gateway
        ",
    );
}
