//! A thread of a batch: takes tasks from the board and does them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::judge::close::{judge_slot, prove};
use crate::judge::edges::Told;
use crate::judge::evidence::{EVIDENCE_CAP, Evidence, Horizon};
use crate::judge::facts::SlotFacts;
use crate::judge::part::{Parts, SlotPart};
use crate::judge::ruling::Judge;

use super::kept::KeptRecords;
use super::memory::give_back;
use super::pipeline::{Board, Gathered, Task};
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
            match task {
                Task::Fold { slot, object, body } => self.fold(slot, object, body)?,
                Task::Prove(slot) => self.prove(slot)?,
                Task::Judge(slot) => self.judge(slot)?,
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
            self.batch.enter(Some(&hour), row, malformed);
        } else {
            self.batch.lines.forget(&[object]);
        }
        let part = parts.remove(&start).unwrap_or_default();
        let runs = runs.into_iter().map(|(_, run)| run);
        self.board.folded(slot, part, runs);
        self.batch.hours.relieve();
        Ok(())
    }

    fn prove(&mut self, slot: usize) -> anyhow::Result<()> {
        let Gathered {
            parts, mut runs, ..
        } = self.board.take_gathered(slot);
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
        let (mut evidence, company) = prove(&connections, self.batch.ends_at_once)?;
        evidence.seal(EVIDENCE_CAP);
        self.batch.coverage.let_go(evidence.let_go);
        let judged = self.board.is_judged(slot);
        if !judged {
            self.batch.tables.changed(whole.memory(), 0);
        }
        self.board.proven(
            slot,
            evidence,
            Gathered {
                parts: vec![whole],
                runs,
                company,
            },
        );
        Ok(())
    }

    fn judge(&mut self, slot: usize) -> anyhow::Result<()> {
        let start = self.board.start(slot);
        let hour = self.batch.hour(start)?;
        let Gathered {
            mut parts,
            runs,
            company,
        } = self.board.take_gathered(slot);
        let part = parts.pop().unwrap_or_default();
        let reporters = hour.reporters.snapshot();
        let facts = SlotFacts::new(self.batch.policy, &reporters, &part.interfaces);
        let (own, earlier) = self.board.horizon(slot);
        let horizon = Horizon {
            own: &own,
            earlier: earlier.iter().map(|evidence| &**evidence).collect(),
        };
        let connections = SlotConnections {
            table: &part.table,
            runs: &runs,
        };
        let mut edges = hour.take_table();
        let objects = (0..self.batch.num_timeless).chain(self.board.objects(slot));
        let mut kept = KeptRecords::new(
            self.batch,
            &mut self.memory,
            &hour,
            &facts,
            start,
            objects.collect(),
        );
        let policy = self.batch.policy;
        let untold = &mut self.untold;
        let mut keep_edge = |told: &Told| match untold {
            Some(untold) if told.story.never_feeds(policy) => {
                untold.add(told);
                false
            }
            _ => true,
        };
        judge_slot(
            &mut self.judge,
            &connections,
            start,
            &facts,
            &horizon,
            &company,
            &mut |table, place, traffic, ruling| {
                let (connection, views) = (table.at(place), table.views(place));
                edges.add(
                    policy,
                    &facts,
                    connection,
                    views.clone(),
                    traffic,
                    ruling,
                    &mut keep_edge,
                );
                if let Some(kept) = &mut kept {
                    kept.keep(connection, views, traffic, ruling)
                        .map_err(std::io::Error::other)?;
                }
                hour.make_room(&mut edges)
            },
        )?;
        hour.give_back(edges);
        hour.notes(&part);
        self.batch.tables.changed(part.memory(), 0);
        drop(part);
        if let Some(kept) = kept {
            kept.finish()?;
        }
        self.board.judged(slot);
        self.batch.hours.relieve();
        Ok(())
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
        let results = on_threads(threads, || {
            let result = Worker::new(self, board).run();
            if result.is_err() {
                board.stop();
            }
            result
        });
        results.into_iter().collect::<anyhow::Result<()>>()?;
        Ok(board.take_evidence())
    }
}
