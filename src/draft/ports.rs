//! Sets of (protocol, port) pairs while rules are put together: everything, these, or everything but these.

use crate::net::ports::{PortRange, PortSet};

/// Which protocols and ports; never nothing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Ports {
    /// Everything.
    Any,
    /// These.
    Only(PortSet),
    /// Everything but these.
    Except(PortSet),
}

impl Ports {
    /// The ports of a rule's traffic: none is everything.
    pub(super) fn of(range: Option<PortRange>) -> Ports {
        range.map_or(Ports::Any, |range| {
            Ports::Only([range].into_iter().collect())
        })
    }

    /// What several rules let through together.
    pub(super) fn union(ranges: &[Option<PortRange>]) -> Option<Ports> {
        if ranges.is_empty() {
            return None;
        }
        let all: Option<PortSet> = ranges.iter().copied().collect();
        Some(all.map_or(Ports::Any, Ports::Only))
    }

    /// What is left when the range is taken away; none if nothing is.
    pub(super) fn without(&self, range: Option<PortRange>) -> Option<Ports> {
        let range = range?;
        match self {
            Ports::Any => Some(Ports::Except([range].into_iter().collect())),
            Ports::Except(set) => {
                let all = set.ranges().iter().copied().chain([range]);
                Some(Ports::Except(all.collect()))
            }
            Ports::Only(set) => {
                let left: PortSet = set
                    .ranges()
                    .iter()
                    .flat_map(|own| cut(*own, range))
                    .flatten()
                    .collect();
                (!left.ranges().is_empty()).then_some(Ports::Only(left))
            }
        }
    }

    /// Whether any of these are in the range.
    pub(super) fn meets(&self, range: Option<PortRange>) -> bool {
        match (self, range) {
            (_, None) | (Ports::Any, _) => true,
            (Ports::Only(set), Some(range)) => set
                .ranges()
                .iter()
                .any(|own| meet(Some(*own), Some(range)).is_some()),
            (Ports::Except(set), Some(range)) => set
                .ranges()
                .iter()
                .try_fold(Ports::of(Some(range)), |left, own| left.without(Some(*own)))
                .is_some(),
        }
    }
}

/// What is in both of two ranges, where none is everything: none if nothing is.
pub(super) fn meet(one: Option<PortRange>, other: Option<PortRange>) -> Option<Option<PortRange>> {
    let (Some(a), Some(b)) = (one, other) else {
        return Some(one.or(other));
    };
    let met = PortRange {
        protocol: a.protocol,
        first: a.first.max(b.first),
        last: a.last.min(b.last),
    };
    (a.protocol == b.protocol && met.first <= met.last).then_some(Some(met))
}

/// What of a range lies below and above another.
fn cut(own: PortRange, away: PortRange) -> [Option<PortRange>; 2] {
    if meet(Some(own), Some(away)).is_none() {
        return [Some(own), None];
    }
    let below = (own.first < away.first).then(|| PortRange {
        last: away.first - 1,
        ..own
    });
    let above = (own.last > away.last).then(|| PortRange {
        first: away.last + 1,
        ..own
    });
    [below, above]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(text: &str) -> Option<PortRange> {
        (text != "any").then(|| text.parse().expect("ports"))
    }

    fn shown(ports: Option<Ports>) -> String {
        match ports {
            None => "nothing".to_owned(),
            Some(Ports::Any) => "any".to_owned(),
            Some(Ports::Only(set)) => set.to_string(),
            Some(Ports::Except(set)) => format!("but {set}"),
        }
    }

    #[test]
    fn ranges_are_taken_away() {
        fn check(from: &str, away: &[&str], expected: &str) {
            let left = away.iter().try_fold(Ports::of(ports(from)), |left, range| {
                left.without(ports(range))
            });
            assert_eq!(shown(left), expected, "{from} without {away:?}");
        }
        check("any", &["tcp/443"], "but tcp/443");
        check("any", &["tcp/443", "tcp/444"], "but tcp/443-444");
        check("any", &["any"], "nothing");
        check("tcp/80-90", &["tcp/85"], "tcp/80-84, tcp/86-90");
        check("tcp/80-90", &["tcp/0-84", "udp/*"], "tcp/85-90");
        check("tcp/80-90", &["tcp/70-100"], "nothing");
        check("tcp/*", &["tcp/0", "tcp/65535"], "tcp/1-65534");
        check("icmp", &["icmp"], "nothing");
    }

    #[test]
    fn what_meets_has_a_pair_in_common() {
        fn check(own: Ports, range: &str, expected: bool) {
            assert_eq!(own.meets(ports(range)), expected, "{own:?} {range}");
        }
        check(Ports::Any, "tcp/1", true);
        check(Ports::of(ports("tcp/80-90")), "tcp/90-99", true);
        check(Ports::of(ports("tcp/80-90")), "udp/85", false);
        let but = Ports::Any.without(ports("tcp/80-90")).expect("something");
        check(but.clone(), "tcp/85", false);
        check(but.clone(), "tcp/85-95", true);
        check(but, "any", true);
    }
}
