//! What a REJECT is, who reported it, and why a record is not judged.

use crate::twin::policy::allow;
use crate::twin::table::{check, sample};

// What a REJECT is, first that fits.

#[test]
fn a_reject_with_its_own_syn_is_an_attempt() {
    check(
        &sample(),
        "
        data in 10.0.32.5:41000 -> 10.0.64.20:5432 tcp S REJECT => outcome=rejected_server verdict=blocked orientation=syn
        ",
    );
}

#[test]
fn a_reject_from_the_server_of_an_accepted_request_is_a_rejected_return() {
    check(
        &sample(),
        "
        data in 10.0.32.5:41000 -> 10.0.64.20:5432 tcp S ACCEPT => outcome=rejected_return verdict=blocked
        data out 10.0.64.20:5432 -> 10.0.32.5:41000 tcp SA REJECT => outcome=rejected_return verdict=blocked
        data in 10.0.32.6:41000 -> 10.0.64.20:53 udp - ACCEPT => outcome=rejected_return
        data out 10.0.64.20:53 -> 10.0.32.6:41000 udp - REJECT => outcome=rejected_return verdict=blocked
        ",
    );
}

#[test]
fn a_reject_of_a_known_connection_is_post_close() {
    check(
        &sample(),
        "
        data in 10.0.32.5:41000 -> 10.0.64.20:5432 tcp SF ACCEPT => outcome=established verdict=violation
        data out 10.0.64.20:5432 -> 10.0.32.5:41000 tcp SAF ACCEPT => outcome=established
        data in 10.0.32.5:41000 -> 10.0.64.20:5432 tcp R REJECT start=20 => outcome=- verdict=unjudged rule=post-close
        data in 10.0.32.6:41000 -> 10.0.64.20:5432 tcp S ACCEPT slot=-3
        data in 10.0.32.6:41000 -> 10.0.64.20:5432 tcp 0 REJECT => orientation=connection verdict=unjudged rule=post-close
        ",
    );
}

#[test]
fn a_reject_in_mid_connection_of_which_nothing_is_known_is_a_stray() {
    check(
        &sample(),
        "
        data in 10.0.32.5:41000 -> 10.0.64.20:5432 tcp 0 REJECT => verdict=unjudged rule=stray
        data in 10.0.32.6:41000 -> 10.0.64.20:5432 tcp R REJECT => verdict=unjudged rule=stray
        data in 10.0.32.7:53 -> 10.0.64.20:32768 udp - REJECT => verdict=unjudged rule=stray
        data in 10.0.32.7:123 -> 10.0.64.20:40000 udp - REJECT => verdict=unjudged rule=stray
        data in 198.51.100.7:443 -> 10.0.64.20:40000 udp - REJECT => verdict=unjudged rule=stray
        data in 10.0.32.7:53 -> 10.0.64.20:32767 udp - REJECT => verdict=blocked orientation=lone_reject
        data in 10.0.32.7:54 -> 10.0.64.20:40000 udp - REJECT => verdict=blocked orientation=lone_reject
        ",
    );
}

#[test]
fn any_other_reject_is_an_attempt_oriented_down_the_ladder() {
    check(
        &sample(),
        "
        data in 10.0.32.7:20001 -> 10.0.64.20:5432 udp - REJECT => verdict=blocked orientation=lone_reject
        data in 10.0.32.5:41000 -> 10.0.64.20:5432 tcp - REJECT layout=v2 log=2 => verdict=blocked orientation=lone_reject client=10.0.32.5:41000
        ",
    );
}

#[test]
fn a_stray_does_not_touch_its_connections_outcome() {
    check(
        &sample(),
        "
        data in 10.0.32.5:41000 -> 10.0.64.20:5432 tcp 0 REJECT => rule=stray outcome=-
        data in 10.0.32.5:41000 -> 10.0.64.20:5432 tcp 0 ACCEPT start=20 => outcome=established verdict=violation
        ",
    );
}

// Who reported it.

#[test]
fn the_observer_is_known_by_flow_direction() {
    check(
        &sample(),
        "
        app out 10.0.32.5:41000 -> 10.0.64.20:5432 tcp S ACCEPT => observer=client
        data in 10.0.32.5:41000 -> 10.0.64.20:5432 tcp S ACCEPT => observer=server
        app in 10.0.64.20:5432 -> 10.0.32.5:41000 tcp SA ACCEPT => observer=client
        ",
    );
}

#[test]
fn what_one_flow_log_teaches_of_an_interface_holds_for_the_other() {
    check(
        &sample(),
        "
        app out 10.0.32.5:41000 -> 10.0.64.20:5432 tcp S ACCEPT => observer=client
        app - 10.0.64.21:5432 -> 10.0.32.5:41000 tcp - ACCEPT layout=v2 log=2 => observer=client
        ",
    );
}

#[test]
fn without_flow_direction_the_observer_has_the_address_common_to_its_records() {
    check(
        &sample(),
        "
        data - 10.0.32.5:41000 -> 10.0.64.20:5432 tcp S REJECT layout=v5- => observer=server outcome=rejected_server
        data - 10.0.64.20:5432 -> 10.0.32.6:41000 tcp 0 ACCEPT layout=v5- => observer=server
        ",
    );
}

#[test]
fn without_flow_direction_and_with_two_candidates_the_inside_one_is_the_observer() {
    check(
        &sample(),
        "
        data - 198.51.100.7:41000 -> 10.0.64.20:5432 tcp - ACCEPT layout=v2 => observer=server outcome=delivered
        app - 10.0.32.5:41000 -> 198.51.100.7:443 tcp - ACCEPT layout=v2 => observer=client outcome=sent
        ",
    );
}

#[test]
fn without_flow_direction_and_with_two_inside_candidates_the_observer_is_unknown() {
    check(
        &sample(),
        "
        some - 10.0.32.5:41000 -> 10.0.64.20:5432 tcp - ACCEPT layout=v2 => observer=unknown outcome=sent verdict=attempted
        other - 10.0.32.6:41000 -> 10.0.64.20:5432 tcp - REJECT layout=v2 => observer=unknown outcome=rejected_server verdict=blocked
        ",
    );
}

// NAT and other transit.

#[test]
fn an_interface_is_transit_if_the_policy_says_so() {
    check(
        &sample().transit("10.0.0.220"),
        "
        nat in 10.0.32.5:41000 -> 10.0.0.220:443 tcp S ACCEPT pkt-dst=198.51.100.7 => observer=transit client=10.0.32.5:41000 server=198.51.100.7:443 verdict=attempted
        ",
    );
    check(
        &sample().transit("eni-nat"),
        "
        nat in 10.0.32.5:41000 -> 10.0.0.220:443 tcp S ACCEPT pkt-dst=198.51.100.7 => observer=transit
        nat out 10.0.0.220:2000 -> 198.51.100.7:443 tcp S ACCEPT => observer=transit verdict=unjudged rule=transit
        ",
    );
}

#[test]
fn an_interface_is_transit_if_its_type_says_so() {
    check(
        &sample(),
        "
        nat out 10.0.0.220:2000 -> 198.51.100.7:443 tcp S ACCEPT layout=v11 type=nat_gateway => observer=transit verdict=unjudged rule=transit
        lb out 10.0.0.30:2000 -> 10.0.32.5:443 tcp S ACCEPT layout=v11 type=network_load_balancer => observer=client verdict=attempted
        ",
    );
}

#[test]
fn an_interface_is_transit_if_its_records_show_it() {
    check(
        &sample(),
        "
        nat in 10.0.32.5:41000 -> 10.0.0.220:443 tcp S ACCEPT pkt-dst=198.51.100.7 => observer=transit verdict=attempted
        nat out 10.0.0.220:2000 -> 198.51.100.7:443 tcp S ACCEPT => observer=transit verdict=unjudged rule=transit
        ",
    );
}

#[test]
fn a_secondary_address_of_the_same_subnet_makes_no_transit() {
    check(
        &sample(),
        "
        pods in 10.0.32.5:41000 -> 10.0.64.20:5432 tcp S ACCEPT pkt-dst=10.0.64.99 => observer=server server=10.0.64.99:5432 outcome=delivered
        pods out 10.0.64.20:41000 -> 10.0.32.5:443 tcp S ACCEPT pkt-src=10.0.64.99 => observer=client client=10.0.64.99:41000 outcome=sent
        ",
    );
}

#[test]
fn what_comes_to_a_nat_from_outside_unasked_is_nat_unsolicited() {
    check(
        &sample().transit("10.0.0.220"),
        "
        nat in 198.51.100.7:55000 -> 10.0.0.220:22 tcp S ACCEPT => verdict=unjudged rule=nat-unsolicited
        nat out 10.0.0.220:2000 -> 203.0.113.9:443 tcp S ACCEPT => verdict=unjudged rule=transit
        nat in 203.0.113.9:443 -> 10.0.0.220:2000 tcp SA ACCEPT => verdict=unjudged rule=transit
        ",
    );
}

#[test]
fn load_balancers_are_ends_and_both_their_legs_are_judged() {
    let policy = sample()
        .with(allow("in", "internet", "web").ports("tcp/443"))
        .with(allow("on", "web", "app").ports("tcp/8443"));
    check(
        &policy,
        "
        lb in 198.51.100.7:55000 -> 10.0.0.30:443 tcp S ACCEPT => rule=in verdict=compliant
        lb out 10.0.0.30:1024 -> 10.0.32.5:8443 tcp S ACCEPT => rule=on verdict=compliant client=10.0.0.30:1024
        app out 10.0.32.5:8443 -> 10.0.0.30:1024 tcp SA ACCEPT => rule=on verdict=compliant client=10.0.0.30:1024
        ",
    );
}

#[test]
fn copies_by_a_second_flow_log_add_evidence_and_no_counts() {
    check(
        &sample(),
        "
        app out 10.0.32.5:1024 -> 10.0.64.20:45000 tcp S ACCEPT log=2 layout=v5 => verdict=attempted orientation=syn
        app out 10.0.32.5:1024 -> 10.0.64.20:45000 tcp - ACCEPT log=1 layout=v2 => verdict=unjudged rule=duplicate orientation=syn client=10.0.32.5:1024
        app out 10.0.32.6:1024 -> 10.0.64.20:45000 tcp S ACCEPT log=3 layout=v5 => verdict=unjudged rule=duplicate
        app out 10.0.32.6:1024 -> 10.0.64.20:45000 tcp S ACCEPT log=2 layout=v5 => verdict=violation
        data in 10.0.32.6:1024 -> 10.0.64.20:45000 tcp S ACCEPT log=3 layout=v5 => verdict=violation rule=default
        ",
    );
}

// Why a record is not judged, the first that fits.

#[test]
fn out_of_scope_no_network_claims_the_record() {
    check(
        &sample(),
        "
        app out 10.0.32.5:41000 -> 10.0.64.20:5432 tcp S ACCEPT vpc=vpc-other => verdict=unjudged rule=out-of-scope network=- client=- orientation=- outcome=- decision=- severity=-
        ",
    );
}

#[test]
fn missing_field_no_address_protocol_or_action() {
    check(
        &sample(),
        "
        app out - -> 10.0.64.20:5432 tcp S ACCEPT => verdict=unjudged rule=missing-field client=- orientation=-
        app out 10.0.32.5:41000 -> - tcp S ACCEPT => verdict=unjudged rule=missing-field
        app out 10.0.32.5:41000 -> 10.0.64.20:5432 - - ACCEPT => verdict=unjudged rule=missing-field
        app out 10.0.32.5:41000 -> 10.0.64.20:5432 tcp S - => verdict=unjudged rule=missing-field
        app out 10.0.32.5 -> 10.0.64.20:5432 tcp S ACCEPT => verdict=unjudged rule=missing-field
        ",
    );
}

#[test]
fn self_client_is_server() {
    check(
        &sample(),
        "
        app out 10.0.32.5:41000 -> 10.0.32.5:5432 tcp S ACCEPT => verdict=unjudged rule=self decision=- severity=- flags=-
        ",
    );
}

#[test]
fn local_link_local_multicast_loopback_broadcast() {
    check(
        &sample(),
        "
        app out 10.0.32.5:41000 -> 169.254.169.254:80 tcp S ACCEPT => verdict=unjudged rule=local server_tier=local
        app out 10.0.32.5:41000 -> 224.0.0.251:5353 udp - ACCEPT => verdict=unjudged rule=local
        app out 10.0.32.5:68 -> 255.255.255.255:67 udp - ACCEPT => verdict=unjudged rule=local
        app out 2600:1f16:abcd:ef01::5 -> ff02::1 icmpv6 - ACCEPT => verdict=unjudged rule=local
        ",
    );
}

#[test]
fn unmapped_neither_end_is_inside() {
    check(
        &sample(),
        "
        app out 192.168.1.1:41000 -> 198.51.100.7:443 tcp S ACCEPT => verdict=unjudged rule=unmapped client_tier=private server_tier=internet
        ",
    );
}

#[test]
fn unsolicited_a_syn_ack_without_any_other_record() {
    check(
        &sample(),
        "
        data in 198.51.100.7:443 -> 10.0.64.20:41000 tcp SA ACCEPT => verdict=unjudged rule=unsolicited server=198.51.100.7:443
        data in 198.51.100.7:443 -> 10.0.64.20:41001 tcp SA REJECT => verdict=unjudged rule=unsolicited
        data in 198.51.100.7:443 -> 10.0.64.20:41002 tcp SA ACCEPT => verdict=violation
        data out 10.0.64.20:41002 -> 198.51.100.7:443 tcp 0 ACCEPT
        data out 10.0.64.20:41003 -> 198.51.100.7:443 tcp S ACCEPT slot=-1
        data in 198.51.100.7:443 -> 10.0.64.20:41003 tcp SA ACCEPT => verdict=violation
        ",
    );
}

#[test]
fn diagnostic_icmp_between_ends_that_also_had_an_accepted_connection() {
    check(
        &sample(),
        "
        data out 10.0.64.20 -> 10.0.32.5 icmp - ACCEPT => verdict=unjudged rule=diagnostic
        app out 10.0.32.5:41000 -> 10.0.64.20:33000 udp - ACCEPT => verdict=violation
        data out 10.0.64.20 -> 10.0.32.6 icmp - ACCEPT => verdict=violation rule=default severity=low
        app out 10.0.32.7:41000 -> 10.0.64.20:33000 udp - REJECT
        data out 10.0.64.20 -> 10.0.32.7 icmp - ACCEPT => verdict=violation severity=low
        ",
    );
    check(
        &sample().with(allow("ping", "data", "app").ports("icmp")),
        "
        data out 10.0.64.20 -> 10.0.32.5 icmp - ACCEPT => verdict=compliant rule=ping
        app out 10.0.32.5:41000 -> 10.0.64.20:33000 udp - ACCEPT
        ",
    );
}
