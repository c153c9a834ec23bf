//! Whose turn it is to write to a lake: one process at a time holds its lease.
//!
//! In a folder the lease is a lock on `lake.json`, which the system takes back when its holder ends. In S3 it is an object
//! that only its holder replaces, again and again, by conditional writes; nobody's clock is trusted: whoever waits takes it
//! over when it has seen no beat for long enough by its own.

use std::fs::File;

use serde::{Deserialize, Serialize};

use super::lake::DESCRIPTION;
use super::store::Tag;
use super::{Lake, LakeError};

/// The object in S3.
const LEASE: &str = "_lease.json";

/// What the object says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// Who holds it; empty when nobody does.
    holder: String,
    /// How often it was renewed.
    beats: u64,
}

/// What comes of asking for a lease.
pub enum Asked {
    /// It is ours.
    Held(Lease),
    /// It is another's; in S3 with its last beat.
    Taken(Option<Beat>),
}

/// A lease that is held, until it is given back or lost. Lost without further ado when the process ends.
pub struct Lease {
    lake: Lake,
    held: Held,
}

enum Held {
    /// The lock goes with the file.
    Lock(#[allow(dead_code)] File),
    Object {
        beat: Beat,
        tag: Tag,
    },
}

impl Lease {
    /// Asks for the lease of a lake. `holder` names who asks, the same from run to run: what it held itself it takes up
    /// again. `dead` is a beat that was the last one for longer than a holder would be silent.
    ///
    /// # Errors
    /// When the store fails.
    pub fn ask(lake: &Lake, holder: &str, dead: Option<&Beat>) -> Result<Asked, LakeError> {
        let store = lake.store();
        let lease = |held| {
            Asked::Held(Lease {
                lake: lake.clone(),
                held,
            })
        };
        if store.is_local() {
            return Ok(match store.lock(DESCRIPTION)? {
                Some(file) => lease(Held::Lock(file)),
                None => Asked::Taken(None),
            });
        }
        let found = store.get_tagged(LEASE)?;
        let (beats, tag) = match found {
            None => (0, None),
            Some((text, tag)) => {
                let known: Option<Beat> = serde_json::from_slice(&text).ok();
                match known {
                    Some(known) if is_free(&known, holder, dead) => (known.beats, Some(tag)),
                    // What nobody understands is nobody's.
                    None => (0, Some(tag)),
                    known => return Ok(Asked::Taken(known)),
                }
            }
        };
        let beat = Beat {
            holder: holder.to_owned(),
            beats: beats + 1,
        };
        // Another that asks at the same time is as good.
        Ok(match store.put_tagged(LEASE, &text(&beat), tag.as_ref())? {
            Some(tag) => lease(Held::Object { beat, tag }),
            None => Asked::Taken(None),
        })
    }

    /// Says that the holder lives; whether it still holds the lease.
    ///
    /// # Errors
    /// When the store fails.
    pub fn renew(&mut self) -> Result<bool, LakeError> {
        let Held::Object { beat, tag } = &mut self.held else {
            return Ok(true);
        };
        let next = Beat {
            beats: beat.beats + 1,
            ..beat.clone()
        };
        let store = self.lake.store();
        match store.put_tagged(LEASE, &text(&next), Some(tag))? {
            Some(new) => (*beat, *tag) = (next, new),
            // A request that was repeated after a lost answer finds its own beat there.
            None => match store.get_tagged(LEASE)? {
                Some((found, new)) if *found == *text(&next) => (*beat, *tag) = (next, new),
                _ => return Ok(false),
            },
        }
        Ok(true)
    }

    /// Gives it back.
    ///
    /// # Errors
    /// When the store fails.
    pub fn give_back(self) -> Result<(), LakeError> {
        if let Held::Object { beat, tag } = &self.held {
            let free = Beat {
                holder: String::new(),
                beats: beat.beats + 1,
            };
            let store = self.lake.store();
            store.put_tagged(LEASE, &text(&free), Some(tag))?;
        }
        Ok(())
    }
}

fn is_free(known: &Beat, holder: &str, dead: Option<&Beat>) -> bool {
    known.holder.is_empty() || known.holder == holder || Some(known) == dead
}

fn text(beat: &Beat) -> Vec<u8> {
    serde_json::to_vec(beat).expect("two plain fields are JSON")
}
