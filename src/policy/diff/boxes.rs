//! Points of a space of four axes as few boxes: each box is a product of one set per axis, no two overlap, and together
//! they hold just the points.

use std::collections::BTreeMap;

/// Sets of cells, one for each axis.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Boxed {
    pub(super) paths: Vec<usize>,
    pub(super) encryption: Vec<usize>,
    pub(super) dates: Vec<usize>,
    pub(super) ports: Vec<usize>,
}

/// Points as (path, encryption, date, port). Dates are told apart first, as people do: what holds until a day, and what from
/// then on. Cells of an axis that hold the same of the axes behind it become one set, so that cutting an axis finer changes
/// no box.
pub(super) fn boxes(points: Vec<[usize; 4]>) -> Vec<Boxed> {
    let dated = points.into_iter();
    let by_date =
        nested(dated.map(|[path, encryption, date, port]| (date, [path, encryption, port])));
    let by_date = by_date.into_iter().map(|(date, points)| {
        let by_path = nested(points.into_iter().map(|[path, rest @ ..]| (path, rest)));
        let by_path = by_path.into_iter().map(|(path, points)| {
            let by_encryption = nested(points.into_iter().map(|[first, port]| (first, port)));
            (path, merged(by_encryption))
        });
        (date, merged(by_path))
    });
    let mut boxes = Vec::new();
    for (dates, rest) in merged(by_date) {
        for (paths, rest) in rest {
            for (encryption, ports) in rest {
                boxes.push(Boxed {
                    paths: paths.clone(),
                    encryption,
                    dates: dates.clone(),
                    ports,
                });
            }
        }
    }
    boxes
}

fn nested<K: Ord, V: Ord>(points: impl Iterator<Item = (K, V)>) -> BTreeMap<K, Vec<V>> {
    let mut map: BTreeMap<K, Vec<V>> = BTreeMap::new();
    for (key, value) in points {
        map.entry(key).or_default().push(value);
    }
    map.values_mut().for_each(|values| values.sort_unstable());
    map
}

/// Keys with the same value as one, in the order of their first keys.
fn merged<K: Ord + Clone, V: Ord>(entries: impl IntoIterator<Item = (K, V)>) -> Vec<(Vec<K>, V)> {
    let mut keys_of: BTreeMap<V, Vec<K>> = BTreeMap::new();
    for (key, value) in entries {
        keys_of.entry(value).or_default().push(key);
    }
    let mut merged: Vec<(Vec<K>, V)> = keys_of.into_iter().map(|(v, keys)| (keys, v)).collect();
    merged.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn boxes_hold_every_point_once_and_nothing_else(
            points in prop::collection::btree_set((0usize..3, 0usize..3, 0usize..3, 0usize..4), 0..60),
        ) {
            let points: BTreeSet<[usize; 4]> = points.into_iter().map(|(a, b, c, d)| [a, b, c, d]).collect();
            let mut held = Vec::new();
            for boxed in boxes(points.iter().copied().collect()) {
                for path in &boxed.paths {
                    for encryption in &boxed.encryption {
                        for date in &boxed.dates {
                            held.extend(boxed.ports.iter().map(|port| [*path, *encryption, *date, *port]));
                        }
                    }
                }
            }
            held.sort_unstable();
            prop_assert_eq!(held, points.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_whole_product_is_one_box() {
        let mut points = Vec::new();
        for path in 0..2 {
            for date in 0..3 {
                points.extend((0..2).map(|port| [path, 0, date, port]));
            }
        }
        let expected = Boxed {
            paths: vec![0, 1],
            encryption: vec![0],
            dates: vec![0, 1, 2],
            ports: vec![0, 1],
        };
        assert_eq!(boxes(points), [expected]);
    }
}
