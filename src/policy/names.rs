//! What the words in `from`, `to` and `between` refer to: tiers, groups and destinations, which share one namespace,
//! AWS services, and the reserved words.
//!
//! | word | is |
//! |---|---|
//! | `any` | every endpoint |
//! | `any-tier` | every endpoint in a tier |
//! | `inside` | every endpoint in a network, unassigned ones included |
//! | `unassigned` | in a network's prefix, in no tier |
//! | `same-subnet` | only in `from_except` and `to_except`: the other end's own subnet |
//! | `internet` | every address outside the networks that is neither private nor local, AWS's and named ones included |
//! | `unlisted` | the internet less named destinations and less AWS services, those that are anybody's excepted |
//! | `private` | private addresses outside the networks |
//! | `outside` | `internet` and `private` |
//! | `aws:NAME`, `aws:*` | an AWS service |

use std::collections::HashMap;

use super::problem::{Problems, excerpt};
use super::section::Word;
use crate::net::aws;

/// What a word of a rule refers to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Name {
    Any,
    AnyTier,
    Inside,
    Unassigned,
    SameSubnet,
    Internet,
    Unlisted,
    Private,
    Outside,
    AnyAws,
    /// The bit of a service, see [`ServiceNames`].
    Aws(u8),
    Tier(u16),
    Group(u16),
    Destination(u16),
}

impl Name {
    /// The word that is written for it, if that is a reserved one.
    pub(super) fn reserved_word(self) -> Option<&'static str> {
        let mut all = RESERVED.into_iter();
        all.find(|(_, name)| *name == self).map(|(word, _)| word)
    }

    /// How much a word says, least number first: which of several rules that qualify names itself.
    pub(super) fn rank(self) -> u8 {
        match self {
            Name::Group(_) => 0,
            Name::Destination(_) => 1,
            Name::Tier(_) => 2,
            Name::Aws(_) => 3,
            Name::Private | Name::Unlisted | Name::Unassigned | Name::SameSubnet => 4,
            Name::Internet | Name::Outside | Name::Inside | Name::AnyTier | Name::AnyAws => 5,
            Name::Any => 6,
        }
    }

    /// Whether an end outside may be it.
    pub(super) fn may_be_outside(self) -> bool {
        self == Name::Any || !self.may_be_inside()
    }

    /// Whether an end inside may be it.
    pub(super) fn may_be_inside(self) -> bool {
        match self {
            Name::Any
            | Name::AnyTier
            | Name::Inside
            | Name::Unassigned
            | Name::SameSubnet
            | Name::Tier(_)
            | Name::Group(_) => true,
            Name::Internet
            | Name::Unlisted
            | Name::Private
            | Name::Outside
            | Name::AnyAws
            | Name::Aws(_)
            | Name::Destination(_) => false,
        }
    }
}

const RESERVED: [(&str, Name); 9] = [
    ("any", Name::Any),
    ("any-tier", Name::AnyTier),
    ("inside", Name::Inside),
    ("unassigned", Name::Unassigned),
    ("same-subnet", Name::SameSubnet),
    ("internet", Name::Internet),
    ("unlisted", Name::Unlisted),
    ("private", Name::Private),
    ("outside", Name::Outside),
];

/// Words that zones have beside the reserved ones: no tier, group or destination may be called so.
const ZONES: [&str; 2] = ["local", "default"];

/// Words that no tier, group or destination may be called.
pub fn reserved_words() -> impl Iterator<Item = &'static str> {
    RESERVED.iter().map(|(word, _)| *word).chain(ZONES)
}

/// AWS services by their bits: the codes of the records' own fields, then what pinned ranges name beyond them. The bit for
/// codes that records have and this list does not is left out.
#[derive(Clone, Debug)]
pub(super) struct ServiceNames {
    names: Vec<String>,
}

impl ServiceNames {
    /// The codes that records may have.
    pub(super) fn new() -> ServiceNames {
        ServiceNames {
            names: aws::SERVICES
                .iter()
                .map(|name| (*name).to_owned())
                .collect(),
        }
    }

    /// The bit of a service, a new one if need be; when all are taken, the one for other codes.
    pub(super) fn bit_or_add(&mut self, name: &str) -> u8 {
        if let Some(bit) = self.bit(name) {
            return bit;
        }
        if self.names.len() == usize::from(OTHER) {
            self.names.push(OTHER_NAME.to_owned());
        }
        if self.names.len() == 64 {
            return OTHER;
        }
        self.names.push(name.to_owned());
        (self.names.len() - 1) as u8
    }

    /// The bit of a service.
    pub(super) fn bit(&self, name: &str) -> Option<u8> {
        let at = self.names.iter().position(|known| known == name)?;
        (at != usize::from(OTHER)).then_some(at as u8)
    }

    /// The service with this bit.
    pub(super) fn name(&self, bit: u8) -> &str {
        let known = self.names.get(usize::from(bit));
        known.map_or(OTHER_NAME, String::as_str)
    }

    /// The service that a word means, else an error with the nearest.
    pub(super) fn resolve(&self, word: &Word, name: &str, problems: &mut Problems) -> Option<u8> {
        let bit = self.bit(name);
        if bit.is_none() {
            problems.unknown(
                &word.span,
                "AWS service",
                name,
                self.names.iter().map(String::as_str),
            );
        }
        bit
    }
}

/// The number of [`aws::OTHER_BIT`].
const OTHER: u8 = aws::OTHER_BIT.trailing_zeros() as u8;

/// What stands for services without a bit of their own.
const OTHER_NAME: &str = "other";

/// Where a word may stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// `from`, `to`, `between`.
    End,
    /// `from_except`, `to_except`.
    Except,
}

/// All names of a file.
pub(super) struct Names {
    names: HashMap<String, Name>,
    pub(super) services: ServiceNames,
}

impl Names {
    pub(super) fn new(services: ServiceNames) -> Names {
        Names {
            names: RESERVED
                .iter()
                .map(|(word, name)| ((*word).to_owned(), *name))
                .collect(),
            services,
        }
    }

    /// Declares a tier, group or destination; a name that is taken is an error.
    pub(super) fn declare(&mut self, word: &Word, name: Name, problems: &mut Problems) {
        if reserved_words().any(|reserved| reserved == word.text) {
            problems.add(&word.span, format!("`{}` is a reserved word", &**word));
            return;
        }
        match self.names.get(&word.text) {
            Some(taken) => problems.add_with_hint(
                &word.span,
                format!(
                    "`{}` is already the name of a {}",
                    excerpt(word),
                    kind(*taken)
                ),
                "tiers, groups and destinations share one set of names",
            ),
            None => {
                self.names.insert(word.text.clone(), name);
            }
        }
    }

    /// What a word refers to, else an error.
    pub(super) fn resolve(
        &self,
        word: &Word,
        place: Place,
        problems: &mut Problems,
    ) -> Option<Name> {
        if let Some(service) = word.strip_prefix("aws:") {
            return if service == "*" {
                Some(Name::AnyAws)
            } else {
                self.services
                    .resolve(word, service, problems)
                    .map(Name::Aws)
            };
        }
        match self.names.get(&word.text) {
            Some(Name::SameSubnet) if place == Place::End => {
                problems.add(&word.span, "`same-subnet` is for from_except and to_except only: it is the other end's subnet");
                None
            }
            Some(name) => Some(*name),
            None => {
                let mut known: Vec<&str> = self.names.keys().map(String::as_str).collect();
                known.sort_unstable();
                problems.unknown(&word.span, "name", word, known);
                None
            }
        }
    }

    /// What the words of a list refer to, sorted, each once.
    pub(super) fn resolve_all(
        &self,
        words: &[Word],
        place: Place,
        problems: &mut Problems,
    ) -> Vec<Name> {
        let mut names: Vec<Name> = words
            .iter()
            .filter_map(|word| self.resolve(word, place, problems))
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

fn kind(name: Name) -> &'static str {
    match name {
        Name::Tier(_) => "tier",
        Name::Group(_) => "group",
        Name::Destination(_) => "destination",
        _ => "reserved word",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_beyond_the_list_get_bits_of_their_own_until_all_are_taken() {
        let mut services = ServiceNames::new();
        let bits: Vec<u8> = (0..50)
            .map(|i| services.bit_or_add(&format!("NEW_{i}")))
            .collect();
        let num_own = 64 - 1 - aws::SERVICES.len();
        let mut own = bits[..num_own].to_vec();
        own.dedup();
        assert_eq!(own.len(), num_own);
        assert!(own.iter().all(|bit| *bit != OTHER));
        assert!(bits[num_own..].iter().all(|bit| *bit == OTHER));
        assert_eq!(services.name(bits[7]), "NEW_7");
        assert_eq!(services.name(OTHER), "other");
        assert_eq!(services.bit("other"), None);
        assert_eq!(ServiceNames::new().name(OTHER), "other");
    }
}
