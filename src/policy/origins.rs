//! Files that `[data]` names to tell whose addresses outside are, for the text of findings. They decide nothing and are no
//! part of the policy's hash. They are large, so a policy looks whether they can be used and holds their names only.

use super::Policy;
use super::file::Data;
use super::pinned::{Read, bytes_of};
use super::problem::{Problems, excerpt};
use super::section::Word;
use crate::net::{Origins, OriginsError};

/// Names of files as `[data]` has them: relative to the policy file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OriginFiles {
    /// `asn`: autonomous systems.
    pub asn: Option<String>,
    /// `geo`: countries.
    pub geo: Option<String>,
}

impl OriginFiles {
    /// What the files tell; `read` reads one of this name.
    ///
    /// # Errors
    /// The first that cannot be read or used, by its name.
    pub fn origins(&self, read: Read<'_>) -> Result<Origins, String> {
        let mut origins = Origins::default();
        for (name, set) in [(&self.asn, SET_ASN), (&self.geo, SET_GEO)] {
            let Some(name) = name else { continue };
            let shown = excerpt(name);
            let bytes = read(name).map_err(|error| format!("cannot read `{shown}`: {error}"))?;
            set(&mut origins, bytes).map_err(|error| format!("cannot use `{shown}`: {error}"))?;
        }
        Ok(origins)
    }
}

type Set = fn(&mut Origins, Vec<u8>) -> Result<(), OriginsError>;
const SET_ASN: Set = Origins::set_asn;
const SET_GEO: Set = Origins::set_geo;

/// The files of `asn` and `geo`, each of which can be used.
pub(super) fn read(data: &Data, read: Read<'_>, problems: &mut Problems) -> OriginFiles {
    let mut check = |word: &Option<Word>, set: Set| {
        let word = word.as_ref()?;
        let bytes = bytes_of(word, read, problems)?;
        if let Err(error) = set(&mut Origins::default(), bytes) {
            problems.add(
                &word.span,
                format!("cannot use `{}`: {error}", excerpt(word)),
            );
        }
        Some(word.text.clone())
    };
    OriginFiles {
        asn: check(&data.asn, SET_ASN),
        geo: check(&data.geo, SET_GEO),
    }
}

impl Policy {
    /// What `[data]` names to tell whose addresses outside are.
    pub fn origin_files(&self) -> &OriginFiles {
        &self.origin_files
    }
}
