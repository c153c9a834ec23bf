//! A thread of a batch: takes tasks from the board and does them.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use anyhow::ensure;

use crate::judge::JudgementRow;
use crate::judge::close::{judge_piece, prove};
use crate::judge::edges::Told;
use crate::judge::evidence::{Evidence, Horizon};
use crate::judge::facts::SlotFacts;
use crate::judge::judgement_rows::JudgementRows;
use crate::judge::part::{Parts, SlotPart};
use crate::judge::records::{JudgedSink, Rulings};
use crate::judge::ruling::{Judge, SlotContext};

use super::comparing::Comparer;
use super::hours::HourState;
use super::kept::{Recording, wanted};
use super::memory::give_back;
use super::pipeline::{Board, Gathered, Task};
use super::shared::{Judging, Share};
use super::spill::{Run, SlotConnections};
use super::summary::Summary;
use super::work::{Batch, Fetched, Memory, on_threads};

/// One thread.
pub struct Worker<'a, 'h> {
    batch: &'a Batch<'a, 'h>,
    board: &'a Arc<Board<Fetched>>,
    judge: Judge<'a>,
    memory: Memory,
    /// What is told of connections whose edges nobody needs.
    untold: Option<Summary<'h>>,
    /// What another policy says of the same connections.
    comparer: Option<Comparer<'a>>,
}

impl<'a, 'h> Worker<'a, 'h> {
    /// A thread that takes tasks from this board.
    pub fn new(batch: &'a Batch<'a, 'h>, board: &'a Arc<Board<Fetched>>) -> Worker<'a, 'h> {
        Worker {
            batch,
            board,
            judge: Judge::new(batch.policy),
            memory: Memory::default(),
            untold: batch.hours.untold(),
            comparer: batch.comparing.map(Comparer::new),
        }
    }

    /// Works until nothing is left.
    ///
    /// # Errors
    /// When the machine or the lake fails; objects never make it fail.
    pub fn run(mut self) -> anyhow::Result<()> {
        let mut current = None;
        self.batch.fetch_ahead(self.board);
        while let Some(task) = self.board.next(&mut current) {
            ensure!(!self.batch.progress.is_over(), "it was interrupted");
            match task {
                Task::Fold { slot, object, body } => self.fold(slot, object, body)?,
                Task::Prove(slot) => self.prove(slot)?,
                Task::Judge(slot, share) => self.share(slot, share)?,
                Task::Commit(hour) => {
                    self.batch.hours.commit(hour, &self.batch.urls)?;
                    if self.board.committed() {
                        give_back();
                    }
                }
            }
            self.batch.fetch_ahead(self.board);
        }
        if let Some(gathered) = self.untold {
            self.batch.hours.tell(gathered);
        }
        if let Some(comparer) = self.comparer {
            comparer.finish();
        }
        Ok(())
    }

    fn fold(&mut self, slot: usize, object: usize, fetched: Fetched) -> anyhow::Result<()> {
        let start = self.board.start(slot);
        let hour = self.batch.hour(start)?;
        let part = self.board.take_part(slot);
        let mut parts = Parts::from([(start, part)]);
        let ((row, malformed), runs) = self.batch.fold(
            object,
            Some(start),
            fetched,
            &hour.reporters,
            &mut parts,
            &mut self.memory,
        )?;
        if self.board.is_judged(slot) {
            self.batch.enter(Some(&hour), row, malformed, true);
        } else {
            self.batch.leftovers.forget(&[object]);
        }
        let part = parts.remove(&start).unwrap_or_default();
        let runs = runs.into_iter().map(|(_, run)| run);
        self.board.folded(slot, part, runs);
        self.batch.hours.relieve();
        Ok(())
    }

    fn prove(&mut self, slot: usize) -> anyhow::Result<()> {
        let Gathered { parts, mut runs } = self.board.take_gathered(slot);
        let held: usize = parts.iter().map(SlotPart::memory).sum();
        let mut whole = SlotPart::default();
        for mut part in parts {
            // Runs are read partition by partition. A table beside them would be searched through for each.
            if !runs.is_empty() && !part.table.is_empty() {
                runs.push(Run::write(&part.table, self.batch.temp)?);
                part.table = Default::default();
            }
            whole.merge(part);
        }
        self.batch.tables.changed(held, whole.memory());
        let connections = SlotConnections {
            table: &whole.table,
            runs: &runs,
        };
        let (proofs, company) = prove(&connections, self.batch.ends_at_once)?;
        let evidence = proofs.seal();
        self.batch.coverage.let_go(evidence.let_go);
        let judging = if self.board.is_judged(slot) {
            Some(Judging::new(whole, runs, company))
        } else {
            self.batch.tables.changed(whole.memory(), 0);
            None
        };
        self.board.proven(slot, evidence, judging);
        Ok(())
    }

    fn share(&mut self, slot: usize, share: Share) -> anyhow::Result<()> {
        let start = self.board.start(slot);
        let hour = self.batch.hour(start)?;
        match share {
            Share::Judge(judging) => {
                self.judge(slot, &judging, &hour)?;
                if self.board.leave(slot) {
                    self.tell_unjudgeable(start, &judging, &hour)?;
                    let recording = self.judged(slot, judging, &hour);
                    self.board.judged(slot, recording.map(Arc::new));
                }
            }
            Share::Record(recording) => {
                recording.read(self.batch, &mut self.memory, &hour, start)?;
                if self.board.leave(slot) {
                    self.batch.leftovers.forget(&self.objects(slot));
                    self.board.judged(slot, None);
                }
            }
        }
        self.batch.hours.relieve();
        Ok(())
    }

    /// Ranks of the objects that may have records of a slot.
    fn objects(&self, slot: usize) -> Vec<usize> {
        let own = self.board.objects(slot);
        (0..self.batch.num_timeless).chain(own).collect()
    }

    /// Tells whoever asks of the records of a slot that no ruling is about.
    fn tell_unjudgeable(
        &self,
        start: u32,
        judging: &Judging,
        hour: &HourState,
    ) -> anyhow::Result<()> {
        let Some(mut asked) = self.batch.asked_rulings(start) else {
            return Ok(());
        };
        let reporters = hour.reporters.snapshot();
        let notes = &judging.part.notes;
        let facts = SlotFacts::new(self.batch.policy, &reporters, &notes.interfaces);
        let rows = JudgementRows::new(self.batch.policy, &facts, false);
        rows.of_unjudgeable(&notes.unjudgeable, |row, count| asked.take(row, count))?;
        asked.hand_on()
    }

    /// All connections of a slot are judged: the records to be read for it, if there are any.
    fn judged(&self, slot: usize, judging: Arc<Judging>, hour: &HourState) -> Option<Recording> {
        hour.notes(&judging.part);
        self.batch.tables.changed(judging.part.memory(), 0);
        let objects = self.objects(slot);
        let recording = judging.take_rulings().and_then(|mut rulings| {
            rulings.take_unjudgeable_too();
            let interfaces = &judging.part.notes.interfaces;
            Recording::new(self.batch, hour, interfaces, rulings, objects.clone())
        });
        if recording.is_none() {
            self.batch.leftovers.forget(&objects);
        }
        recording
    }

    /// Judges pieces of a slot that no other thread judges.
    fn judge(&mut self, slot: usize, judging: &Judging, hour: &HourState) -> anyhow::Result<()> {
        let (policy, start) = (self.batch.policy, self.board.start(slot));
        let reporters = hour.reporters.snapshot();
        let facts = SlotFacts::new(policy, &reporters, &judging.part.notes.interfaces);
        let (own, earlier) = self.board.horizon(slot);
        let horizon = Horizon {
            own: &own,
            earlier: earlier.iter().map(|evidence| &**evidence).collect(),
        };
        let context = SlotContext {
            facts: &facts,
            horizon: &horizon,
            peers: &judging.company.peers,
            talking: &judging.company.talking,
            slot: start,
        };
        let mut edges = hour.take_table();
        let mut rulings = wanted(self.batch.keep).map(Rulings::new);
        let objects = self.objects(slot);
        let mut asked = self.batch.asked_rulings(start);
        let wants_groups = asked.as_ref().is_some_and(JudgedSink::wants_groups);
        let rows = JudgementRows::new(policy, &facts, wants_groups);
        let untold = &mut self.untold;
        let mut keep_edge = |told: &Told| match untold {
            Some(untold) if told.story.never_feeds(policy) => {
                untold.add(told);
                false
            }
            _ => true,
        };
        let mut comparer = self.comparer.as_mut().map(|comparer| {
            let facts = comparer.facts(&reporters, &judging.part.notes.interfaces);
            (comparer, facts)
        });
        let (batch, memory) = (self.batch, &mut self.memory);
        // Rulings that take too much memory do not wait for those of other threads.
        let mut record_now = |rulings: &mut Rulings| {
            let many = rulings.take();
            Recording::new(
                batch,
                hour,
                &judging.part.notes.interfaces,
                many,
                objects.clone(),
            )
            .map_or(Ok(()), |many| many.read(batch, memory, hour, start))
        };
        for piece in judging.claims.iter() {
            judge_piece(
                &mut self.judge,
                &judging.connections(),
                piece,
                &context,
                &mut |table, place, traffic, ruling| {
                    let (connection, views) = (table.at(place), table.views(place));
                    if batch.certain && !ruling.is_certain(policy, &facts, &connection.key()) {
                        return Ok(());
                    }
                    if let Some(rulings) = &mut rulings {
                        rulings.keep(policy, &facts, connection, views.clone(), traffic, ruling);
                        if rulings.memory() > batch.rulings_memory {
                            record_now(rulings).map_err(io::Error::other)?;
                        }
                    }
                    if let Some(asked) = &mut asked {
                        let take = |row: &JudgementRow<'_>, count| asked.take(row, count);
                        rows.of_connection(connection, views.clone(), traffic, ruling, take)
                            .map_err(io::Error::other)?;
                    }
                    if let Some((comparer, others)) = &mut comparer {
                        let views = || views.clone();
                        let other = SlotContext {
                            facts: others,
                            ..context
                        };
                        comparer.compare(
                            [&context, &other],
                            connection,
                            views,
                            traffic,
                            ruling,
                            &batch.urls,
                        );
                    }
                    edges.add(
                        policy,
                        &facts,
                        connection,
                        views,
                        traffic,
                        ruling,
                        &mut keep_edge,
                    );
                    hour.make_room(&mut edges)
                },
            )?;
        }
        if let Some(asked) = &mut asked {
            asked.hand_on()?;
        }
        hour.give_back(edges);
        if let Some(rulings) = rulings {
            judging.keep(rulings);
        }
        Ok(())
    }
}

/// Ends the work of all threads when one fails or panics: the others would wait for what it does no more.
struct StopsOthers<'b>(&'b Board<Fetched>);

impl Drop for StopsOthers<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Batch<'_, '_> {
    /// Works on the board's tasks with so many threads; the evidence for the slots that follow.
    ///
    /// # Errors
    /// When the machine or the lake fails.
    pub fn work(
        &self,
        board: &Arc<Board<Fetched>>,
        threads: usize,
    ) -> anyhow::Result<BTreeMap<u32, Arc<Evidence>>> {
        let work = || {
            let others = StopsOthers(board);
            Worker::new(self, board).run()?;
            std::mem::forget(others);
            Ok(())
        };
        let results = on_threads((0..threads).map(|_| &work));
        results.into_iter().collect::<anyhow::Result<()>>()?;
        Ok(board.take_evidence())
    }
}

#[cfg(test)]
mod tests {
    use super::super::pipeline::{Limits, SlotPlan};
    use super::*;

    #[test]
    fn a_thread_that_panics_ends_the_wait_of_the_others() {
        let slot = SlotPlan {
            start: 0,
            objects: vec![(0, 1)],
            judged: true,
        };
        let limits = Limits {
            threads: 2,
            horizon: 1,
            objects: 1,
            bytes: 1,
        };
        // The object never arrives.
        let board = Arc::new(Board::<Fetched>::new(vec![slot], BTreeMap::new(), limits));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| board.next(&mut None).is_none());
            let panicking = scope.spawn(|| {
                let _others = StopsOthers(&board);
                panic!("as a test");
            });
            assert!(panicking.join().is_err());
            assert!(waiting.join().expect("it only waits"));
        });
    }
}
