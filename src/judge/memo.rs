//! Reporters met lately in an object, found by the text of their fields without a lock.

use std::sync::Arc;

use crate::flow::{Field, Fields, Layout};

/// Buckets: more than the interfaces of a usual object, so that few meet in one.
const BUCKETS: usize = 4096;

/// Entries, and bytes of text, at which the memo starts anew: what does not fit it must not make it grow.
const MOST: usize = 1 << 16;
const MOST_TEXT: usize = 16 << 20;

/// What is remembered of the reporters of an object.
pub(super) struct Memo<T> {
    /// By a hash of the interface id.
    recent: Box<[Recent; BUCKETS]>,
    met: Vec<Met<T>>,
    /// The [`Fields::reporter_texts`] of all, one after the other, each behind its length (four bytes, the lowest first).
    texts: Vec<u8>,
}

/// A reporter that was met. What is compared is found without looking at [`Met`] first.
#[derive(Clone, Copy)]
struct Recent {
    /// Its place in `met`, or [`NOBODY`].
    place: u32,
    /// Where its texts begin.
    texts: u32,
}

const NOBODY: u32 = u32::MAX;

struct Met<T> {
    /// What its rows were laid out by: texts of another layout mean something else.
    layout: Arc<Layout>,
    value: T,
}

impl<T> Default for Memo<T> {
    fn default() -> Memo<T> {
        let nobody = Recent {
            place: NOBODY,
            texts: 0,
        };
        Memo {
            recent: Box::new([nobody; BUCKETS]),
            met: Vec::new(),
            texts: Vec::new(),
        }
    }
}

impl<T> Memo<T> {
    /// The place of a row's reporter, if it was met.
    #[inline]
    pub fn find(&self, fields: &impl Fields) -> Option<usize> {
        let recent = self.recent[bucket(fields)];
        let met = self.met.get(recent.place as usize)?;
        let mut known = &self.texts[recent.texts as usize..];
        // One layout always has the same number of texts.
        let is_same = fields.reporter_texts().all(|text| {
            let Some((length, rest)) = known.split_first_chunk() else {
                return false;
            };
            u32::from_le_bytes(*length) as usize == text.len()
                && rest
                    .split_at_checked(text.len())
                    .is_some_and(|(own, rest)| {
                        known = rest;
                        same(own, text)
                    })
        });
        (is_same && Arc::ptr_eq(&met.layout, fields.layout())).then_some(recent.place as usize)
    }

    /// Remembers something of a row's reporter; its place.
    pub fn insert(&mut self, fields: &impl Fields, value: T) -> usize {
        if self.met.len() == MOST || self.texts.len() > MOST_TEXT {
            *self = Memo::default();
        }
        self.recent[bucket(fields)] = Recent {
            place: self.met.len() as u32,
            texts: self.texts.len() as u32,
        };
        for text in fields.reporter_texts() {
            self.texts.extend((text.len() as u32).to_le_bytes());
            self.texts.extend_from_slice(text);
        }
        self.met.push(Met {
            layout: fields.layout().clone(),
            value,
        });
        self.met.len() - 1
    }

    /// What is remembered at a place.
    #[inline]
    pub fn at(&self, place: usize) -> &T {
        &self.met[place].value
    }

    /// What is remembered at a place, to be changed.
    #[inline]
    pub fn at_mut(&mut self, place: usize) -> &mut T {
        &mut self.met[place].value
    }
}

#[inline]
fn bucket(fields: &impl Fields) -> usize {
    let id = fields
        .text(Field::InterfaceId)
        .or_else(|| fields.text(Field::TgwAttachmentId))
        .unwrap_or_default();
    let mut hash = id.len() as u64;
    if let Some(tail) = id.last_chunk::<8>() {
        hash ^= u64::from_le_bytes(*tail);
    }
    (hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52) as usize
}

/// Whether texts of one length are the same. Texts differ in length from reporter to reporter, by which a library's
/// comparison chooses its way; this one does not choose.
#[inline(always)]
fn same(one: &[u8], other: &[u8]) -> bool {
    let (Some(last), Some(other_last)) = (one.last_chunk::<16>(), other.last_chunk::<16>()) else {
        return one == other;
    };
    let number = |bytes: &[u8; 16]| u128::from_ne_bytes(*bytes);
    let pairs = one
        .as_chunks::<16>()
        .0
        .iter()
        .zip(other.as_chunks::<16>().0);
    let differ = pairs.fold(number(last) ^ number(other_last), |differ, (a, b)| {
        differ | (number(a) ^ number(b))
    });
    differ == 0
}
