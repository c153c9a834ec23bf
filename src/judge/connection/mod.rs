//! A connection within a slot: its key, and what each interface said of each direction.
//!
//! Everything that the judge concludes is a function of these views, so merging two halves of a connection (from two
//! threads, or from a spilled run) is merging their views: or, min, max and sum only.

mod key;
mod view;

pub use key::{End, Home, Key, Side};
pub use view::{Kinds, Lane, Origin, Tag, View, Ways};

use crate::net::Addr;
use crate::net::aws::Service;

/// How many views a connection holds inline: both directions at both ends. More go into the table's overflow.
pub const INLINE_VIEWS: usize = 4;

/// A connection of a slot, 256 bytes: the key and the tags in the first cache line, then what each record changes, then the
/// views, the first of which are all that most connections have.
#[derive(Clone, Copy, Debug, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C, align(64))]
pub struct Connection {
    low: [u64; 2],
    high: [u64; 2],
    low_port: u16,
    high_port: u16,
    low_home: u16,
    high_home: u16,
    protocol: u8,
    /// How many of the inline views are in use.
    inline: u8,
    /// Which service fields records had: bit 0 the low end's, bit 1 the high end's.
    services_known: u8,
    /// 1 if the table's overflow holds more views.
    overflowed: u8,
    tags: [Tag; INLINE_VIEWS],
    /// Kinds of all records of each sender, and of the accepted ones.
    kinds: [u8; 2],
    accepted: [u8; 2],
    /// AWS services that records name, by end: bit `i` is `net::aws::SERVICES[i]`.
    services: [u32; 2],
    /// Objects that hold records of it: bit (rank modulo 64).
    pub objects: u64,
    views: [View; INLINE_VIEWS],
    spare: [u64; 2],
}

const _: () = assert!(size_of::<Connection>() == 256);

/// What records change of a connection beside its views, but for their tags: those of views that it has stay.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    inline: u8,
    services_known: u8,
    overflowed: u8,
    kinds: [u8; 2],
    accepted: [u8; 2],
    services: [u32; 2],
    objects: u64,
}

/// One record on its way into a connection.
#[derive(Clone, Copy, Debug)]
pub struct Contribution {
    /// The connection's key.
    pub key: Key,
    /// The key's hash.
    pub hash: u64,
    /// Which view it belongs to.
    pub tag: Tag,
    /// What it adds there.
    pub view: View,
    /// Service of the low and the high end.
    pub services: [Service; 2],
}

impl Connection {
    /// A connection without views.
    pub fn new(key: &Key) -> Connection {
        let words = |addr: Addr| [addr.bits() as u64, (addr.bits() >> 64) as u64];
        Connection {
            low: words(key.low),
            high: words(key.high),
            low_port: key.low_port,
            high_port: key.high_port,
            low_home: key.low_home.0,
            high_home: key.high_home.0,
            protocol: key.protocol,
            ..bytemuck::Zeroable::zeroed()
        }
    }

    /// The key.
    #[inline]
    pub fn key(&self) -> Key {
        let addr =
            |words: [u64; 2]| Addr::from_v6(u128::from(words[0]) | u128::from(words[1]) << 64);
        Key {
            low: addr(self.low),
            high: addr(self.high),
            low_port: self.low_port,
            high_port: self.high_port,
            low_home: Home(self.low_home),
            high_home: Home(self.high_home),
            protocol: self.protocol,
        }
    }

    /// Whether this is the connection of that key.
    #[inline]
    pub fn is(&self, key: &Key) -> bool {
        let same = |words: &[u64; 2], addr: Addr| {
            words[0] == addr.bits() as u64 && words[1] == (addr.bits() >> 64) as u64
        };
        same(&self.low, key.low)
            && same(&self.high, key.high)
            && self.low_port == key.low_port
            && self.high_port == key.high_port
            && self.protocol == key.protocol
            && self.low_home == key.low_home.0
            && self.high_home == key.high_home.0
    }

    /// Its inline views with their tags.
    #[inline]
    pub fn inline_views(&self) -> impl Iterator<Item = (Tag, &View)> + Clone {
        self.tags[..self.inline as usize]
            .iter()
            .copied()
            .zip(&self.views[..self.inline as usize])
    }

    /// Whether the table's overflow holds more views.
    #[inline]
    pub fn has_overflow(&self) -> bool {
        self.overflowed != 0
    }

    /// Adds a view; false if it has no room, and the table's overflow must take it.
    #[inline]
    pub fn add(&mut self, tag: Tag, view: &View) -> bool {
        let sender = tag.sender() as usize;
        self.kinds[sender] |= view.kinds;
        if tag.lane() == Lane::Accepted {
            self.accepted[sender] |= view.kinds;
        }
        if let Some(place) = self.inline_place(tag) {
            self.views[place].merge(view);
            return true;
        }
        let used = self.inline as usize;
        if used == INLINE_VIEWS {
            self.overflowed = 1;
            return false;
        }
        self.tags[used] = tag;
        self.views[used] = *view;
        self.inline += 1;
        true
    }

    /// Where the view of a tag is among the inline ones.
    #[inline]
    fn inline_place(&self, tag: Tag) -> Option<usize> {
        let used = &self.tags[..self.inline as usize];
        used.iter().position(|known| *known == tag)
    }

    /// The inline view of a tag, and its place among them.
    #[inline]
    pub fn inline_view(&self, tag: Tag) -> Option<(usize, &View)> {
        let place = self.inline_place(tag)?;
        Some((place, &self.views[place]))
    }

    /// What it is beside its views.
    #[inline]
    pub fn facts(&self) -> Facts {
        Facts {
            inline: self.inline,
            services_known: self.services_known,
            overflowed: self.overflowed,
            kinds: self.kinds,
            accepted: self.accepted,
            services: self.services,
            objects: self.objects,
        }
    }

    /// Makes it what it was when it had these facts, but for views that have changed.
    pub fn restore(&mut self, facts: &Facts) {
        self.inline = facts.inline;
        self.services_known = facts.services_known;
        self.overflowed = facts.overflowed;
        self.kinds = facts.kinds;
        self.accepted = facts.accepted;
        self.services = facts.services;
        self.objects = facts.objects;
    }

    /// Makes an inline view what it was.
    pub fn restore_view(&mut self, place: usize, view: &View) {
        self.views[place] = *view;
    }

    /// Notes what a record says of the ends' services.
    #[inline]
    pub fn add_services(&mut self, services: [Service; 2]) {
        for (end, service) in services.into_iter().enumerate() {
            if service != Service::Unknown {
                self.services_known |= 1 << end;
                self.services[end] |= service.bits() as u32;
            }
        }
    }

    /// Kinds of all records of a sender; empty if there is none.
    #[inline]
    pub fn kinds(&self, sender: Side) -> Kinds {
        Kinds(self.kinds[sender as usize])
    }

    /// Kinds of the accepted records of a sender; empty if there is none.
    #[inline]
    pub fn accepted(&self, sender: Side) -> Kinds {
        Kinds(self.accepted[sender as usize])
    }

    /// Adds what another half of the same connection knows, but for its views.
    pub fn merge_facts(&mut self, other: &Connection) {
        self.services_known |= other.services_known;
        self.services[0] |= other.services[0];
        self.services[1] |= other.services[1];
        self.objects |= other.objects;
    }

    /// The services of an end, and whether any record had the field.
    pub fn services(&self, side: Side) -> (u64, bool) {
        let end = side as usize;
        (
            u64::from(self.services[end]),
            self.services_known & 1 << end != 0,
        )
    }
}
