//! Who is the client: a test for each row of the ladder, for each kind of REJECT, and for what has misled others.

use crate::twin::table::{check, sample};

#[test]
fn syn_its_source_is_the_client() {
    check(
        &sample(),
        "
        app out 10.0.32.5:1024 -> 10.0.64.20:40000 tcp S ACCEPT => orientation=syn confidence=certain client=10.0.32.5:1024 server=10.0.64.20:40000
        app out 10.0.32.5:1024 -> 10.0.64.20:40000 tcp 0 ACCEPT => orientation=syn confidence=certain client=10.0.32.5:1024
        app in 10.0.64.20:40000 -> 10.0.32.5:1024 tcp AR ACCEPT => orientation=syn confidence=certain client=10.0.32.5:1024
        ",
    );
}

#[test]
fn syn_bits_are_tested_and_never_compared() {
    check(
        &sample(),
        "
        app out 10.0.32.5:1024 -> 10.0.64.20:40000 tcp SF ACCEPT => orientation=syn client=10.0.32.5:1024
        app out 10.0.32.5:1025 -> 10.0.64.20:40000 tcp SFRP ACCEPT => orientation=syn client=10.0.32.5:1025
        app in 10.0.64.20:40000 -> 10.0.32.5:1026 tcp SAFP ACCEPT => orientation=syn_ack client=10.0.32.5:1026
        ",
    );
}

#[test]
fn syn_from_both_ends_decides_nothing() {
    check(
        &sample(),
        "
        app out 10.0.32.5:7000 -> 10.0.64.20:41000 tcp S ACCEPT start=10 => orientation=service confidence=medium client=10.0.64.20:41000
        app in 10.0.64.20:41000 -> 10.0.32.5:7000 tcp S ACCEPT start=11 => orientation=service confidence=medium client=10.0.64.20:41000
        app out 10.0.32.5:7000 -> 10.0.64.20:41000 tcp 0 ACCEPT start=12 => orientation=service confidence=medium client=10.0.64.20:41000
        ",
    );
}

#[test]
fn syn_ack_its_source_is_the_server() {
    check(
        &sample(),
        "
        app in 10.0.64.20:40000 -> 10.0.32.5:1024 tcp SA ACCEPT => orientation=syn_ack confidence=strong server=10.0.64.20:40000
        app out 10.0.32.5:1024 -> 10.0.64.20:40000 tcp 0 ACCEPT => orientation=syn_ack confidence=strong client=10.0.32.5:1024
        ",
    );
}

#[test]
fn syn_ack_is_certain_if_the_reverse_syn_was_seen() {
    check(
        &sample(),
        "
        app out 10.0.32.5:1024 -> 10.0.64.20:40000 tcp S ACCEPT => orientation=syn confidence=certain
        app in 10.0.64.20:40000 -> 10.0.32.5:1024 tcp SA ACCEPT => orientation=syn_ack confidence=certain server=10.0.64.20:40000
        ",
    );
}

#[test]
fn connection_was_decided_in_an_earlier_slot() {
    check(
        &sample(),
        "
        app out 10.0.32.5:1024 -> 10.0.64.20:40000 tcp S ACCEPT slot=-12
        app out 10.0.32.5:1024 -> 10.0.64.20:40000 tcp 0 ACCEPT => orientation=connection confidence=strong client=10.0.32.5:1024
        app in 10.0.64.20:40000 -> 10.0.32.6:1024 tcp SA ACCEPT slot=-1
        app in 10.0.64.20:40000 -> 10.0.32.6:1024 tcp 0 ACCEPT => orientation=connection confidence=strong client=10.0.32.6:1024
        ",
    );
}

#[test]
fn connection_evidence_ends_with_the_horizon_and_is_never_refreshed() {
    check(
        &sample(),
        "
        app out 10.0.32.5:1024 -> 10.0.64.20:40000 tcp S ACCEPT slot=-13
        app out 10.0.32.5:1024 -> 10.0.64.20:40000 tcp 0 ACCEPT slot=-12
        app out 10.0.32.5:1024 -> 10.0.64.20:40000 tcp 0 ACCEPT slot=-1
        app out 10.0.32.5:1024 -> 10.0.64.20:40000 tcp 0 ACCEPT => orientation=port confidence=ambiguous client=10.0.64.20:40000
        ",
    );
}

#[test]
fn connection_follows_the_latest_slot_that_has_evidence() {
    check(
        &sample(),
        "
        app out 10.0.32.5:1024 -> 10.0.64.20:40000 tcp S ACCEPT slot=-5
        app in 10.0.64.20:40000 -> 10.0.32.5:1024 tcp S ACCEPT slot=-4
        app out 10.0.32.5:1024 -> 10.0.64.20:40000 tcp 0 ACCEPT slot=-2
        app out 10.0.32.5:1024 -> 10.0.64.20:40000 tcp 0 ACCEPT => orientation=connection client=10.0.64.20:40000
        ",
    );
}

#[test]
fn listener_is_the_end_that_has_proven_to_accept_connections() {
    check(
        &sample(),
        "
        app out 10.0.32.6:1111 -> 10.0.64.20:40000 tcp S ACCEPT
        app in 10.0.64.20:40000 -> 10.0.32.6:1111 tcp SA ACCEPT
        app out 10.0.32.5:1024 -> 10.0.64.20:40000 tcp 0 ACCEPT => orientation=listener confidence=strong client=10.0.32.5:1024
        ",
    );
}

#[test]
fn listener_proven_in_the_horizon_holds() {
    check(
        &sample(),
        "
        app out 10.0.32.6:1111 -> 10.0.64.20:40000 tcp S ACCEPT slot=-11
        app in 10.0.64.20:40000 -> 10.0.32.6:1111 tcp SA ACCEPT slot=-11
        app out 10.0.32.5:1024 -> 10.0.64.20:40000 tcp 0 ACCEPT => orientation=listener client=10.0.32.5:1024
        ",
    );
}

#[test]
fn listener_is_not_proven_by_a_lone_or_rejected_syn() {
    check(
        &sample(),
        "
        app out 10.0.32.6:1111 -> 10.0.64.20:40000 tcp S ACCEPT
        app out 10.0.32.6:1112 -> 10.0.64.20:40000 tcp S REJECT
        app in 10.0.64.20:40000 -> 10.0.32.6:1112 tcp SA ACCEPT
        app out 10.0.32.6:1113 -> 10.0.64.20:40000 tcp S ACCEPT
        app in 10.0.64.20:40000 -> 10.0.32.6:1113 tcp SA REJECT
        app out 10.0.32.5:1024 -> 10.0.64.20:40000 tcp 0 ACCEPT => orientation=port client=10.0.64.20:40000
        ",
    );
}

#[test]
fn lone_reject_its_source_is_the_client() {
    check(
        &sample(),
        "
        data in 10.0.32.5:40000 -> 10.0.64.20:1024 udp - REJECT => orientation=lone_reject confidence=medium client=10.0.32.5:40000
        data in 10.0.32.5:5432 -> 10.0.64.20:41000 tcp - REJECT layout=v2 log=2 => orientation=lone_reject client=10.0.32.5:5432
        data in 10.0.32.6 -> 10.0.64.20 icmp - REJECT => orientation=lone_reject confidence=medium client=10.0.32.6
        ",
    );
}

#[test]
fn lone_reject_needs_that_nothing_came_back() {
    check(
        &sample(),
        "
        data in 10.0.32.5:5432 -> 10.0.64.20:41000 udp - REJECT => orientation=port client=10.0.64.20:41000
        data out 10.0.64.20:41000 -> 10.0.32.5:5432 udp - REJECT => orientation=port
        ",
    );
}

#[test]
fn fan_in_the_end_with_many_peers_is_the_server() {
    check(
        &sample(),
        "
        data in 10.0.32.5:41001 -> 10.0.64.20:45000 udp - ACCEPT => orientation=fan_in confidence=medium server=10.0.64.20:45000
        data out 10.0.64.20:45000 -> 10.0.32.5:41001 udp - ACCEPT => orientation=fan_in server=10.0.64.20:45000
        data in 10.0.32.5:41002 -> 10.0.64.20:45000 udp - ACCEPT
        data out 10.0.64.20:45000 -> 10.0.32.5:41002 udp - ACCEPT
        data in 10.0.32.6:41001 -> 10.0.64.20:45000 udp - ACCEPT
        data out 10.0.64.20:45000 -> 10.0.32.6:41001 udp - ACCEPT
        data in 10.0.32.7:41001 -> 10.0.64.20:45000 udp - ACCEPT
        data out 10.0.64.20:45000 -> 10.0.32.7:41001 udp - ACCEPT => orientation=fan_in
        ",
    );
}

#[test]
fn fan_in_counts_accepted_two_way_traffic_only() {
    check(
        &sample(),
        "
        data in 10.0.32.5:41001 -> 10.0.64.20:45000 udp - ACCEPT => orientation=port
        data out 10.0.64.20:45000 -> 10.0.32.5:41001 udp - ACCEPT
        data in 10.0.32.5:41002 -> 10.0.64.20:45000 udp - ACCEPT
        data out 10.0.64.20:45000 -> 10.0.32.5:41002 udp - ACCEPT
        data in 10.0.32.6:41001 -> 10.0.64.20:45000 udp - ACCEPT
        data out 10.0.64.20:45000 -> 10.0.32.6:41001 udp - ACCEPT
        data in 10.0.32.7:41001 -> 10.0.64.20:45000 udp - ACCEPT
        ",
    );
}

#[test]
fn service_the_listed_port_is_the_servers() {
    check(
        &sample(),
        "
        data in 10.0.32.5:1024 -> 10.0.64.20:5432 tcp 0 ACCEPT => orientation=service confidence=medium server=10.0.64.20:5432
        data out 10.0.64.20:50051 -> 10.0.32.5:1025 tcp 0 ACCEPT => orientation=service server=10.0.64.20:50051
        data out 10.0.64.20:53 -> 10.0.32.5:1025 udp - ACCEPT => orientation=service server=10.0.64.20:53
        ",
    );
}

#[test]
fn service_needs_exactly_one_listed_port_and_the_other_from_1024() {
    check(
        &sample(),
        "
        data in 10.0.32.5:8443 -> 10.0.64.20:5432 tcp 0 ACCEPT => orientation=port server=10.0.64.20:5432
        data in 10.0.32.5:4 -> 10.0.64.20:5432 tcp 0 ACCEPT => orientation=port server=10.0.32.5:4
        ",
    );
}

#[test]
fn port_the_one_end_in_the_ephemeral_range_is_the_client() {
    check(
        &sample(),
        "
        data in 10.0.32.5:32768 -> 10.0.64.20:20001 tcp 0 ACCEPT => orientation=port confidence=ambiguous client=10.0.32.5:32768
        data out 10.0.64.20:30001 -> 10.0.32.5:65535 tcp 0 ACCEPT => orientation=port client=10.0.32.5:65535
        data in 10.0.32.5:32767 -> 10.0.64.20:20001 tcp 0 ACCEPT => orientation=port server=10.0.64.20:20001
        data in 10.0.32.5:40001 -> 10.0.64.20:40000 tcp 0 ACCEPT => orientation=port server=10.0.64.20:40000
        ",
    );
}

#[test]
fn peer_the_source_of_the_earliest_record_is_shown_as_client() {
    check(
        &sample(),
        "
        data in 10.0.32.5:20001 -> 10.0.64.20:20001 udp - ACCEPT start=12 => orientation=peer confidence=ambiguous client=10.0.64.20:20001
        data out 10.0.64.20:20001 -> 10.0.32.5:20001 udp - ACCEPT start=11 => orientation=peer client=10.0.64.20:20001
        data out 10.0.64.20 -> 10.0.32.6 icmp - ACCEPT start=12 => orientation=peer client=10.0.64.20 server=10.0.32.6
        data in 10.0.32.7 -> 10.0.64.20 50 - ACCEPT start=12 => orientation=peer confidence=ambiguous
        ",
    );
}

#[test]
fn peer_of_two_earliest_records_the_lower_address_is_shown_as_client() {
    check(
        &sample(),
        "
        data out 10.0.64.20 -> 10.0.32.5 icmp - ACCEPT start=11 => orientation=peer client=10.0.32.5
        data in 10.0.32.5 -> 10.0.64.20 icmp - ACCEPT start=11 => orientation=peer client=10.0.32.5
        ",
    );
}

// What has misled others.

#[test]
fn a_server_port_above_the_clients_does_not_turn_the_flow_round() {
    for port in [5432, 7000, 8443, 50051] {
        check(
            &sample(),
            &format!(
                "
                app out 10.0.32.5:1024 -> 10.0.64.20:{port} tcp S ACCEPT => client=10.0.32.5:1024
                data out 10.0.64.20:{port} -> 10.0.32.5:1024 tcp SA ACCEPT => client=10.0.32.5:1024
                data out 10.0.64.20:{port} -> 10.0.32.5:1025 tcp 0 ACCEPT => client=10.0.32.5:1025 orientation=listener
                "
            ),
        );
        check(
            &sample(),
            &format!(
                "
                data out 10.0.64.20:{port} -> 10.0.32.5:1024 tcp 0 ACCEPT => client=10.0.32.5:1024 orientation=service
                data out 10.0.64.20:{port} -> 10.0.32.6:1024 tcp - ACCEPT layout=v2 log=2 => client=10.0.32.6:1024 orientation=service
                "
            ),
        );
    }
}

#[test]
fn replies_in_later_intervals_with_flags_0_stay_replies() {
    check(
        &sample(),
        "
        app out 10.0.32.5:1024 -> 10.0.64.20:45000 tcp S ACCEPT slot=-2
        app in 10.0.64.20:45000 -> 10.0.32.5:1024 tcp SA ACCEPT slot=-2
        app in 10.0.64.20:45000 -> 10.0.32.5:1024 tcp 0 ACCEPT slot=-1
        app in 10.0.64.20:45000 -> 10.0.32.5:1024 tcp 0 ACCEPT => orientation=connection client=10.0.32.5:1024 outcome=established
        data out 10.0.64.20:45000 -> 10.0.32.5:1024 tcp F ACCEPT => orientation=connection client=10.0.32.5:1024 observer=server
        ",
    );
}

#[test]
fn syn_in_one_slot_and_data_in_the_next_are_one_direction() {
    check(
        &sample(),
        "
        app out 10.0.32.5:1024 -> 10.0.64.20:45000 tcp S ACCEPT slot=-1
        app out 10.0.32.5:1024 -> 10.0.64.20:45000 tcp 0 ACCEPT => orientation=connection client=10.0.32.5:1024
        app in 10.0.64.20:45000 -> 10.0.32.5:1024 tcp 0 ACCEPT => orientation=connection client=10.0.32.5:1024
        ",
    );
}

#[test]
fn a_client_may_use_source_port_443() {
    check(
        &sample(),
        "
        app out 10.0.32.5:443 -> 10.0.64.20:41000 tcp S ACCEPT => client=10.0.32.5:443 orientation=syn
        data out 10.0.64.20:41000 -> 10.0.32.5:443 tcp SA ACCEPT => client=10.0.32.5:443
        data in 10.0.32.5:443 -> 10.0.64.20:41000 tcp 0 ACCEPT => client=10.0.32.5:443
        ",
    );
}

#[test]
fn a_scanners_syns_make_no_listener_and_no_fan_in() {
    check(
        &sample(),
        "
        data in 198.51.100.7:55000 -> 10.0.64.20:41000 tcp S REJECT => client=198.51.100.7:55000 outcome=rejected_server
        data in 198.51.100.7:55000 -> 10.0.64.20:41001 tcp S REJECT
        data in 198.51.100.7:55000 -> 10.0.64.20:41002 tcp S ACCEPT
        data in 198.51.100.7:55000 -> 10.0.64.20:41003 tcp S ACCEPT
        data in 198.51.100.7:55000 -> 10.0.64.20:41004 tcp S ACCEPT
        data in 10.0.32.5:1024 -> 10.0.64.20:41002 tcp 0 ACCEPT => orientation=port client=10.0.64.20:41002
        ",
    );
}

#[test]
fn version_2_without_flags_falls_to_services_and_ports() {
    check(
        &sample(),
        "
        app - 10.0.64.20:5432 -> 10.0.32.5:1024 tcp - ACCEPT layout=v2 => orientation=service client=10.0.32.5:1024 outcome=established
        app - 10.0.32.5:1024 -> 10.0.64.20:5432 tcp - ACCEPT layout=v2 => orientation=service client=10.0.32.5:1024
        app - 10.0.64.20:20001 -> 10.0.32.5:41000 tcp - ACCEPT layout=v2 => orientation=port client=10.0.32.5:41000
        ",
    );
}
