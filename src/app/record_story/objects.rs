//! The object that is asked about, and the objects that its evidence may lie in.

use std::collections::BTreeSet;
use std::path::Path;

use tokio::runtime::Runtime;

use crate::app::error::ScanError;
use crate::judge::fold::{SLOT_SECS, slot_at};
use crate::source::{Listing, Location, Object, S3, Selection, Source, SourceError};

/// The object that a source names, with the connection to S3 that it takes.
pub(super) fn object_named(
    text: &str,
    runtime: &Runtime,
) -> Result<(Object, Option<S3>), ScanError> {
    let source = Source::parse(text).map_err(ScanError::from)?;
    let s3 = match source.is_s3() {
        true => Some(runtime.block_on(S3::connect()).map_err(ScanError::from)?),
        false => None,
    };
    let objects = list(&[source], Selection::default(), s3.clone(), runtime)?;
    let named = objects.into_iter().find(|object| &*object.url == text);
    let object = named.ok_or_else(|| ScanError::Usage {
        message: format!("expected one flow log object, got `{text}`"),
        hint: Some("name a file, or s3://bucket/key, and a line behind a colon".to_owned()),
    })?;
    Ok((object, s3))
}

/// The folder, or the prefix, that an object lies in.
pub(super) fn folder_of(source: &str) -> String {
    match source.rsplit_once('/') {
        Some((folder, _)) if source.starts_with("s3://") => format!("{folder}/"),
        Some(("", _)) => "/".to_owned(),
        Some((folder, _)) => folder.to_owned(),
        None => ".".to_owned(),
    }
}

/// The objects of some sources whose records may be of these slots (both included), the object asked about among them
/// once; first those without a key time, then by URL.
pub(super) fn objects_beside(
    target: &Object,
    logs: &[String],
    (first, last): (u32, u32),
    s3: Option<S3>,
    runtime: &Runtime,
) -> Result<Vec<Object>, ScanError> {
    let sources = logs.iter().map(|word| Source::parse(word));
    let sources: Vec<Source> = sources.collect::<Result<_, _>>().map_err(ScanError::from)?;
    let s3 = match sources.iter().any(Source::is_s3) && s3.is_none() {
        true => Some(runtime.block_on(S3::connect()).map_err(ScanError::from)?),
        false => s3,
    };
    let selection = Selection {
        since: Some(first),
        until: Some(last.saturating_add(SLOT_SECS)),
        ..Selection::default()
    };
    let mut objects = list(&sources, selection, s3, runtime)?;
    objects.retain(|object| !is_same(object, target));
    objects.push(target.clone());
    objects.sort_by(|a, b| (a.key.is_some(), &a.url).cmp(&(b.key.is_some(), &b.url)));
    Ok(objects)
}

/// How many slots from the first to the last, which is not counted, have objects by their keys; none where the key of an
/// object has no time.
pub(super) fn slots_with_objects(objects: &[Object], (first, last): (u32, u32)) -> Option<u32> {
    let keys = objects.iter().map(|object| object.key.as_ref());
    let slots: Option<BTreeSet<u32>> = keys.map(|key| Some(slot_at(key?.time))).collect();
    Some(slots?.range(first..last).count() as u32)
}

/// Whether two objects are one, however their paths are written.
fn is_same(one: &Object, other: &Object) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    match (&one.location, &other.location) {
        (Location::File(one), Location::File(other)) => one == other || real(one) == real(other),
        _ => one.url == other.url,
    }
}

fn list(
    sources: &[Source],
    selection: Selection,
    s3: Option<S3>,
    runtime: &Runtime,
) -> Result<Vec<Object>, ScanError> {
    let listed = runtime.block_on(async {
        let mut listing = Listing::open(sources, selection, s3).await?;
        let mut objects = Vec::new();
        while let Some(batch) = listing.next().await? {
            objects.extend(batch.objects);
        }
        Ok(objects)
    });
    listed.map_err(|error: SourceError| ScanError::from(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_an_object_is_where_its_evidence_is_looked_for() {
        for (source, folder) in [
            ("logs/day/a.log.gz", "logs/day"),
            ("a.log", "."),
            ("/a.log", "/"),
            (
                "s3://bucket/AWSLogs/day/a.log.gz",
                "s3://bucket/AWSLogs/day/",
            ),
            ("s3://bucket/a.log.gz", "s3://bucket/"),
        ] {
            assert_eq!(folder_of(source), folder);
        }
    }
}
