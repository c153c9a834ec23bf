//! `detect learn`: what is usual, from the hours of a lake.

use std::path::Path;

use super::batch::runtime;
use super::days::logs;
use super::error::ScanError;
use super::over;
use super::policy_file;
use crate::detect::Learner;
use crate::sink::{Hour, Lake, LakeError, Store};

/// What is to be learned from.
#[derive(Clone, Debug)]
pub struct LearnSettings<'a> {
    /// The lake.
    pub lake: &'a str,
    /// The policy file that it was judged by.
    pub policy: &'a Path,
    /// Hours from the one that holds this instant on, seconds; none is from the first.
    pub since: Option<u32>,
    /// Hours before this instant, seconds; none is to the last.
    pub until: Option<u32>,
}

/// What was learned.
#[derive(Debug)]
pub struct Learned {
    /// The baseline, as a file.
    pub file: Vec<u8>,
    /// From how many hours.
    pub hours: u64,
    /// How much was left out because there was too much of it.
    pub let_go: u64,
}

/// Learns what is usual.
///
/// # Errors
/// When the policy or the lake are not as they should be, do not belong together, or no hour is there.
pub fn learn(settings: &LearnSettings<'_>) -> Result<Learned, ScanError> {
    let policy = policy_file::load(settings.policy)?;
    let runtime = runtime()?;
    let temp = super::temp_folder("tidegate-")?;
    let store = Store::open(settings.lake, runtime.handle()).map_err(LakeError::from)?;
    let lake = Lake::read(store, temp.path())?;
    over::check_judged_by(
        (&lake, settings.lake),
        (&policy, settings.policy),
        "a baseline is of one policy: `scan --rejudge` judges a lake again",
    )?;
    let mut learner = Learner::new(&policy);
    for hour in over::hours(&lake, settings.since, settings.until)? {
        learn_hour(&lake, hour, &mut learner).map_err(ScanError::Failed)?;
    }
    if learner.hours() == 0 {
        return Err(ScanError::Usage {
            message: format!("the lake {} holds no hour of that time", settings.lake),
            hint: None,
        });
    }
    Ok(Learned {
        hours: learner.hours(),
        let_go: learner.let_go(),
        file: learner.finish(),
    })
}

fn learn_hour(lake: &Lake, hour: Hour, learner: &mut Learner<'_>) -> anyhow::Result<()> {
    over::read(lake, hour, &mut |edge| learner.add(edge))?;
    let (objects, asides) = (lake.objects(hour)?, lake.asides(hour)?);
    for log in &logs(hour, &objects, &asides) {
        learner.add_log(log);
    }
    learner.end_hour(hour.start());
    Ok(())
}
