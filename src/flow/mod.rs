//! Bytes of an object become records, and every line is accounted for:
//! `lines = blank + headers + records + no_data + skip_data + malformed`.
//!
//! Decoding is pushed: [`decode()`] is handed a whole object or a reader, and calls a [`RecordSink`] for each record and
//! each malformed line. Nothing here does I/O of its own, reads a clock, or knows a policy.

mod cell;
mod columnar;
mod columns;
pub mod decode;
mod excerpt;
pub mod field;
mod inflate;
mod ipv4;
mod ipv6;
mod layout;
mod lines;
pub mod positions;
mod program;
mod record;
pub mod resolver;
mod row;
mod tally;
mod text;
mod words;
mod wrapped;

pub use columns::{FlowRow, FlowsBuilder, flows_schema, words_schema};
pub use decode::{
    DecodeError, DecodeOptions, Decoded, Input, MalformedLine, Ranges, Scratch, decode, decode_text,
};
pub use excerpt::{Excerpt, Marks};
pub use field::Field;
pub use layout::{Column, Layout, LayoutError};
pub use lines::each_line;
pub use record::{Action, Direction, Fields, Record, RecordSink, Texts};
pub use tally::Tally;
pub use words::{Dictionary, Words};
