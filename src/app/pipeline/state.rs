//! How far a batch is, and what is done next: no locks, no waiting.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::{Gathered, SlotPlan, Task};
use crate::app::shared::Share;
use crate::judge::evidence::Evidence;
use crate::judge::fold::hour_at;

/// How far a slot is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Phase {
    /// Objects are being fetched and folded.
    Folding,
    /// All objects are folded.
    Folded,
    /// Its evidence is being drawn.
    Proving,
    /// Its evidence is there.
    Proven,
    /// It is being judged, and its records read again.
    Judging,
    /// Nothing is left to do.
    Done,
}

pub(super) struct Slot {
    pub(super) start: u32,
    pub(super) judged: bool,
    pub(super) objects: Vec<usize>,
    pub(super) phase: Phase,
    /// Objects that are not folded yet, those in hand included.
    pub(super) left: usize,
    /// Threads that are folding into it, or judging it.
    pub(super) hands: usize,
    pub(super) gathered: Gathered,
    /// What threads share in it from when it is proven until it is done.
    pub(super) share: Option<Share>,
    pub(super) evidence: Option<Arc<Evidence>>,
}

impl Slot {
    /// Whether threads have begun to fold its objects, and it is not done: its connections are in memory.
    fn is_begun(&self) -> bool {
        let is_folded = self.left < self.objects.len();
        match self.phase {
            Phase::Folding => self.hands > 0 || is_folded,
            Phase::Folded | Phase::Proving | Phase::Proven | Phase::Judging => is_folded,
            Phase::Done => false,
        }
    }
}

/// Slots, objects and hours of a batch, and how far each is.
pub(super) struct State<B> {
    pub(super) slots: Vec<Slot>,
    /// Objects to be fetched, in order: slot, place, size.
    pub(super) to_fetch: VecDeque<(usize, usize, u64)>,
    /// Objects that were fetched: slot, place, size, body.
    pub(super) fetched: VecDeque<(usize, usize, u64, B)>,
    /// Objects and bytes that are being fetched or wait to be folded.
    pub(super) in_hand: (usize, u64),
    /// Evidence of slots before the batch, by start.
    pub(super) before: BTreeMap<u32, Arc<Evidence>>,
    /// Hours that are not committed yet, in order, each with how many of its slots are not judged.
    pub(super) hours: VecDeque<(u32, usize)>,
    pub(super) committing: bool,
    /// A thread failed: no more tasks.
    pub(super) stopped: bool,
}

impl<B> State<B> {
    /// Nothing is begun: slots in order of their start; `before` is the evidence of earlier ones.
    pub(super) fn new(
        plans: Vec<SlotPlan>,
        before: BTreeMap<u32, Arc<Evidence>>,
        threads: usize,
    ) -> State<B> {
        let mut hours: VecDeque<(u32, usize)> = VecDeque::new();
        for plan in plans.iter().filter(|plan| plan.judged) {
            let hour = hour_at(plan.start);
            match hours.back_mut() {
                Some((last, count)) if *last == hour => *count += 1,
                _ => hours.push_back((hour, 1)),
            }
        }
        let to_fetch = in_turns(&plans, threads);
        let slots = plans
            .into_iter()
            .map(|plan| Slot {
                start: plan.start,
                judged: plan.judged,
                objects: plan.objects.iter().map(|(object, _)| *object).collect(),
                phase: if plan.objects.is_empty() {
                    Phase::Folded
                } else {
                    Phase::Folding
                },
                left: plan.objects.len(),
                hands: 0,
                gathered: Gathered::default(),
                share: None,
                evidence: None,
            })
            .collect();
        State {
            slots,
            to_fetch,
            fetched: VecDeque::new(),
            in_hand: (0, 0),
            before,
            hours,
            committing: false,
            stopped: false,
        }
    }

    /// Whether nothing is left to do.
    pub(super) fn is_done(&self) -> bool {
        self.hours.is_empty() && self.slots.iter().all(|slot| slot.phase == Phase::Done)
    }

    /// What a thread does next that worked on the slot `current` last; none where there is nothing to do yet.
    pub(super) fn pick(
        &mut self,
        current: &mut Option<usize>,
        horizon_secs: u32,
        threads: usize,
    ) -> Option<Task<B>> {
        if let Some(&(hour, 0)) = self.hours.front()
            && !self.committing
        {
            self.committing = true;
            return Some(Task::Commit(hour));
        }
        if let Some(slot) = self
            .slots
            .iter()
            .position(|slot| slot.phase == Phase::Folded)
        {
            self.slots[slot].phase = Phase::Proving;
            return Some(Task::Prove(slot));
        }
        if let Some(slot) = self.joinable(|share| matches!(share, Share::Record(_))) {
            return self.join(slot);
        }
        if !self.folding_ends(threads)
            && let Some(slot) = self.judgeable(horizon_secs)
        {
            return self.join(slot);
        }
        let (may_begin, first) = (self.may_begin(threads), self.first_unproven());
        let may_be_folded = |slot| may_begin || Some(slot) == first || self.slots[slot].is_begun();
        let best = (0..self.fetched.len())
            .filter(|place| may_be_folded(self.fetched[*place].0))
            .min_by_key(|place| {
                let slot = self.fetched[*place].0;
                (Some(slot) != *current, self.slots[slot].hands > 0, slot)
            });
        let Some(best) = best else {
            let slot = self.joinable(|_| true)?;
            return self.join(slot);
        };
        let (slot, object, size, body) = self.fetched.remove(best)?;
        *current = Some(slot);
        self.slots[slot].hands += 1;
        self.in_hand = (self.in_hand.0 - 1, self.in_hand.1 - size);
        Some(Task::Fold { slot, object, body })
    }

    /// Whether one more slot may be begun: each takes memory. More than there are threads only where nobody works on those
    /// that are begun, which then wait for objects, or for a slot before them.
    fn may_begin(&self, threads: usize) -> bool {
        let is_worked_on =
            |slot: &Slot| slot.hands > 0 || matches!(slot.phase, Phase::Proving | Phase::Judging);
        let mut begun = self.slots.iter().filter(|slot| slot.is_begun());
        begun.clone().count() < threads || !begun.any(is_worked_on)
    }

    /// The first slot whose evidence is not drawn: those after it wait for it.
    fn first_unproven(&self) -> Option<usize> {
        let is_unproven = |slot: &Slot| slot.phase < Phase::Proven;
        self.slots.iter().position(is_unproven)
    }

    /// The first slot of those that are being judged where a thread more would find something to do that is wanted.
    fn joinable(&self, wanted: impl Fn(&Share) -> bool) -> Option<usize> {
        self.slots.iter().position(|slot| {
            let share = slot.share.as_ref().filter(|share| share.has_more());
            slot.phase == Phase::Judging && share.is_some_and(&wanted)
        })
    }

    fn join(&mut self, slot: usize) -> Option<Task<B>> {
        let state = &mut self.slots[slot];
        state.phase = Phase::Judging;
        state.hands += 1;
        Some(Task::Judge(slot, state.share.clone()?))
    }

    /// Whether what is left to fold are two objects for each thread, of slots that are begun. They go first then, so that
    /// at the end all threads have something to judge, also while one proves the last slot. Not beside the commit of an
    /// hour, which takes memory and time of its own.
    fn folding_ends(&self, threads: usize) -> bool {
        self.hours.len() == 1
            && self.to_fetch.is_empty()
            && (1..=2 * threads).contains(&self.fetched.len())
            && self
                .fetched
                .iter()
                .all(|(slot, ..)| self.slots[*slot].is_begun())
    }

    /// Lets go of evidence that neither a slot that is not done nor one after the batch is judged by.
    pub(super) fn forget_evidence(&mut self, horizon_secs: u32) {
        let next = self.slots.iter().find(|slot| slot.phase != Phase::Done);
        let Some(next) = next.or(self.slots.last()) else {
            return;
        };
        let from = next.start.saturating_sub(horizon_secs);
        self.before = self.before.split_off(&from);
        let old = self.slots.iter_mut().filter(|slot| slot.start < from);
        old.for_each(|slot| slot.evidence = None);
    }

    /// The first proven slot, if all of its horizon is proven.
    fn judgeable(&self, horizon_secs: u32) -> Option<usize> {
        let slot = self
            .slots
            .iter()
            .position(|slot| slot.phase == Phase::Proven)?;
        let from = self.slots[slot].start.saturating_sub(horizon_secs);
        let mut earlier = self.slots[..slot]
            .iter()
            .rev()
            .take_while(|earlier| earlier.start >= from);
        earlier
            .all(|earlier| earlier.evidence.is_some())
            .then_some(slot)
    }
}

/// The order in which objects are fetched: slot by slot, so that few are open at a time; those of the last slots, as many
/// as there are threads, take turns, so that no thread waits for another's slot when nothing else is left.
fn in_turns(plans: &[SlotPlan], threads: usize) -> VecDeque<(usize, usize, u64)> {
    let last = plans.len().saturating_sub(threads);
    let mut order = Vec::new();
    for (slot, plan) in plans.iter().enumerate() {
        for (turn, &(object, size)) in plan.objects.iter().enumerate() {
            let turn = if slot < last { 0 } else { turn };
            order.push(((slot.min(last), turn), (slot, object, size)));
        }
    }
    order.sort_by_key(|(turn, _)| *turn);
    order.into_iter().map(|(_, object)| object).collect()
}
