//! AWS's documented examples (VPC User Guide, *Flow log record examples*; Transit Gateway Guide), with addresses of the
//! sample network.

use crate::twin::policy::allow;
use crate::twin::table::{check, sample};

/// A client opens a connection and closes it within one interval: SYN and FIN (3), SYN-ACK and FIN (19).
#[test]
fn tcp_flag_sequence_of_a_short_connection() {
    check(
        &sample(),
        "
        web in 52.213.180.42:43416 -> 10.0.0.62:5001 tcp SF ACCEPT => orientation=syn client=52.213.180.42:43416 outcome=established
        web out 10.0.0.62:5001 -> 52.213.180.42:43416 tcp SAF ACCEPT => orientation=syn_ack confidence=certain client=52.213.180.42:43416
        ",
    );
}

/// A longer connection: SYN (2) and SYN-ACK (18) in the first interval, 0 in between, FIN (1) in the last.
#[test]
fn tcp_flag_sequence_of_a_long_connection() {
    check(
        &sample(),
        "
        web in 52.213.180.42:43418 -> 10.0.0.62:5001 tcp S ACCEPT slot=-2
        web out 10.0.0.62:5001 -> 52.213.180.42:43418 tcp SA ACCEPT slot=-2
        web in 52.213.180.42:43418 -> 10.0.0.62:5001 tcp 0 ACCEPT slot=-1
        web out 10.0.0.62:5001 -> 52.213.180.42:43418 tcp 0 ACCEPT slot=-1
        web in 52.213.180.42:43418 -> 10.0.0.62:5001 tcp F ACCEPT => orientation=connection client=52.213.180.42:43418 outcome=established
        web out 10.0.0.62:5001 -> 52.213.180.42:43418 tcp F ACCEPT => orientation=connection client=52.213.180.42:43418 observer=server
        ",
    );
}

/// An instance reaches the internet through a NAT gateway: four records at the gateway, two at the instance.
#[test]
fn nat_gateway_legs() {
    check(
        &sample().with(allow("out", "app", "internet").ports("tcp/443").via("nat")),
        "
        nat in 10.0.32.5:39812 -> 10.0.0.220:443 tcp S ACCEPT pkt-dst=203.0.113.5 => client=10.0.32.5:39812 server=203.0.113.5:443 observer=transit via=nat verdict=compliant rule=out
        nat out 10.0.0.220:5001 -> 203.0.113.5:443 tcp S ACCEPT path=8 => verdict=unjudged rule=transit
        nat in 203.0.113.5:443 -> 10.0.0.220:5001 tcp SA ACCEPT => verdict=unjudged rule=transit
        nat out 10.0.0.220:443 -> 10.0.32.5:39812 tcp SA ACCEPT pkt-src=203.0.113.5 path=1 => client=10.0.32.5:39812 server=203.0.113.5:443 observer=transit verdict=compliant
        app out 10.0.32.5:39812 -> 203.0.113.5:443 tcp S ACCEPT path=1 => client=10.0.32.5:39812 observer=client via=nat verdict=compliant outcome=established
        app in 203.0.113.5:443 -> 10.0.32.5:39812 tcp SA ACCEPT => observer=client verdict=compliant
        ",
    );
}

/// Two VPCs through a transit gateway: at the attachment's interface the hop is its own address.
#[test]
fn transit_gateway_attachment() {
    check(
        &sample(),
        "
        tgw in 10.0.64.20:80 -> 10.0.0.10:39812 tcp SA ACCEPT pkt-dst=192.168.9.5 => observer=transit client=192.168.9.5:39812 server=10.0.64.20:80
        tgw out 10.0.0.10:39812 -> 10.0.64.20:80 tcp S ACCEPT pkt-src=192.168.9.5 => observer=transit client=192.168.9.5:39812 outcome=established verdict=violation flags=ingress
        ",
    );
}

/// The transit gateway's own records: one for each attachment, no action, no interface.
#[test]
fn transit_gateway_records() {
    check(
        &sample(),
        "
        - in 10.0.32.5:41000 -> 10.0.64.20:80 tcp S - layout=tgw log=tgw => observer=transit outcome=forwarded verdict=violation
        - out 10.0.32.5:41000 -> 10.0.64.20:80 tcp S - layout=tgw log=tgw start=11 => outcome=forwarded
        ",
    );
}

/// The security group allows the ping, the network ACL denies the reply: ACCEPT of the request, REJECT of the response.
#[test]
fn ping_with_the_reply_rejected_by_a_network_acl() {
    check(
        &sample(),
        "
        web in 203.0.113.12 -> 10.0.0.62 icmp - ACCEPT start=10 => client=203.0.113.12 orientation=peer outcome=rejected_return verdict=blocked
        web out 10.0.0.62 -> 203.0.113.12 icmp - REJECT start=11 => client=203.0.113.12 outcome=rejected_return verdict=blocked
        ",
    );
}

/// The network ACL lets the reply out too: ACCEPT and ACCEPT.
#[test]
fn ping_with_both_directions_accepted() {
    check(
        &sample(),
        "
        web in 203.0.113.12 -> 10.0.0.62 icmp - ACCEPT start=10 => outcome=established verdict=violation severity=low
        web out 10.0.0.62 -> 203.0.113.12 icmp - ACCEPT start=11 => outcome=established
        ",
    );
}

/// The security group denies the ping: one REJECT, no response exists.
#[test]
fn ping_rejected_by_a_security_group() {
    check(
        &sample(),
        "
        web in 203.0.113.12 -> 10.0.0.62 icmp - REJECT => client=203.0.113.12 orientation=lone_reject outcome=rejected_server verdict=blocked severity=info
        ",
    );
}
