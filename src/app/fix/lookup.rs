//! The findings that ids name.

use std::collections::{BTreeMap, BTreeSet};

use crate::app::error::ScanError;
use crate::judge::Finding;
use crate::sink::{Day, Hour, Lake};

/// How many findings an error shows.
const SHOWN: usize = 5;

/// A finding, and when it was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The finding of all its days; addresses are those of the last one.
    pub finding: Finding,
    /// Its days.
    pub days: BTreeSet<Day>,
}

/// What an id, or the beginning of one, may mean.
#[derive(Default)]
struct Meant {
    found: BTreeMap<String, Found>,
    /// The ids that share the most with it, with their titles: what was perhaps meant.
    nearest: BTreeSet<(std::cmp::Reverse<usize>, String, String)>,
}

/// The findings of these hours that the ids name, in the order of the ids, each once.
///
/// # Errors
/// An id that names none or several, with those that it may mean; a lake that fails.
pub(super) fn findings(
    lake: &Lake,
    hours: &BTreeSet<Hour>,
    ids: &[String],
) -> Result<Vec<Found>, ScanError> {
    let mut meant: Vec<(String, Meant)> = ids
        .iter()
        .map(|id| (id.trim().to_ascii_lowercase(), Meant::default()))
        .collect();
    let days: BTreeSet<Day> = hours.iter().map(|hour| hour.day()).collect();
    for day in days {
        for finding in lake.read_findings(day)? {
            for (id, meant) in &mut meant {
                meant.take(id, &finding, day);
            }
        }
    }
    let mut found: Vec<Found> = Vec::new();
    for (id, meant) in meant {
        let one = meant.only(&id)?;
        let is_known = |known: &Found| known.finding.finding_id == one.finding.finding_id;
        if !found.iter().any(is_known) {
            found.push(one);
        }
    }
    Ok(found)
}

impl Meant {
    fn take(&mut self, id: &str, finding: &Finding, day: Day) {
        let own = finding.finding_id.as_str();
        if !id.is_empty() && own.starts_with(id) {
            match self.found.get_mut(own) {
                Some(known) => {
                    known.finding.absorb(finding);
                    // What was last seen tells where to look.
                    known
                        .finding
                        .client
                        .heaviest
                        .clone_from(&finding.client.heaviest);
                    known
                        .finding
                        .server
                        .heaviest
                        .clone_from(&finding.server.heaviest);
                    known.days.insert(day);
                }
                None => {
                    let found = Found {
                        finding: finding.clone(),
                        days: BTreeSet::from([day]),
                    };
                    self.found.insert(own.to_owned(), found);
                }
            }
            return;
        }
        let shared = id.bytes().zip(own.bytes()).take_while(|(a, b)| a == b);
        let key = std::cmp::Reverse(shared.count());
        self.nearest
            .insert((key, own.to_owned(), finding.title.clone()));
        if self.nearest.len() > SHOWN {
            self.nearest.pop_last();
        }
    }

    fn only(mut self, id: &str) -> Result<Found, ScanError> {
        if self.found.len() == 1
            && let Some((_, found)) = self.found.pop_first()
        {
            return Ok(found);
        }
        let shown = |(id, title): (&String, &String)| format!("{id}  {title}");
        if self.found.is_empty() {
            let nearest = self.nearest.iter().map(|(_, id, title)| shown((id, title)));
            let nearest: Vec<String> = nearest.collect();
            let hint = match nearest.is_empty() {
                true => "the lake has no findings of that time".to_owned(),
                false => format!("those nearest to it:\n{}", nearest.join("\n")),
            };
            return Err(ScanError::Usage {
                message: format!("the lake has no finding `{id}`"),
                hint: Some(hint),
            });
        }
        let all = self.found.iter();
        let some: Vec<String> = all
            .take(SHOWN)
            .map(|(id, found)| shown((id, &found.finding.title)))
            .collect();
        Err(ScanError::Usage {
            message: format!(
                "`{id}` begins the ids of {} findings: expected one",
                self.found.len()
            ),
            hint: Some(format!("give more of the id:\n{}", some.join("\n"))),
        })
    }
}
