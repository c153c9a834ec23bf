//! The fields that tell who reported, as the judged records of an hour have them: each set of texts once.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::flow::{Field, Texts};

/// Stands for the texts of [`Field::OF_REPORTER`] in an hour.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ReporterNumber(pub(super) u32);

/// The texts of [`Field::OF_REPORTER`], as they were logged.
pub(super) type OfReporter = [Option<Box<str>>; Field::OF_REPORTER.len()];

/// All sets of texts, by number.
#[derive(Default)]
pub(super) struct ReporterTexts {
    numbers: HashMap<Arc<OfReporter>, ReporterNumber>,
    all: Vec<Arc<OfReporter>>,
}

impl ReporterTexts {
    /// The number of a record's texts.
    pub fn number(&mut self, texts: &impl Texts) -> ReporterNumber {
        let owned = Field::OF_REPORTER.map(|field| texts.readable(field).map(Box::from));
        let next = ReporterNumber(self.all.len() as u32);
        let owned = Arc::new(owned);
        *self.numbers.entry(owned).or_insert_with_key(|owned| {
            self.all.push(owned.clone());
            next
        })
    }

    /// The texts with this number.
    #[inline]
    pub fn get(&self, number: ReporterNumber) -> Option<&OfReporter> {
        self.all.get(number.0 as usize).map(|texts| &**texts)
    }
}
