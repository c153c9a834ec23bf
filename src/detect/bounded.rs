//! A map that takes so many keys and no more: what a detector remembers has a bound, and what goes beyond is counted.

use std::collections::BTreeMap;

/// How much detectors remember of one client and hour: of a client of more doors the first are told of.
pub(super) const CLIENT_CAP: usize = 4096;

/// What a detector remembers, by key.
pub(super) struct Bounded<K, V> {
    known: BTreeMap<K, V>,
    most: usize,
    let_go: u64,
}

impl<K: Ord, V: Default> Bounded<K, V> {
    /// Nothing yet, and at most so many keys.
    pub fn new(most: usize) -> Bounded<K, V> {
        Bounded {
            known: BTreeMap::new(),
            most,
            let_go: 0,
        }
    }

    /// What is remembered of a key; none, and counted, where it is new and there is no room.
    pub fn entry(&mut self, key: K) -> Option<&mut V> {
        if self.known.len() == self.most && !self.known.contains_key(&key) {
            self.let_go += 1;
            return None;
        }
        Some(self.known.entry(key).or_default())
    }

    /// The same; and none, and counted, where the key is new and its client has [`CLIENT_CAP`] already, of which `of_client`
    /// keeps count: one client is not to take all the room.
    pub fn entry_of_client(&mut self, key: K, of_client: &mut usize) -> Option<&mut V> {
        let is_new = !self.known.contains_key(&key);
        if is_new && *of_client >= CLIENT_CAP {
            self.let_go += 1;
            return None;
        }
        if is_new && self.known.len() < self.most {
            *of_client += 1;
        }
        self.entry(key)
    }

    /// Everything that is remembered.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.known.values_mut()
    }

    /// Forgets everything but how much was let go, and gives it.
    pub fn take(&mut self) -> BTreeMap<K, V> {
        std::mem::take(&mut self.known)
    }

    /// How often there was no room.
    pub fn let_go(&self) -> u64 {
        self.let_go
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_keys_have_room_and_new_ones_beyond_the_bound_are_counted() {
        let mut bounded: Bounded<u32, u32> = Bounded::new(2);
        for key in [1, 2, 3, 1, 4] {
            if let Some(count) = bounded.entry(key) {
                *count += 1;
            }
        }
        assert_eq!(bounded.let_go(), 2);
        assert_eq!(bounded.take(), [(1, 2), (2, 1)].into());
        assert_eq!(bounded.let_go(), 2);
    }
}
