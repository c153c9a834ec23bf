//! A change of a network's configuration, and what the configuration is with it.

use crate::config::{AclEntry, Config, Direction, GroupRule};

/// A change that somebody has to make; nothing here makes it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Change {
    /// A security group gets a rule.
    Authorize {
        /// The group's id.
        group: String,
        /// The rule.
        rule: GroupRule,
    },
    /// A network ACL gets an entry, with a number that is free.
    Insert {
        /// The ACL's id.
        acl: String,
        /// The entry.
        entry: AclEntry,
    },
    /// A security group loses a rule.
    Revoke {
        /// The group's id.
        group: String,
        /// The rule.
        rule: GroupRule,
    },
}

/// The configuration with these changes. What is to be revoked and is not there changes nothing.
pub fn applied(config: &Config, changes: &[Change]) -> Config {
    let mut config = config.clone();
    for change in changes {
        match change {
            Change::Authorize { group, rule } => {
                for own in config.groups.iter_mut().filter(|own| own.id == *group) {
                    own.rules.push(rule.clone());
                    own.rules.sort();
                    own.rules.dedup();
                }
            }
            Change::Revoke { group, rule } => {
                for own in config.groups.iter_mut().filter(|own| own.id == *group) {
                    own.rules.retain(|known| !is_same(known, rule));
                }
            }
            Change::Insert { acl, entry } => {
                for own in config.acls.iter_mut().filter(|own| own.id == *acl) {
                    own.entries.push(*entry);
                    own.entries.sort();
                }
            }
        }
    }
    config
}

/// Whether two rules let the same through: AWS has such a rule once, whatever is said of it.
pub(super) fn is_same(one: &GroupRule, other: &GroupRule) -> bool {
    (one.direction, one.traffic, &one.peer) == (other.direction, other.traffic, &other.peer)
}

/// Whether two changes do the same, whatever their descriptions.
pub(super) fn is_same_change(one: &Change, other: &Change) -> bool {
    match (one, other) {
        (
            Change::Authorize { group, rule },
            Change::Authorize {
                group: of,
                rule: by,
            },
        ) => group == of && is_same(rule, by),
        _ => one == other,
    }
}

/// The highest number of an entry that people may make.
const HIGHEST_NUMBER: u32 = 32_766;

/// A number of an ACL that is free and asked before that of `before`, the closest one; before the closing deny if that is
/// none. None if all are taken.
pub(super) fn free_number(
    entries: &[AclEntry],
    direction: Direction,
    before: Option<u32>,
) -> Option<u32> {
    let is_taken = |number: &u32| {
        let mut entries = entries.iter();
        entries.any(|entry| entry.direction == direction && entry.number == *number)
    };
    match before {
        Some(before) => (1..before.min(HIGHEST_NUMBER + 1))
            .rev()
            .find(|number| !is_taken(number)),
        None => {
            let of_direction = entries.iter().filter(|entry| entry.direction == direction);
            let last = of_direction.map(|entry| entry.number).max().unwrap_or(0);
            // Steps of ten leave room, as the console does.
            let next = (last / 10 + 1) * 10;
            let all = (next..=HIGHEST_NUMBER).chain(last + 1..next);
            all.chain((1..=last.min(HIGHEST_NUMBER)).rev())
                .find(|number| !is_taken(number))
        }
    }
}
