//! Which objects there are, a day at a time and in time order, so that what is held is a day's objects and no more.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use futures::future::try_join_all;
use jiff::civil::Date;

use super::aws::{self, AwsLogs, Partition};
use super::key::{Logs, Names};
use super::s3::S3;
use super::spec::{Kind, Place};
use super::tree::Tree;
use super::{KeyFacts, Location, Object, Selection, Source, SourceError, local, spool};

/// Which files count as flow logs, for whoever found none.
pub const WHAT_IS_TAKEN: &str =
    "below `AWSLogs` only `vpcflowlogs` keys are taken, elsewhere .log .txt .gz .zst .parquet";

/// Objects that belong together.
#[derive(Debug)]
pub struct Batch {
    /// The day (UTC) of their key times; none for the last batch, whose objects have no key time.
    pub day: Option<Date>,
    /// Sorted by key time, then by url. Never empty.
    pub objects: Vec<Object>,
}

/// What a listing came across so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Objects handed out.
    pub objects: u64,
    /// Their size as stored, bytes.
    pub bytes: u64,
    /// Of them, objects in S3.
    pub s3_objects: u64,
    /// Files that are no flow logs. In a bucket, a folder below `AWSLogs` that belongs to another service counts as one:
    /// it is not listed.
    pub ignored: u64,
    /// Objects that were listed and that the selection does not want by their keys. What lies in folders that it does not
    /// want was not listed.
    pub pruned: u64,
    /// LIST requests.
    pub list_requests: u64,
}

/// The objects of some sources.
#[derive(Debug)]
pub struct Listing {
    selection: Selection,
    roots: Vec<AwsLogs>,
    /// With the index of its root.
    partitions: Vec<(usize, Partition)>,
    /// Partitions that have objects on a day and were not listed yet.
    pending: BTreeMap<Date, Vec<usize>>,
    /// Objects by the day of their key time, found before that day's turn.
    held: BTreeMap<Date, Vec<Object>>,
    /// Objects without a key time.
    timeless: Vec<Object>,
    names: Names,
    counts: Counts,
    /// Whether anything was seen that the selection does not want.
    pruned: bool,
    sources: Vec<String>,
    s3: Option<S3>,
}

impl Listing {
    /// Looks at the sources: reads standard input to its end, lists what is not AWS's layout, discovers accounts, regions
    /// and days of what is. With a connection for sources in S3.
    ///
    /// # Errors
    /// When a source cannot be listed, or nothing begins with its prefix.
    pub async fn open(
        sources: &[Source],
        selection: Selection,
        s3: Option<S3>,
    ) -> Result<Listing, SourceError> {
        let mut listing = Listing {
            selection,
            roots: Vec::new(),
            partitions: Vec::new(),
            pending: BTreeMap::new(),
            held: BTreeMap::new(),
            timeless: Vec::new(),
            names: Names::default(),
            counts: Counts::default(),
            pruned: false,
            sources: sources.iter().map(Source::to_string).collect(),
            s3,
        };
        let mut stdin_read = false;
        for source in sources {
            match &source.kind {
                Kind::Stdin if stdin_read => {}
                Kind::Stdin => {
                    stdin_read = true;
                    listing.hold(spool::stdin()?);
                }
                Kind::Paths(places) => {
                    for place in places {
                        listing.add_place(place).await?;
                    }
                }
                Kind::S3 { bucket, prefix } => {
                    let Some(s3) = listing.s3.clone() else {
                        return Err(SourceError::Credentials {
                            reason: "there is no connection to S3".to_owned(),
                        });
                    };
                    listing.add_prefix(s3, bucket, prefix).await?;
                }
            }
        }
        listing.discover().await?;
        Ok(listing)
    }

    /// The objects without a key time, ahead of the days; [`Listing::next`] then gives days only.
    pub fn take_timeless(&mut self) -> Option<Batch> {
        let objects = std::mem::take(&mut self.timeless);
        self.batch(None, objects)
    }

    /// The next day's objects, of all accounts and regions; when there are no more days, those without a key time.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub async fn next(&mut self) -> Result<Option<Batch>, SourceError> {
        loop {
            let days = [self.pending.keys().next(), self.held.keys().next()];
            let Some(day) = days.into_iter().flatten().min().copied() else {
                return Ok(self.take_timeless());
            };
            self.list_day(day).await?;
            let objects = self.held.remove(&day).unwrap_or_default();
            if let Some(batch) = self.batch(Some(day), objects) {
                return Ok(Some(batch));
            }
        }
    }

    /// Whether the selection left out anything, be it a folder that was not looked into.
    pub fn has_pruned(&self) -> bool {
        self.pruned
    }

    /// What it came across so far.
    pub fn counts(&self) -> Counts {
        let list_requests = self.s3.as_ref().map_or(0, S3::list_requests);
        Counts {
            list_requests,
            ..self.counts
        }
    }

    /// A sentence about a listing that came to its end without an object: where was looked, what is there instead.
    pub fn nothing_found(&self) -> String {
        let sources = self.sources.join(", ");
        let mut text = if self.pruned {
            format!("no flow logs of these times, accounts and regions in {sources}, but others")
        } else {
            format!("no flow logs in {sources}")
        };
        if self.counts.ignored > 0 {
            text.push_str(&format!(
                "; {} files there are of another kind",
                self.counts.ignored
            ));
        }
        text
    }

    async fn add_place(&mut self, place: &Place) -> Result<(), SourceError> {
        match place {
            Place::File(path) => {
                let object = named_file(path, self.selection.logs)?;
                self.hold(object);
            }
            Place::Pipe(path) => self.hold(spool::pipe(path)?),
            Place::Folder(path) => {
                self.add_tree(Tree::Local, local::folder_text(path)).await?;
            }
        }
        Ok(())
    }

    /// `prefix` names an object, or a folder, or it is a prefix as S3 means it; looked for in this order.
    async fn add_prefix(
        &mut self,
        s3: S3,
        bucket: &std::sync::Arc<str>,
        prefix: &str,
    ) -> Result<(), SourceError> {
        let tree = Tree::S3(s3.clone(), bucket.clone());
        let first = s3.first(bucket, prefix).await?;
        let Some(first) = first else {
            return Err(SourceError::EmptyPrefix {
                url: format!("s3://{bucket}/{prefix}"),
            });
        };
        let is_folder = prefix.is_empty() || prefix.ends_with('/');
        if !is_folder && first.path == prefix {
            let object = tree.object(first, self.selection.logs, &mut self.names);
            self.hold(object);
            return Ok(());
        }
        let folder = format!("{prefix}/");
        if !is_folder && s3.first(bucket, &folder).await?.is_some() {
            return self.add_tree(tree, folder).await;
        }
        self.add_tree(tree, prefix.to_owned()).await
    }

    /// A folder or prefix: inside an `AWSLogs` folder, or above any number of them.
    async fn add_tree(&mut self, tree: Tree, given: String) -> Result<(), SourceError> {
        if let Some(root) = aws::root_above(&given) {
            let root = root.to_owned();
            self.roots.push(AwsLogs { tree, root, given });
            return Ok(());
        }
        let folder = given.rfind('/').map_or(0, |slash| slash + 1);
        let except = self.selection.except.as_deref();
        let except = except.and_then(|except| tree.inside(&given, except));
        let mut found = Vec::new();
        let mut ignored = 0;
        let logs = self.selection.logs;
        let mut take = |entry: super::tree::Entry| {
            let excepted = except
                .as_ref()
                .is_some_and(|except| entry.path.starts_with(except));
            if !excepted && logs.is_taken(&entry.path[folder..]) {
                found.push(entry);
            } else {
                ignored += 1;
            }
        };
        let roots = tree.walk(&given, &mut take).await?;
        self.counts.ignored += ignored;
        for entry in found {
            let object = tree.object(entry, self.selection.logs, &mut self.names);
            self.hold(object);
        }
        for root in roots {
            let tree = tree.clone();
            let given = root.clone();
            self.roots.push(AwsLogs { tree, root, given });
        }
        Ok(())
    }

    async fn discover(&mut self) -> Result<(), SourceError> {
        let found = self.roots.iter().map(|root| root.discover(&self.selection));
        for (root, found) in try_join_all(found).await?.into_iter().enumerate() {
            self.counts.ignored += found.ignored;
            self.pruned |= found.pruned;
            for partition in found.partitions {
                for day in &partition.days {
                    self.pending
                        .entry(*day)
                        .or_default()
                        .push(self.partitions.len());
                }
                self.partitions.push((root, partition));
            }
            for entry in found.files {
                let object =
                    self.roots[root]
                        .tree
                        .object(entry, self.selection.logs, &mut self.names);
                self.hold(object);
            }
        }
        Ok(())
    }

    /// Lists a day's folders.
    async fn list_day(&mut self, day: Date) -> Result<(), SourceError> {
        let partitions = self.pending.remove(&day).unwrap_or_default();
        let found = partitions.iter().map(|index| {
            let (root, partition) = &self.partitions[*index];
            self.roots[*root].day(partition, day, &self.selection)
        });
        let found = try_join_all(found).await?;
        for (index, found) in partitions.into_iter().zip(found) {
            let root = self.partitions[index].0;
            self.counts.ignored += found.ignored;
            for entry in found.files {
                let mut object =
                    self.roots[root]
                        .tree
                        .object(entry, self.selection.logs, &mut self.names);
                if let Some(facts) = &mut object.key {
                    facts.time = aws::time_in_folder(facts.time, day);
                }
                self.hold(object);
            }
        }
        Ok(())
    }

    /// Keeps an object until its day's turn.
    fn hold(&mut self, object: Object) {
        let Some(facts) = &object.key else {
            self.timeless.push(object);
            return;
        };
        if !self.selection.wants(facts) {
            self.pruned = true;
            self.counts.pruned += 1;
            return;
        }
        let day = facts.day();
        self.held.entry(day).or_default().push(object);
    }

    fn batch(&mut self, day: Option<Date>, mut objects: Vec<Object>) -> Option<Batch> {
        let time = |object: &Object| object.key.as_ref().map(|facts| facts.time);
        objects.sort_by(|a, b| time(a).cmp(&time(b)).then_with(|| a.url.cmp(&b.url)));
        if self.sources.len() > 1 {
            read_once(&mut objects);
        } else {
            objects.dedup_by(|a, b| a.url == b.url);
        }
        if objects.is_empty() {
            return None;
        }
        self.counts.objects += objects.len() as u64;
        for object in &objects {
            self.counts.bytes += object.size;
            self.counts.s3_objects += u64::from(matches!(object.location, Location::S3 { .. }));
        }
        Some(Batch { day, objects })
    }
}

/// A file that was named, whatever its extension.
fn named_file(path: &Path, logs: Logs) -> Result<Object, SourceError> {
    let url = path.to_string_lossy();
    match path.metadata() {
        Ok(metadata) => Ok(Object {
            size: metadata.len(),
            etag: None,
            key: KeyFacts::parse_of(logs, &url, &mut Names::default()),
            url: url.into(),
            location: Location::File(path.to_owned()),
        }),
        Err(reason) => Err(SourceError::Io {
            path: url.into_owned(),
            reason,
        }),
    }
}

/// Leaves one of each object that several sources hold, the one with the first url.
fn read_once(objects: &mut Vec<Object>) {
    let mut seen = HashSet::new();
    objects.retain(|object| {
        let identity = match &object.location {
            Location::S3 { .. } => PathBuf::from(&*object.url),
            Location::Spooled(path) => path.to_path_buf(),
            // What cannot be resolved cannot be read either, and is named then.
            Location::File(path) => path.canonicalize().unwrap_or_else(|_| path.clone()),
        };
        seen.insert(identity)
    });
}
