//! Reporters met lately in an object, found by the text of their fields without a lock.

use std::sync::Arc;

use crate::flow::{Field, Fields, Layout};

/// Buckets: more than the interfaces of a usual object, so that few meet in one.
const BUCKETS: usize = 4096;

/// Entries at which the memo starts anew: what does not fit it (very long texts) must not make it grow.
const MOST: usize = 1 << 16;

/// What is remembered of the reporters of an object.
pub(super) struct Memo<T> {
    /// By a hash of the interface id: place in `met` + 1.
    recent: Box<[u32; BUCKETS]>,
    met: Vec<Met<T>>,
}

struct Met<T> {
    /// What its rows were laid out by: texts of another layout mean something else.
    layout: Arc<Layout>,
    /// Its [`Fields::reporter_texts`], one after the other, and where each ends.
    texts: Box<[u8]>,
    ends: Box<[u32]>,
    value: T,
}

impl<T> Default for Memo<T> {
    fn default() -> Memo<T> {
        Memo {
            recent: Box::new([0; BUCKETS]),
            met: Vec::new(),
        }
    }
}

impl<T> Memo<T> {
    /// The place of a row's reporter, if it was met.
    #[inline]
    pub fn find(&self, fields: &impl Fields) -> Option<usize> {
        let place = (self.recent[bucket(fields)] as usize).checked_sub(1)?;
        self.met[place].is(fields).then_some(place)
    }

    /// Remembers something of a row's reporter; its place.
    pub fn insert(&mut self, fields: &impl Fields, value: T) -> usize {
        if self.met.len() == MOST {
            *self = Memo::default();
        }
        let (mut texts, mut ends) = (Vec::new(), Vec::new());
        for text in fields.reporter_texts() {
            texts.extend_from_slice(text);
            ends.push(texts.len() as u32);
        }
        self.met.push(Met {
            layout: fields.layout().clone(),
            texts: texts.into(),
            ends: ends.into(),
            value,
        });
        self.recent[bucket(fields)] = self.met.len() as u32;
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

impl<T> Met<T> {
    #[inline]
    fn is(&self, fields: &impl Fields) -> bool {
        // One layout always has the same number of texts.
        let mut start = 0;
        Arc::ptr_eq(&self.layout, fields.layout())
            && fields.reporter_texts().zip(&self.ends).all(|(text, end)| {
                let known = &self.texts[start..*end as usize];
                start = *end as usize;
                known == text
            })
    }
}
