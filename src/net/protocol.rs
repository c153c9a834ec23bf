//! IP protocol numbers, their names, and which of them have ports.

/// ICMP for IPv4.
pub const ICMP: u8 = 1;
/// TCP.
pub const TCP: u8 = 6;
/// UDP.
pub const UDP: u8 = 17;
/// ICMP for IPv6.
pub const ICMPV6: u8 = 58;

/// Whether the protocol's header begins with two ports: TCP, UDP, DCCP, SCTP and UDP-Lite.
#[inline]
pub const fn has_ports(protocol: u8) -> bool {
    matches!(protocol, TCP | UDP | 33 | 132 | 136)
}

/// The highest port of a protocol; 0 where it has none, as ranges of it have.
#[inline]
pub const fn highest_port(protocol: u8) -> u16 {
    if has_ports(protocol) { u16::MAX } else { 0 }
}

/// Whether this is ICMP of either family.
#[inline]
pub const fn is_icmp(protocol: u8) -> bool {
    matches!(protocol, ICMP | ICMPV6)
}

/// The name of a protocol in lower case; none for a number that IANA has not given one (or whose name a port set could
/// not write).
pub fn name(protocol: u8) -> Option<&'static str> {
    NAMES
        .iter()
        .find(|(number, _)| *number == protocol)
        .map(|(_, name)| *name)
}

/// The protocol with this name (case does not matter) or number.
pub fn number(text: &str) -> Option<u8> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    NAMES
        .iter()
        .chain(&ALIASES)
        .find(|(_, name)| name.eq_ignore_ascii_case(text))
        .map(|(number, _)| *number)
}

/// Every name that [`number`] knows.
pub fn names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().chain(&ALIASES).map(|(_, name)| *name)
}

/// IANA, *Assigned Internet Protocol Numbers*; 58, 89 and 124 under the names in use.
const NAMES: [(u8, &str); 135] = [
    (0, "hopopt"),
    (1, "icmp"),
    (2, "igmp"),
    (3, "ggp"),
    (4, "ipv4"),
    (5, "st"),
    (6, "tcp"),
    (7, "cbt"),
    (8, "egp"),
    (9, "igp"),
    (10, "bbn-rcc-mon"),
    (11, "nvp-ii"),
    (12, "pup"),
    (14, "emcon"),
    (15, "xnet"),
    (16, "chaos"),
    (17, "udp"),
    (18, "mux"),
    (19, "dcn-meas"),
    (20, "hmp"),
    (21, "prm"),
    (22, "xns-idp"),
    (23, "trunk-1"),
    (24, "trunk-2"),
    (25, "leaf-1"),
    (26, "leaf-2"),
    (27, "rdp"),
    (28, "irtp"),
    (29, "iso-tp4"),
    (30, "netblt"),
    (31, "mfe-nsp"),
    (32, "merit-inp"),
    (33, "dccp"),
    (34, "3pc"),
    (35, "idpr"),
    (36, "xtp"),
    (37, "ddp"),
    (38, "idpr-cmtp"),
    (39, "tp++"),
    (40, "il"),
    (41, "ipv6"),
    (42, "sdrp"),
    (43, "ipv6-route"),
    (44, "ipv6-frag"),
    (45, "idrp"),
    (46, "rsvp"),
    (47, "gre"),
    (48, "dsr"),
    (49, "bna"),
    (50, "esp"),
    (51, "ah"),
    (52, "i-nlsp"),
    (54, "narp"),
    (55, "min-ipv4"),
    (56, "tlsp"),
    (57, "skip"),
    (58, "icmpv6"),
    (59, "ipv6-nonxt"),
    (60, "ipv6-opts"),
    (62, "cftp"),
    (64, "sat-expak"),
    (65, "kryptolan"),
    (66, "rvd"),
    (67, "ippc"),
    (69, "sat-mon"),
    (70, "visa"),
    (71, "ipcv"),
    (72, "cpnx"),
    (73, "cphb"),
    (74, "wsn"),
    (75, "pvp"),
    (76, "br-sat-mon"),
    (77, "sun-nd"),
    (78, "wb-mon"),
    (79, "wb-expak"),
    (80, "iso-ip"),
    (81, "vmtp"),
    (82, "secure-vmtp"),
    (83, "vines"),
    (84, "iptm"),
    (85, "nsfnet-igp"),
    (86, "dgp"),
    (87, "tcf"),
    (88, "eigrp"),
    (89, "ospf"),
    (90, "sprite-rpc"),
    (91, "larp"),
    (92, "mtp"),
    (93, "ax.25"),
    (94, "ipip"),
    (96, "scc-sp"),
    (97, "etherip"),
    (98, "encap"),
    (100, "gmtp"),
    (101, "ifmp"),
    (102, "pnni"),
    (103, "pim"),
    (104, "aris"),
    (105, "scps"),
    (106, "qnx"),
    (108, "ipcomp"),
    (109, "snp"),
    (110, "compaq-peer"),
    (111, "ipx-in-ip"),
    (112, "vrrp"),
    (113, "pgm"),
    (115, "l2tp"),
    (116, "ddx"),
    (117, "iatp"),
    (118, "stp"),
    (119, "srp"),
    (120, "uti"),
    (121, "smp"),
    (123, "ptp"),
    (124, "isis"),
    (125, "fire"),
    (126, "crtp"),
    (127, "crudp"),
    (128, "sscopmce"),
    (129, "iplt"),
    (130, "sps"),
    (131, "pipe"),
    (132, "sctp"),
    (133, "fc"),
    (134, "rsvp-e2e-ignore"),
    (135, "mobility-header"),
    (136, "udplite"),
    (137, "mpls-in-ip"),
    (138, "manet"),
    (139, "shim6"),
    (140, "wesp"),
    (141, "rohc"),
    (142, "ethernet"),
    (143, "aggfrag"),
    (144, "nsh"),
];

/// Further names of some: IANA's own for 58 and 89, and what people write.
const ALIASES: [(u8, &str); 5] = [
    (58, "ipv6-icmp"),
    (58, "icmp6"),
    (89, "ospfigp"),
    (136, "udp-lite"),
    (124, "isis-over-ipv4"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_one_to_one() {
        for (protocol, text) in NAMES {
            assert_eq!(number(text), Some(protocol), "{text}");
            assert_eq!(name(protocol), Some(text));
        }
        assert!(NAMES.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn protocols_are_found_by_name_alias_and_number() {
        for (text, expected) in [
            ("tcp", Some(6)),
            ("GRE", Some(47)),
            ("50", Some(50)),
            ("icmpv6", Some(58)),
            ("ipv6-icmp", Some(58)),
            ("255", Some(255)),
            ("256", None),
            ("", None),
            ("-1", None),
            ("tpc", None),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
    }
}
