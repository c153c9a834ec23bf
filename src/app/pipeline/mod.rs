//! The stages of a batch and who works on what: fold objects into slots, prove, judge, commit hours in order.
//!
//! Every thread asks the [`Board`] for its next task. Objects are fetched ahead, slot by slot; a thread prefers the slot
//! that it worked on last, then the first that nobody works on, so that there is less to merge; as many slots are begun as
//! there are threads. A slot is judged when it and the slots of its horizon have been folded, by one thread and by those
//! that have nothing else to do; an hour is committed when its slots are judged and the hours before it are committed.

mod state;

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::kept::Recording;
use super::shared::{Judging, Share};
use super::spill::Run;
use crate::judge::evidence::Evidence;
use crate::judge::fold::{SLOT_SECS, hour_at};
use crate::judge::part::SlotPart;

use state::{Phase, State};

/// A slot of a batch.
#[derive(Debug)]
pub struct SlotPlan {
    /// Its start, seconds since 1970.
    pub start: u32,
    /// Its objects: the place in the batch, and the size as stored in bytes.
    pub objects: Vec<(usize, u64)>,
    /// Whether it is to be judged, or read for its evidence only.
    pub judged: bool,
}

/// What a thread does next; `B` is an object's bytes, or why there are none.
pub enum Task<B> {
    /// Fold an object into a slot.
    Fold {
        /// The slot's place.
        slot: usize,
        /// The object's place in the batch.
        object: usize,
        /// What was fetched.
        body: B,
    },
    /// Draw the evidence of a slot whose objects are all folded.
    Prove(usize),
    /// Judge a slot, or help those who do.
    Judge(usize, Share),
    /// Commit the hour that begins at this instant.
    Commit(u32),
}

/// What has been gathered of a slot.
#[derive(Default)]
pub struct Gathered {
    /// Parts that no thread is working on.
    pub parts: Vec<SlotPart>,
    /// Parts that went to disk.
    pub runs: Vec<Run>,
}

/// Bounds of what is in hand at once.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Threads that will ask for tasks.
    pub threads: usize,
    /// Slots whose evidence a slot is judged by.
    pub horizon: u32,
    /// Objects that are being fetched or wait to be folded.
    pub objects: usize,
    /// Their bytes as stored; one object may exceed it.
    pub bytes: u64,
}

/// Who does what next: the state of a batch, shared by its threads.
pub struct Board<B> {
    state: Mutex<State<B>>,
    changed: Condvar,
    limits: Limits,
}

impl<B> Board<B> {
    /// A board for the slots of a batch, in order of their start; `before` is the evidence of earlier slots.
    pub fn new(
        plans: Vec<SlotPlan>,
        before: BTreeMap<u32, Arc<Evidence>>,
        limits: Limits,
    ) -> Board<B> {
        Board {
            state: Mutex::new(State::new(plans, before, limits.threads)),
            changed: Condvar::new(),
            limits,
        }
    }

    /// Puts what was gathered of a slot beforehand (from objects without key times) where its threads find it.
    pub fn seed(&self, slot: usize, gathered: Gathered) {
        self.lock().slots[slot].gathered = gathered;
    }

    /// Objects whose fetching may begin now: the slot's place and the object's. Ask after every task; each is named
    /// once.
    pub fn to_fetch(&self) -> Vec<(usize, usize)> {
        let mut state = self.lock();
        let mut begin = Vec::new();
        // Two slots a thread: one in work, one whose objects arrive.
        let open = state
            .slots
            .iter()
            .position(|slot| slot.phase != Phase::Done)
            .unwrap_or(0)
            + 2 * self.limits.threads;
        while let Some(&(slot, object, size)) = state.to_fetch.front() {
            let (objects, bytes) = state.in_hand;
            let has_room = objects == 0
                || (objects < self.limits.objects && bytes + size <= self.limits.bytes);
            if slot >= open || !has_room || state.stopped {
                break;
            }
            state.in_hand = (objects + 1, bytes + size);
            state.to_fetch.pop_front();
            begin.push((slot, object));
        }
        begin
    }

    /// An object has arrived, or never will.
    pub fn arrived(&self, slot: usize, object: usize, size: u64, body: B) {
        self.lock().fetched.push_back((slot, object, size, body));
        self.changed.notify_all();
    }

    /// The next task of a thread that worked on the slot `current` last; none when all is done. Waits while there is
    /// nothing to do yet.
    pub fn next(&self, current: &mut Option<usize>) -> Option<Task<B>> {
        let mut state = self.lock();
        loop {
            if state.stopped || state.is_done() {
                self.changed.notify_all();
                return None;
            }
            if let Some(task) = state.pick(current, self.horizon_secs(), self.limits.threads) {
                if matches!(task, Task::Judge(..)) {
                    // Whoever waits may help.
                    self.changed.notify_all();
                }
                return Some(task);
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn horizon_secs(&self) -> u32 {
        self.limits.horizon * SLOT_SECS
    }

    /// Takes a part of the slot to fold into.
    pub fn take_part(&self, slot: usize) -> SlotPart {
        self.lock().slots[slot]
            .gathered
            .parts
            .pop()
            .unwrap_or_default()
    }

    /// An object was folded (or could not be read): gives the part back, and the runs that its connections went to.
    pub fn folded(&self, slot: usize, part: SlotPart, runs: impl IntoIterator<Item = Run>) {
        let mut state = self.lock();
        let slot = &mut state.slots[slot];
        slot.gathered.parts.push(part);
        slot.gathered.runs.extend(runs);
        slot.left -= 1;
        slot.hands -= 1;
        if slot.left == 0 {
            slot.phase = Phase::Folded;
        }
        self.changed.notify_all();
    }

    /// Takes all that was gathered of a slot.
    pub fn take_gathered(&self, slot: usize) -> Gathered {
        std::mem::take(&mut self.lock().slots[slot].gathered)
    }

    /// The slot's evidence is drawn; what there is to judge, if it is to be judged.
    pub fn proven(&self, slot: usize, evidence: Evidence, judging: Option<Judging>) {
        let mut state = self.lock();
        let slot = &mut state.slots[slot];
        slot.evidence = Some(Arc::new(evidence));
        slot.phase = match judging {
            Some(_) => Phase::Proven,
            None => Phase::Done,
        };
        slot.share = judging.map(|judging| Share::Judge(Arc::new(judging)));
        state.forget_evidence(self.horizon_secs());
        self.changed.notify_all();
    }

    /// The evidence to judge a slot by: its own, and that of its horizon, latest first.
    pub fn horizon(&self, slot: usize) -> (Arc<Evidence>, Vec<Arc<Evidence>>) {
        let state = self.lock();
        let start = state.slots[slot].start;
        let from = start.saturating_sub(self.horizon_secs());
        let own = state.slots[slot].evidence.clone().unwrap_or_default();
        let here = state.slots[..slot]
            .iter()
            .rev()
            .take_while(|earlier| earlier.start >= from);
        let mut earlier: Vec<Arc<Evidence>> =
            here.filter_map(|slot| slot.evidence.clone()).collect();
        earlier.extend(
            state
                .before
                .range(from..start)
                .rev()
                .map(|(_, evidence)| evidence.clone()),
        );
        (own, earlier)
    }

    /// A thread finds nothing more to do of what it shared in a slot; whether it was the last one there.
    pub fn leave(&self, slot: usize) -> bool {
        let mut state = self.lock();
        let slot = &mut state.slots[slot];
        slot.hands -= 1;
        slot.hands == 0
    }

    /// The slot is judged and nobody is left there: its records are to be read again, or it is done.
    pub fn judged(&self, slot: usize, recording: Option<Arc<Recording>>) {
        let mut state = self.lock();
        let place = slot;
        let slot = &mut state.slots[place];
        let judged = std::mem::replace(&mut slot.share, recording.map(Share::Record));
        if slot.share.is_none() {
            slot.phase = Phase::Done;
            let hour = hour_at(slot.start);
            if let Some((_, left)) = state.hours.iter_mut().find(|(known, _)| *known == hour) {
                *left -= 1;
            }
        }
        state.forget_evidence(self.horizon_secs());
        self.changed.notify_all();
        drop(state);
        // Freeing a slot takes a while, which nobody need wait for.
        drop(judged);
    }

    /// The hour is committed; whether others follow.
    pub fn committed(&self) -> bool {
        let mut state = self.lock();
        state.hours.pop_front();
        state.committing = false;
        self.changed.notify_all();
        !state.hours.is_empty()
    }

    /// Lets no thread begin anything more.
    pub fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }

    /// Whether the slot is to be judged, or was read for its evidence only.
    pub fn is_judged(&self, slot: usize) -> bool {
        self.lock().slots[slot].judged
    }

    /// Places of the slot's objects in the batch.
    pub fn objects(&self, slot: usize) -> Vec<usize> {
        self.lock().slots[slot].objects.clone()
    }

    /// The slot's start, seconds.
    pub fn start(&self, slot: usize) -> u32 {
        self.lock().slots[slot].start
    }

    /// Takes the evidence that slots after the batch may need.
    pub fn take_evidence(&self) -> BTreeMap<u32, Arc<Evidence>> {
        let mut guard = self.lock();
        let state = &mut *guard;
        let mut evidence = std::mem::take(&mut state.before);
        evidence.extend(
            state
                .slots
                .iter_mut()
                .filter_map(|slot| Some((slot.start, slot.evidence.take()?))),
        );
        evidence
    }

    fn lock(&self) -> MutexGuard<'_, State<B>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::close::Company;

    /// A slot every five minutes, of which only the last two are judged; none has objects.
    fn plans(count: u32) -> Vec<SlotPlan> {
        let plan = |place| SlotPlan {
            start: place * SLOT_SECS,
            objects: Vec::new(),
            judged: place + 2 >= count,
        };
        (0..count).map(plan).collect()
    }

    #[test]
    fn evidence_goes_when_nothing_is_left_to_be_judged_by_it() {
        let limits = Limits {
            threads: 1,
            horizon: 3,
            objects: 1,
            bytes: 1,
        };
        let board = Board::<()>::new(plans(10), BTreeMap::new(), limits);
        let held = || -> Vec<usize> {
            let state = board.lock();
            let slots = state.slots.iter().enumerate();
            let held = slots.filter(|(_, slot)| slot.evidence.is_some());
            held.map(|(place, _)| place).collect()
        };
        let mut judged = Vec::new();
        let mut most = 0;
        while let Some(task) = board.next(&mut None) {
            match task {
                Task::Fold { .. } => panic!("there are no objects"),
                Task::Prove(slot) => {
                    let judging = board
                        .is_judged(slot)
                        .then(|| Judging::new(SlotPart::default(), Vec::new(), Company::default()));
                    board.proven(slot, Evidence::default(), judging);
                }
                Task::Judge(slot, _) => {
                    judged.push((slot, board.horizon(slot).1.len()));
                    assert!(board.leave(slot));
                    board.judged(slot, None);
                }
                Task::Commit(_) => drop(board.committed()),
            }
            most = most.max(held().len());
        }
        assert_eq!(judged, [(8, 3), (9, 3)]);
        assert_eq!(most, 5, "what two slots to be judged need, and no more");
        assert_eq!(held(), [6, 7, 8, 9]);
        let starts: Vec<u32> = board.take_evidence().into_keys().collect();
        assert_eq!(starts, [6, 7, 8, 9].map(|place| place * SLOT_SECS));
    }

    /// A board of four slots of two objects each and of two threads, to which all objects but these have come.
    fn board(late: &[usize]) -> Board<()> {
        let plan = |place| SlotPlan {
            start: place * SLOT_SECS,
            objects: [0, 1].map(|object| (2 * place as usize + object, 1)).into(),
            judged: true,
        };
        let limits = Limits {
            threads: 2,
            horizon: 1,
            objects: 16,
            bytes: 16,
        };
        let board = Board::new((0..4).map(plan).collect(), BTreeMap::new(), limits);
        for (slot, object) in board.to_fetch() {
            if !late.contains(&object) {
                board.arrived(slot, object, 1, ());
            }
        }
        board
    }

    impl Board<()> {
        /// The slot of the object that a thread folds next, if there is one to fold.
        fn next_slot(&self, current: &mut Option<usize>) -> Option<usize> {
            match self.lock().pick(current, SLOT_SECS, 2) {
                Some(Task::Fold { slot, .. }) => Some(slot),
                Some(_) => panic!("there is nothing but to fold"),
                None => None,
            }
        }

        /// An object of the slot is folded.
        fn fold_one(&self, slot: usize) {
            self.folded(slot, SlotPart::default(), []);
        }

        /// Draws the evidence of the slot, whose objects are folded.
        fn prove_next(&self, slot: usize) {
            let next = self.lock().pick(&mut None, SLOT_SECS, 2);
            assert!(matches!(next, Some(Task::Prove(next)) if next == slot));
            let judging = Judging::new(SlotPart::default(), Vec::new(), Company::default());
            self.proven(slot, Evidence::default(), Some(judging));
        }
    }

    #[test]
    fn no_more_slots_are_begun_than_there_are_threads_while_somebody_works_on_those() {
        for comes_late in [false, true] {
            let board = board(if comes_late { &[1] } else { &[] });
            let (mut one, mut other) = (None, None);
            assert_eq!(board.next_slot(&mut one), Some(0));
            for _ in 0..2 {
                assert_eq!(board.next_slot(&mut other), Some(1));
                board.fold_one(1);
            }
            board.prove_next(1);
            if !comes_late {
                assert_eq!(board.next_slot(&mut other), Some(0), "it helps");
                board.fold_one(0);
            }
            assert_eq!(
                board.next_slot(&mut other),
                None,
                "the other thread works on the first"
            );
            if comes_late {
                board.fold_one(0);
                let next = board.next_slot(&mut other);
                assert_eq!(next, Some(2), "nobody knows how long the object takes");
            }
        }
    }

    #[test]
    fn a_slot_that_others_wait_for_is_begun_whatever_else_is() {
        let board = board(&[0, 1]);
        let (mut one, mut other) = (None, None);
        assert_eq!(board.next_slot(&mut one), Some(1));
        assert_eq!(board.next_slot(&mut other), Some(2));
        for object in [0, 1] {
            board.arrived(0, object, 1, ());
        }
        board.fold_one(1);
        assert_eq!(board.next_slot(&mut None), Some(0));
    }
}
