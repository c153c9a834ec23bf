//! `data-pull`: a client that reads far more from a data tier within an hour than it usually does.

use super::baseline::{Baseline, Way};
use super::cases::{About, Cases, Suspicion};
use super::seen::Seen;
use super::volume::{Volumes, mebibytes};
use super::{EdgeDetector, watched_tiers};
use crate::judge::Kind;
use crate::policy::{Detecting, Policy};

pub(super) struct DataPull<'a> {
    tiers: Vec<String>,
    volumes: Volumes<'a>,
}

impl<'a> DataPull<'a> {
    pub fn new(policy: &Policy, set: &Detecting, baseline: Option<&'a Baseline>) -> DataPull<'a> {
        DataPull {
            tiers: watched_tiers(policy, set, &["data"]),
            volumes: Volumes::new(set, baseline),
        }
    }
}

impl EdgeDetector for DataPull<'_> {
    fn see(&mut self, seen: &Seen<'_>) {
        let edge = seen.edge;
        // Replication within the tier is not reading from it.
        let is_watched = self.tiers.iter().any(|tier| tier == edge.server_zone);
        if is_watched && edge.client_zone != edge.server_zone {
            self.volumes.add(seen, edge.bytes_to_client);
        }
    }

    fn end_client(&mut self, _cases: &mut Cases<'_>) {
        self.volumes.end_client();
    }

    fn end_hour(&mut self, hour: u32, _cases: &mut Cases<'_>) {
        self.volumes.end_hour(hour);
    }

    fn end_day(&mut self, cases: &mut Cases<'_>) {
        for excess in self.volumes.excesses(Way::FromData) {
            cases.raise(Suspicion {
                kind: Kind::DataPull,
                about: About::Client,
                port: None,
                protocol: None,
                severity: None,
                weight: excess.bytes,
                title: format!(
                    "{} read {} from {} in an hour, usually {}",
                    excess.trace.client.shown(),
                    mebibytes(excess.bytes),
                    excess.trace.server.zone,
                    mebibytes(excess.usual)
                ),
                reason: excess.reason(),
                trace: excess.trace,
            });
        }
    }

    fn let_go(&self) -> u64 {
        self.volumes.let_go()
    }
}
