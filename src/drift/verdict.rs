//! What the configuration does with one kind of traffic between two ends, and what that is to the policy.

use super::{Cause, GapKind};
use crate::config::permit::{Comes, Lets, Reference, Screen, Step, Through, Unknown, sum};
use crate::config::permit::{codes, reply_codes};
use crate::net::{Addr, protocol};
use crate::policy::Answer;

/// Protocols in which nothing is said before a reply came: TCP, DCCP, SCTP.
pub(super) fn needs_reply(number: u8) -> bool {
    matches!(number, protocol::TCP | 33 | 132)
}

/// How an answer of the policy and what the configuration does differ; none if they agree. `is_whole_if_part` is whether a
/// part is as good as all: types of ICMP, which no policy tells apart.
///
/// | policy | requests | replies | |
/// |---|---|---|---|
/// | allow | come through | all come through, or the protocol's parts are one | - |
/// | allow | come through | some, or none | `reply-cut` |
/// | allow | do not | | `closed` |
/// | deny | do not | | - |
/// | deny | come through | none do, and the protocol says nothing without | - |
/// | deny | come through | otherwise | `open` |
/// | unproven | | | `cannot-tell` |
/// | allow, deny | unknown | unless no reply could come through | `cannot-tell` |
pub(super) fn gap(answer: Answer, request: Through, reply: Through, number: u8) -> Option<GapKind> {
    let is_held = needs_reply(number) && reply == Through::Nothing;
    let comes = match request {
        Through::Nothing => Comes::Not,
        Through::Unknown => Comes::Unknown,
        Through::All | Through::Part => Comes::Through,
    };
    match (answer, comes) {
        (Answer::Unproven, _) => Some(GapKind::CannotTell),
        (Answer::Allow, Comes::Not) => Some(GapKind::Closed),
        (Answer::Allow, Comes::Unknown) => Some(GapKind::CannotTell),
        (Answer::Allow, Comes::Through) => match reply {
            Through::All => None,
            Through::Part if protocol::is_icmp(number) => None,
            Through::Part | Through::Nothing => Some(GapKind::ReplyCut),
            Through::Unknown => Some(GapKind::CannotTell),
        },
        (Answer::Deny, Comes::Not) => None,
        (Answer::Deny, _) if is_held => None,
        (Answer::Deny, Comes::Unknown) => Some(GapKind::CannotTell),
        (Answer::Deny, Comes::Through) => match reply {
            Through::Unknown if needs_reply(number) => Some(GapKind::CannotTell),
            _ => Some(GapKind::Open),
        },
    }
}

/// What stands at each hop; none where there is no such hop.
#[derive(Clone, Copy)]
pub(super) struct Way<'w, 'c> {
    /// In the order of [`Step::REQUEST`].
    pub(super) request: [Option<&'w Screen<'c>>; 4],
    /// In the order of [`Step::REPLY`].
    pub(super) reply: [Option<&'w Screen<'c>>; 2],
}

/// Codes of which the same becomes, and what.
pub(super) struct Cell<'c> {
    pub(super) first: u16,
    pub(super) last: u16,
    pub(super) request: Through,
    /// By hop, what lets through, stops, or is not known, whichever it comes to.
    pub(super) causes: Vec<Cause<'c>>,
}

impl<'w, 'c> Way<'w, 'c> {
    fn hops(&self) -> impl Iterator<Item = (Step, &'w Screen<'c>)> + use<'w, 'c> {
        let steps = Step::REQUEST.into_iter().zip(self.request);
        steps.filter_map(|(step, screen)| Some((step, screen?)))
    }

    fn reply_hops(&self) -> impl Iterator<Item = (Step, &'w Screen<'c>)> + use<'w, 'c> {
        let steps = Step::REPLY.into_iter().zip(self.reply);
        steps.filter_map(|(step, screen)| Some((step, screen?)))
    }

    /// Protocols that a hop names: what becomes of all others is the same.
    pub(super) fn protocols(&self) -> impl Iterator<Item = u8> + use<'w, 'c> {
        let all = self.hops().chain(self.reply_hops());
        all.flat_map(|(_, screen)| screen.protocols())
    }

    /// What becomes of requests of a range of codes, in cells. ICMP, whose types no policy tells apart, is one cell.
    pub(super) fn cells(&self, number: u8, first: u16, last: u16) -> Vec<Cell<'c>> {
        if protocol::is_icmp(number) {
            return vec![self.icmp(number)];
        }
        let begins = begins(self.hops(), number, (first, last));
        let mut cells = Vec::with_capacity(begins.len());
        for (at, begin) in begins.iter().enumerate() {
            let found: Vec<(Step, Lets<'c>)> = self
                .hops()
                .map(|(step, screen)| (step, of_any(screen.lets(number, *begin))))
                .collect();
            let comes = worst(&found);
            let deciding = found
                .into_iter()
                .filter(|(_, lets)| Comes::of(lets) == comes && !is_assumed(lets));
            cells.push(Cell {
                first: *begin,
                last: begins.get(at + 1).map_or(last, |next| next - 1),
                request: sum([comes]),
                causes: deciding
                    .map(|(step, lets)| Cause {
                        step,
                        ports: None,
                        lets,
                    })
                    .collect(),
            });
        }
        cells
    }

    fn icmp(&self, number: u8) -> Cell<'c> {
        let all = codes(number);
        let mut parts: Vec<(Comes, Vec<(Step, Lets<'c>)>)> = Vec::new();
        for begin in begins(self.hops(), number, all) {
            let hops = self.hops();
            let found: Vec<(Step, Lets<'c>)> = hops
                .map(|(step, screen)| (step, of_any(screen.lets(number, begin))))
                .collect();
            parts.push((worst(&found), found));
        }
        let request = sum(parts.iter().map(|(comes, _)| *comes));
        let wanted = match request {
            Through::All | Through::Part => Comes::Through,
            Through::Nothing => Comes::Not,
            Through::Unknown => Comes::Unknown,
        };
        let of_parts = parts.into_iter().filter(|(comes, _)| *comes == wanted);
        let deciding = of_parts
            .flat_map(|(_, found)| found)
            .filter(|(_, lets)| Comes::of(lets) == wanted && !is_assumed(lets));
        Cell {
            first: all.0,
            last: all.1,
            request,
            causes: joined(deciding),
        }
    }

    /// How much of the replies comes through, and the hops that stop or may stop some of them.
    pub(super) fn replies(&self, number: u8) -> (Through, Vec<Cause<'c>>) {
        let asked = reply_codes(number);
        let begins = begins(self.reply_hops(), number, asked);
        let mut comes = Vec::with_capacity(begins.len());
        let mut causes: Vec<Cause<'c>> = Vec::new();
        for (at, begin) in begins.iter().enumerate() {
            let last = begins.get(at + 1).map_or(asked.1, |next| next - 1);
            let mut worst = Comes::Through;
            for (step, screen) in self.reply_hops() {
                let lets = of_any(screen.lets(number, *begin));
                worst = worst.min(Comes::of(&lets));
                if Comes::of(&lets) != Comes::Through {
                    add(&mut causes, step, (*begin, last), lets);
                }
            }
            comes.push(worst);
        }
        for cause in &mut causes {
            let is_all = cause.ports == Some(asked) || !protocol::has_ports(number);
            cause.ports = cause.ports.filter(|_| !is_all);
        }
        causes.sort_unstable();
        causes.dedup();
        (sum(comes), causes)
    }
}

/// What becomes of something, of whichever end of its kind: that no interface or subnet has an address is then said of the
/// first of all addresses.
fn of_any(lets: Lets<'_>) -> Lets<'_> {
    let Lets::Unknown(why) = lets else {
        return lets;
    };
    let first = Addr::from_v4(0);
    let of_any = |why| match why {
        Unknown::NoInterface(_) => Unknown::NoInterface(first),
        Unknown::NoSubnet(_) => Unknown::NoSubnet(first),
        why => why,
    };
    Lets::Unknown(distinct(why.into_iter().map(of_any).collect()))
}

/// Whether something is let through for want of a network ACL: that is told once, of the subnet, and is no reason.
fn is_assumed(lets: &Lets<'_>) -> bool {
    matches!(lets, Lets::Yes(by) if matches!(by[..], [Reference::NoAcl { .. }]))
}

/// Adds a range to a cause that ends where it begins.
fn add<'c>(causes: &mut Vec<Cause<'c>>, step: Step, ports: (u16, u16), lets: Lets<'c>) {
    let before = causes.iter_mut().find(|cause| {
        let touches = cause
            .ports
            .is_some_and(|(_, last)| last.checked_add(1) == Some(ports.0));
        cause.step == step && cause.lets == lets && touches
    });
    match before.and_then(|cause| cause.ports.as_mut()) {
        Some(known) => known.1 = ports.1,
        None => causes.push(Cause {
            step,
            ports: Some(ports),
            lets,
        }),
    }
}

fn worst(found: &[(Step, Lets<'_>)]) -> Comes {
    let comes = found.iter().map(|(_, lets)| Comes::of(lets));
    comes.min().unwrap_or(Comes::Through)
}

/// Codes of a range at which something begins.
fn begins<'w, 'c: 'w>(
    hops: impl Iterator<Item = (Step, &'w Screen<'c>)>,
    number: u8,
    (first, last): (u16, u16),
) -> Vec<u16> {
    let mut begins: Vec<u16> = hops.flat_map(|(_, screen)| screen.cuts(number)).collect();
    begins.retain(|cut| (first..=last).contains(cut));
    begins.push(first);
    begins.sort_unstable();
    begins.dedup();
    begins
}

/// What becomes of several codes, by hop: all that lets through as one, all that is not known as one, and each that stops.
fn joined<'c>(all: impl Iterator<Item = (Step, Lets<'c>)>) -> Vec<Cause<'c>> {
    let mut by: Vec<(Step, Vec<Reference<'c>>)> = Vec::new();
    let mut unknown: Vec<(Step, Vec<Unknown<'c>>)> = Vec::new();
    let mut causes: Vec<Cause<'c>> = Vec::new();
    for (step, lets) in all {
        match lets {
            Lets::Yes(of) => entry(&mut by, step).extend(of),
            Lets::Unknown(of) => entry(&mut unknown, step).extend(of),
            lets @ Lets::No(_) => causes.push(Cause {
                step,
                ports: None,
                lets,
            }),
        }
    }
    let by = by
        .into_iter()
        .map(|(step, of)| (step, Lets::Yes(distinct(of))));
    let unknown = unknown
        .into_iter()
        .map(|(step, of)| (step, Lets::Unknown(distinct(of))));
    causes.extend(by.chain(unknown).map(|(step, lets)| Cause {
        step,
        ports: None,
        lets,
    }));
    causes.sort_unstable();
    causes.dedup();
    causes
}

fn entry<T>(all: &mut Vec<(Step, Vec<T>)>, step: Step) -> &mut Vec<T> {
    let at = all.iter().position(|(known, _)| *known == step);
    let at = at.unwrap_or_else(|| {
        all.push((step, Vec::new()));
        all.len() - 1
    });
    &mut all[at].1
}

fn distinct<T: Ord>(mut all: Vec<T>) -> Vec<T> {
    all.sort_unstable();
    all.dedup();
    all
}
