//! Which classes of addresses a rule's `from` or `to` holds: surely, whatever records say; perhaps, if records or evidence
//! say so; or never. Two lists are compared by these sets, and where facts decide, by the names that they share.

use std::collections::HashMap;

use super::super::bits::Bits;
use super::super::names::Name;
use super::super::space::Kind;
use super::super::{ClassId, GroupId, Policy};

/// How the addresses of a class stand towards a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Holds {
    /// The name never is one of them.
    Never,
    /// It depends on what records say of the end, on evidence, or on the other end.
    Perhaps,
    /// The name always is one of them.
    Always,
}

/// How the addresses of a class stand towards a name, whatever records say.
pub(super) fn holds(policy: &Policy, class: ClassId, name: Name) -> Holds {
    let class = policy.space.class(class);
    let by_class = |is: bool| if is { Holds::Always } else { Holds::Never };
    let perhaps = |could: bool| if could { Holds::Perhaps } else { Holds::Never };
    match name {
        Name::Any => Holds::Always,
        Name::AnyTier => by_class(class.subnet.is_some()),
        Name::Inside => by_class(class.kind == Kind::Inside),
        Name::Unassigned => by_class(class.kind == Kind::Inside && class.subnet.is_none()),
        Name::Internet => by_class(class.kind == Kind::Internet),
        Name::Private => by_class(class.kind == Kind::Private),
        Name::Outside => by_class(matches!(class.kind, Kind::Internet | Kind::Private)),
        Name::SameSubnet => perhaps(class.subnet.is_some()),
        Name::Tier(tier) => by_class(
            class
                .subnet
                .is_some_and(|subnet| policy.places.subnets[subnet as usize].tier == tier),
        ),
        Name::Unlisted => perhaps(
            class.kind == Kind::Internet
                && class.destinations.is_empty()
                && class.services & !policy.anybodys == 0,
        ),
        Name::AnyAws | Name::Aws(_) => {
            let wanted = match name {
                Name::Aws(bit) => 1 << bit,
                _ => u64::MAX,
            };
            match class.kind {
                Kind::Inside => Holds::Never,
                _ if class.services & wanted != 0 => Holds::Always,
                _ => Holds::Perhaps,
            }
        }
        Name::Group(group) => {
            if class.groups.binary_search(&GroupId(group)).is_ok() {
                return Holds::Always;
            }
            let could = policy.places.groups[usize::from(group)].is_beyond_prefixes();
            perhaps(could && !class.is_dormant(group))
        }
        Name::Destination(id) => {
            if class.kind == Kind::Inside {
                return Holds::Never;
            }
            if class.destinations.binary_search(&id).is_ok() {
                return Holds::Always;
            }
            let could = policy.places.destinations[usize::from(id)].is_beyond_prefixes();
            perhaps(could && !class.is_dormant(id))
        }
    }
}

/// Whether a name is always either so or not so: no evidence for it can be missing.
fn is_definite(policy: &Policy, name: Name) -> bool {
    match name {
        Name::Group(group) => !policy.places.groups[usize::from(group)].needs_inventory(),
        Name::Destination(id) => {
            let destination = &policy.places.destinations[usize::from(id)];
            destination.domains.is_empty()
                && destination.missing_lists.is_empty()
                && (destination.services == 0 || policy.has_ranges)
        }
        Name::Aws(_) | Name::AnyAws | Name::Unlisted => policy.has_ranges,
        _ => true,
    }
}

/// `from` and `from_except`, or `to` and `to_except`.
pub(super) struct Ends<'p> {
    pub(super) names: &'p [Name],
    pub(super) except: &'p [Name],
    /// Classes whose ends always are of the list.
    pub(super) sure: Bits,
    /// Classes whose ends could be; `sure` is within it.
    pub(super) may: Bits,
}

/// All such lists of a policy, each once.
pub(super) struct EndLists<'p> {
    policy: &'p Policy,
    lists: Vec<Ends<'p>>,
    numbers: HashMap<(&'p [Name], &'p [Name]), usize>,
    /// By name the classes that always and that perhaps are of it.
    names: HashMap<Name, (Bits, Bits)>,
    /// Classes that no network's view has: they are in no list.
    unseen: Bits,
}

impl<'p> EndLists<'p> {
    pub(super) fn new(policy: &'p Policy) -> EndLists<'p> {
        let mut unseen = Bits::new(policy.space.classes().len());
        for (class, is_seen) in policy.space.seen().into_iter().enumerate() {
            if !is_seen {
                unseen.insert(class);
            }
        }
        EndLists {
            policy,
            lists: Vec::new(),
            numbers: HashMap::new(),
            names: HashMap::new(),
            unseen,
        }
    }

    pub(super) fn list(&self, number: usize) -> &Ends<'p> {
        &self.lists[number]
    }

    /// The number of a list.
    pub(super) fn number(&mut self, names: &'p [Name], except: &'p [Name]) -> usize {
        if let Some(number) = self.numbers.get(&(names, except)) {
            return *number;
        }
        let (mut sure, mut may) = self.union(names);
        let (never, not_sure) = self.union(except);
        sure.take(&not_sure);
        may.take(&never);
        self.lists.push(Ends {
            names,
            except,
            sure,
            may,
        });
        self.numbers.insert((names, except), self.lists.len() - 1);
        self.lists.len() - 1
    }

    /// The classes that always are of one of the names, and those that could be.
    fn union(&mut self, names: &[Name]) -> (Bits, Bits) {
        let bound = self.policy.space.classes().len();
        let (mut always, mut could) = (Bits::new(bound), Bits::new(bound));
        for name in names {
            let policy = self.policy;
            let (by_class, perhaps) = self
                .names
                .entry(*name)
                .or_insert_with(|| classes_of(policy, *name));
            always.add(by_class);
            could.add(by_class);
            could.add(perhaps);
        }
        always.take(&self.unseen);
        could.take(&self.unseen);
        (always, could)
    }

    /// Whether whoever is of list `inner` is as surely of list `outer`, whatever records say. False where that is not
    /// certain.
    pub(super) fn is_within(&self, inner: usize, outer: usize) -> bool {
        if inner == outer {
            return true;
        }
        let (inner, outer) = (self.list(inner), self.list(outer));
        inner.may.is_within(&outer.may)
            && inner
                .may
                .without(&outer.sure)
                .all(|class| self.goes_with(class, inner, outer, &|_| true))
    }

    /// Whether whoever could be of list `inner` certainly is of list `outer`, whatever records say and whatever evidence
    /// is missing. False where that is not certain.
    pub(super) fn is_surely_within(&self, inner: usize, outer: usize) -> bool {
        let (inner, outer) = (self.list(inner), self.list(outer));
        let is_definite = |name: Name| is_definite(self.policy, name);
        inner.may.is_within(&outer.may)
            && inner
                .may
                .without(&outer.sure)
                .all(|class| self.goes_with(class, inner, outer, &is_definite))
    }

    /// Within one class: whatever makes an end one of `inner` makes it one of `outer`, and what takes it away from
    /// `outer` takes it away from `inner`; both through names that are `fit` for it.
    fn goes_with(
        &self,
        class: usize,
        inner: &Ends<'_>,
        outer: &Ends<'_>,
        is_fit: &dyn Fn(Name) -> bool,
    ) -> bool {
        let holds = |name: &Name| holds(self.policy, ClassId(class as u32), *name);
        let has_always = |names: &[Name]| names.iter().any(|name| holds(name) == Holds::Always);
        // Each name that decides by facts in `names` also stands in `others`.
        let stand_in = |names: &[Name], others: &[Name]| {
            let mut by_facts = names.iter().filter(|name| holds(name) == Holds::Perhaps);
            by_facts.all(|name| is_fit(*name) && others.contains(name))
        };
        let is_named = has_always(outer.names)
            || (!has_always(inner.names) && stand_in(inner.names, outer.names));
        is_named && !has_always(outer.except) && stand_in(outer.except, inner.except)
    }
}

fn classes_of(policy: &Policy, name: Name) -> (Bits, Bits) {
    let bound = policy.space.classes().len();
    let (mut always, mut perhaps) = (Bits::new(bound), Bits::new(bound));
    for class in 0..bound {
        match holds(policy, ClassId(class as u32), name) {
            Holds::Always => always.insert(class),
            Holds::Perhaps => perhaps.insert(class),
            Holds::Never => {}
        }
    }
    (always, perhaps)
}
