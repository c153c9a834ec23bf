//! The judge once more, slow and obvious: row by row, by nested loops over all records, one small function for each
//! rule of the policy's semantics. What the program computes by columns, tables and memory must agree with it.
//!
//! It shares nothing with the program but the list of services.

mod connection;
mod decide;
mod edges;
mod engine;
mod judge;
mod orient;
mod place;
pub mod policy;
mod property;
mod random;
mod random_policy;
mod random_records;
mod random_world;
pub mod record;
mod seen;
mod slot;
pub mod table;
mod verdict;
