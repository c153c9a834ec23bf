//! When an entry of the file is in force: a subnet that changed hands, a group that was dissolved, a require that begins.

/// From the first instant to before the second, seconds since 1970; without them from ever and for ever.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(super) struct Validity {
    /// `valid_from`, `not_before`.
    pub(super) from: Option<i64>,
    /// `valid_until`, `expires`.
    pub(super) until: Option<i64>,
}

impl Validity {
    /// Whether it has no end on either side.
    pub(super) fn is_always(self) -> bool {
        self == Validity::default()
    }

    /// Whether an instant lies in it, seconds since 1970.
    pub(super) fn holds(self, at: impl Into<i64>) -> bool {
        let at = at.into();
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }

    /// Whether some instant lies in both.
    pub(super) fn overlaps(self, other: Validity) -> bool {
        let begins = self.from.max(other.from);
        let ends = [self.until, other.until].into_iter().flatten().min();
        match (begins, ends) {
            (Some(begins), Some(ends)) => begins < ends,
            _ => true,
        }
    }

    /// Whether no instant of another one lies outside it.
    pub(super) fn covers(self, other: Validity) -> bool {
        let begins = self
            .from
            .is_none_or(|from| other.from.is_some_and(|other| from <= other));
        let ends = |until| other.until.is_some_and(|other| other <= until);
        begins && self.until.is_none_or(ends)
    }

    /// The instants at which it begins and ends, of those that the time of a record can tell from the ones before.
    pub(super) fn instants(self) -> impl Iterator<Item = u32> {
        let dates = [self.from, self.until].into_iter().flatten();
        let instants = dates.filter_map(|date| u32::try_from(date).ok());
        instants.filter(|instant| *instant > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_holds_its_first_instant_and_not_its_last() {
        let check = |from: Option<i64>, until: Option<i64>, expected: [bool; 4]| {
            let validity = Validity { from, until };
            assert_eq!([0, 9, 10, 20].map(|at| validity.holds(at)), expected);
        };
        check(None, None, [true, true, true, true]);
        check(Some(10), None, [false, false, true, true]);
        check(None, Some(10), [true, true, false, false]);
        check(Some(10), Some(20), [false, false, true, false]);
        check(Some(-5), Some(1 << 40), [true, true, true, true]);
    }

    #[test]
    fn intervals_overlap_and_cover_each_other_by_their_instants() {
        let ends = [None, Some(0), Some(5), Some(10)];
        let all = ends.map(|from| ends.map(|until| Validity { from, until }));
        let is_sound = |validity: &Validity| match (validity.from, validity.until) {
            (Some(from), Some(until)) => from < until,
            _ => true,
        };
        let all: Vec<Validity> = all.into_iter().flatten().filter(is_sound).collect();
        for one in &all {
            for other in &all {
                // Every instant that could tell: those of the ends, the ones before, and far away.
                let asked = [-1_000_000, -1, 0, 4, 5, 9, 10, 1_000_000];
                let holds = |of: &Validity, at: i64| {
                    of.from.is_none_or(|from| from <= at) && of.until.is_none_or(|until| at < until)
                };
                let both = asked
                    .into_iter()
                    .any(|at| holds(one, at) && holds(other, at));
                assert_eq!(one.overlaps(*other), both, "{one:?} {other:?}");
                let all = asked
                    .into_iter()
                    .all(|at| holds(one, at) || !holds(other, at));
                assert_eq!(one.covers(*other), all, "{one:?} {other:?}");
            }
        }
    }
}
