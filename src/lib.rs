//! **tidegate** judges AWS VPC flow logs against a network segmentation policy.
//!
//! What flows through, and in which order to read the modules:
//!
//! 1. [`net`] leaves: addresses and whose they are, protocols, the list of services, AWS service codes.
//! 2. [`flow`] bytes of an object become records; every line is accounted for. No I/O.
//! 3. [`policy`] a TOML file becomes a compiled decision: may this client talk to this server? No I/O.
//! 4. [`judge`] the records of a slot become connections with a direction, an outcome and a verdict; those become edges
//!    and findings. No I/O, no clock, no async.
//! 5. [`detect`] what single connections do not show: findings from all edges of a day. No I/O, no clock.
//! 6. [`source`] and [`sink`] where bytes come from and where results go: the only code that knows S3 and files.
//! 7. [`ledger`] and [`alert`] what `watch` remembers, and how people are told.
//! 8. [`sql`] DataFusion's engine over what the two know: raw logs and lakes as tables, read-only.
//! 9. [`app`] one file per mode; a mode reads as a list of its stages.
//! 10. [`cli`] the words people type and read.
//!
//! [`generate`] stands beside the pipeline: it writes synthetic logs in AWS's own layout.
//!
//! [`config`] and [`draft`] lead to a policy: how AWS is configured, and what policy that amounts to. What a policy's inventory
//! holds is read by [`config`] too. [`drift`] holds the two against each other, and against traffic; [`fix`] leads from a
//! finding to the change of either that ends it. No I/O.
//!
//! Dependencies point down only (`cli → app → {sql → {source, sink}, alert, ledger} → detect → judge → policy → {flow, config} → net`); `tests/it/layers.rs`
//! holds them there.

pub mod alert;
pub mod app;
pub mod cli;
pub mod config;
pub mod detect;
pub mod draft;
pub mod drift;
pub mod fix;
pub mod flow;
pub mod generate;
pub mod judge;
pub mod ledger;
pub mod net;
pub mod policy;
pub mod sink;
pub mod source;
pub mod sql;
