//! Random records of the small world: which conversations, who reports them, what the records say.

use proptest::collection::vec;
use proptest::option::{self, weighted};
use proptest::prelude::*;
use proptest::sample::select;

use super::random_world::{HOSTS, Objects};
use super::record::{Layout, TwinObject};

/// A connection that records may belong to.
#[derive(Clone, Debug)]
pub struct Conversation {
    pub protocol: u8,
    pub a: (usize, u16),
    pub b: (usize, u16),
    /// In the laboratory, whose VPC has the same addresses.
    pub lab: bool,
}

fn conversation() -> impl Strategy<Value = Conversation> {
    let port = || {
        select(vec![
            443u16, 443, 5432, 5432, 7000, 40000, 40000, 40001, 123, 53, 1024, 20001, 22, 33000,
        ])
    };
    let host = || prop_oneof![3 => 0..10usize, 2 => 0..HOSTS.len()];
    let protocol =
        prop_oneof![6 => Just(6u8), 3 => Just(17), 2 => Just(1), 1 => Just(50), 1 => Just(58)];
    let lab = prop::bool::weighted(0.1);
    (protocol, host(), port(), host(), port(), lab).prop_map(
        |(protocol, a, a_port, mut b, b_port, lab)| {
            // A connection is of one family.
            let is_v6 = |host: usize| HOSTS[host].addr.contains(':');
            if is_v6(a) != is_v6(b) {
                b = if is_v6(a) { [9, 17, 8][b % 3] } else { b % 8 };
            }
            // Of a connection whose ends are one, nobody can say which record is the request.
            if a == b && (a_port == b_port || protocol != 6 && protocol != 17) {
                b = if is_v6(a) {
                    if a == 8 { 9 } else { 8 }
                } else {
                    (b + 1) % 8
                };
            }
            Conversation {
                protocol,
                a: (a, a_port),
                b: (b, b_port),
                lab,
            }
        },
    )
}

/// Where a record was made.
#[derive(Clone, Copy, Debug)]
pub enum Seat {
    Source,
    Target,
    Nat,
    Attachment,
    NoInterface,
    Gateway,
}

/// The choices that make one record.
#[derive(Clone, Debug)]
pub struct Choice {
    pub conversation: usize,
    pub reversed: bool,
    pub seat: Seat,
    pub flags: Option<u8>,
    pub accepted: bool,
    pub slot: i64,
    pub second_log: bool,
    pub offset: u32,
    pub bytes: u64,
    pub path: Option<u8>,
    pub next_hop_nat: bool,
    pub says_service: bool,
    pub encryption: Option<u8>,
    pub teaches: u8,
    pub flaw: u8,
}

fn choice() -> impl Strategy<Value = Choice> {
    let seat = prop_oneof![
        6 => Just(Seat::Source),
        6 => Just(Seat::Target),
        2 => Just(Seat::Nat),
        1 => Just(Seat::Attachment),
        1 => Just(Seat::NoInterface),
        1 => Just(Seat::Gateway),
    ];
    let flags = weighted(
        0.9,
        select(vec![
            0u8, 0, 2, 2, 2, 18, 18, 18, 3, 19, 1, 4, 4, 20, 6, 22, 7,
        ]),
    );
    let slot = prop_oneof![2 => -3..0i64, 5 => Just(0i64), 1 => Just(1i64)];
    let what = (
        0..8usize,
        any::<bool>(),
        seat,
        flags,
        prop::bool::weighted(0.7),
        slot,
        prop::bool::weighted(0.25),
    );
    let how = (
        0..4u32,
        1..5u64,
        weighted(0.5, 1..=8u8),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.9),
    );
    (
        what,
        how,
        option::of(select(vec![0u8, 1, 1, 3])),
        0..8u8,
        0..60u8,
    )
        .prop_map(
            |(
                (conversation, reversed, seat, flags, accepted, slot, second_log),
                (offset, bytes, path, next_hop_nat, says_service),
                encryption,
                teaches,
                flaw,
            )| Choice {
                conversation,
                reversed,
                seat,
                flags,
                accepted,
                slot,
                second_log,
                offset,
                bytes: bytes * 100,
                path,
                next_hop_nat,
                says_service,
                encryption,
                teaches,
                flaw,
            },
        )
}

pub fn records() -> impl Strategy<Value = Vec<TwinObject>> {
    let layout = || {
        select(vec![
            Layout::V2,
            Layout::V5,
            Layout::V5,
            Layout::V5NoDirection,
            Layout::V11,
            Layout::V11,
        ])
    };
    let crowd = weighted(0.2, (2..7usize, 0..8usize, any::<bool>()));
    (
        vec(conversation(), 1..5),
        vec(choice(), 1..12),
        layout(),
        layout(),
        crowd,
    )
        .prop_map(|(conversations, choices, first, second, crowd)| {
            let mut objects = Objects::default();
            for choice in &choices {
                let conversation = &conversations[choice.conversation % conversations.len()];
                objects.add(conversation, choice, [first, second]);
            }
            if let Some((peers, server, tcp)) = crowd {
                objects.add_crowd(peers, server, tcp, [first, second]);
            }
            objects.objects
        })
}
