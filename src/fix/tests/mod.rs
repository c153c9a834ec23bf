//! What is proposed, applied and asked again.

mod network;
mod policy;
mod written;
