//! What people are told of a finding as it happens, and where: alerts and their sinks. Which findings alert, and when, is
//! decided elsewhere.
//!
//! ```text
//! Finding ──▶ Alert::to_json ──▶ (the ledger's outbox) ──▶ Sender::send
//!               fields                     the target's form: ocsf, asff, slack
//!                                                             the target: stdout, file, webhook, slack, sns, securityhub
//! ```

mod arn;
mod asff;
mod aws;
mod brief;
mod fields;
mod hub;
mod ocsf;
mod post;
mod send;
mod slack;
mod sns;
mod target;

use std::collections::BTreeMap;

use serde_json::json;

use crate::judge::Finding;
use crate::net::{Addr, Origin};
use crate::policy::words;

pub use arn::Arn;
pub use brief::{Brief, Place, flood};
pub use fields::{Fields, finding_fields, instant, origin};
pub use send::{SendError, Sender};
pub use target::{Kind as TargetKind, Target, TargetError};

words! {
    /// Why an alert is sent.
    Event {
        /// The finding is new.
        Opened = "opened",
        /// It was announced with a lower severity.
        Escalated = "escalated",
        /// It was resolved, and is back.
        Reopened = "reopened",
        /// It was not seen for a while.
        Resolved = "resolved",
        /// Several alerts in one: what recurred in a day, or more than a sink is to take one by one.
        Digest = "digest",
    }
}

/// An alert about a finding.
#[derive(Clone, Copy, Debug)]
pub struct Alert<'a> {
    /// Why it is sent.
    pub event: Event,
    /// What it is about.
    pub finding: &'a Finding,
    /// Whose its heaviest addresses are, as far as they are outside and that is known.
    pub origins: &'a BTreeMap<Addr, Origin>,
    /// When the finding opened: event time, seconds since 1970.
    pub opened: u32,
    /// `[policy] id`.
    pub policy_id: &'a str,
    /// The policy's hash.
    pub policy_hash: &'a str,
}

/// The version of the alerts' schema.
pub const SCHEMA: &str = "tidegate.alert/1";

impl Alert<'_> {
    /// Its id: the same however often it is sent. Of the finding, when it opened, and what is said of it.
    pub fn id(&self) -> String {
        alert_id(
            &self.finding.finding_id,
            self.opened,
            self.event,
            self.finding.severity.as_str(),
        )
    }

    /// As one JSON object, by `schemas/alert.json`.
    pub fn to_json(&self) -> String {
        let mut fields = vec![
            ("schema", json!(SCHEMA)),
            ("alert_id", json!(self.id())),
            ("event", json!(self.event.as_str())),
            ("opened", json!(instant(self.opened))),
        ];
        let of_finding =
            finding_fields(self.policy_id, self.policy_hash, self.finding, self.origins);
        fields.extend(of_finding.0);
        serde_json::to_string(&Fields(fields)).expect("fields of an alert are plain JSON")
    }
}

fn alert_id(finding: &str, opened: u32, event: Event, severity: &str) -> String {
    let word = event.as_str();
    let text = format!("{finding} {opened} {word} {severity}");
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(text.as_bytes()))
}

/// The first so many characters of a text, with a mark where there were more.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept = text.chars().take(most.saturating_sub(1));
    kept.chain(['…']).collect()
}
