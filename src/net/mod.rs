//! Leaves: addresses, prefixes, protocols and ports, the program's list of services, AWS service codes. Nothing here knows a flow.

mod addr;
mod addr_text;
pub mod aws;
mod hex;
pub mod ports;
mod prefix;
pub mod protocol;
pub mod services;

pub use addr::Addr;
pub use addr_text::AddrText;
pub use hex::hex;
pub use prefix::{Prefix, PrefixError, merged};
