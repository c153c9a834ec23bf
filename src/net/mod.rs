//! Leaves: addresses and whose they are, prefixes, protocols and ports, the program's list of services, AWS service codes.
//! Nothing here knows a flow.

mod addr;
mod addr_text;
pub mod aws;
mod hex;
mod origins;
pub mod ports;
mod prefix;
pub mod protocol;
pub mod services;

pub use addr::Addr;
pub use addr_text::AddrText;
pub use hex::hex;
pub use origins::{Origin, Origins, OriginsError};
pub use prefix::{Prefix, PrefixError, merged};
