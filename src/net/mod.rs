//! Leaves: addresses, prefixes, protocols and ports, the program's list of services, AWS service codes. Nothing here knows a flow.

mod addr;
pub mod aws;
pub mod ports;
mod prefix;
pub mod protocol;
pub mod services;

pub use addr::Addr;
pub use prefix::{Prefix, PrefixError};
