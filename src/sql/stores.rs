//! The stores that DataFusion may read from: those that were named, and no other. There is no file system behind them.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::object_store::{ObjectStoreRegistry, ObjectStoreUrl};
use datafusion::object_store::path::Path;
use datafusion::object_store::{
    self, Attributes, CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload,
    PutResult,
};
use futures::StreamExt;
use futures::stream::BoxStream;
use url::Url;

use crate::sink::{LakeFile, Store};

/// Where `flows` lie, as DataFusion names it. Nothing is read through it: objects are fetched by their own ways.
pub(super) fn flows_url() -> ObjectStoreUrl {
    ObjectStoreUrl::parse("tidegate://flows").expect("it is a url")
}

/// Where the lake lies, as DataFusion names it.
pub(super) fn lake_url() -> ObjectStoreUrl {
    ObjectStoreUrl::parse("tidegate://lake").expect("it is a url")
}

/// The stores that were named.
#[derive(Debug, Default)]
pub(super) struct NamedStores(Mutex<HashMap<String, Arc<dyn ObjectStore>>>);

impl ObjectStoreRegistry for NamedStores {
    fn register_store(
        &self,
        url: &Url,
        store: Arc<dyn ObjectStore>,
    ) -> Option<Arc<dyn ObjectStore>> {
        let mut stores = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stores.insert(url.to_string(), store)
    }

    fn get_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        let stores = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = stores.get(url.as_str()).cloned();
        known.ok_or_else(|| {
            let what = format!("{url} was not named: only --logs and --lake are read");
            DataFusionError::Plan(what)
        })
    }
}

/// Files of a store that a table has named, to be read and nothing else.
pub(super) struct NamedFiles {
    store: Store,
    /// Their sizes, bytes.
    sizes: Mutex<HashMap<Path, u64>>,
}

impl NamedFiles {
    /// None yet.
    pub fn new(store: Store) -> NamedFiles {
        NamedFiles {
            store,
            sizes: Mutex::default(),
        }
    }

    /// Names files.
    pub fn name(&self, files: &[LakeFile]) {
        let mut sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        sizes.extend(
            files
                .iter()
                .map(|file| (Path::from(&*file.name), file.size)),
        );
    }

    fn size(&self, location: &Path) -> object_store::Result<u64> {
        let sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        let size = sizes.get(location).copied();
        size.ok_or_else(|| object_store::Error::NotFound {
            path: location.to_string(),
            source: "no table has it".into(),
        })
    }

    async fn read(&self, location: &Path, range: Range<u64>) -> object_store::Result<Bytes> {
        let (store, name) = (self.store.clone(), location.to_string());
        let wanted = range.clone();
        let read = tokio::task::spawn_blocking(move || store.get_range(&name, wanted));
        let failed = |source| object_store::Error::Generic {
            store: "lake",
            source,
        };
        let bytes = read
            .await
            .map_err(|error| failed(error.into()))?
            .map_err(|error| failed(error.into()))?;
        match bytes {
            Some(bytes) if bytes.len() as u64 == range.end - range.start => Ok(bytes),
            Some(_) => Err(failed(
                format!("{location} is shorter than when it was listed").into(),
            )),
            None => Err(object_store::Error::NotFound {
                path: location.to_string(),
                source: "it vanished since it was listed".into(),
            }),
        }
    }
}

#[async_trait]
impl ObjectStore for NamedFiles {
    async fn get_opts(
        &self,
        location: &Path,
        options: GetOptions,
    ) -> object_store::Result<GetResult> {
        let size = self.size(location)?;
        let range = match &options.range {
            None => 0..size,
            Some(range) => range
                .as_range(size)
                .map_err(|error| object_store::Error::Generic {
                    store: "lake",
                    source: error.into(),
                })?,
        };
        let bytes = if options.head {
            Bytes::new()
        } else {
            self.read(location, range.clone()).await?
        };
        Ok(GetResult {
            payload: GetResultPayload::Stream(futures::stream::iter([Ok(bytes)]).boxed()),
            meta: ObjectMeta {
                location: location.clone(),
                last_modified: Default::default(),
                size,
                e_tag: None,
                version: None,
            },
            range,
            attributes: Attributes::default(),
        })
    }

    fn list(&self, _prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        futures::stream::iter([Err(read_only("list"))]).boxed()
    }

    async fn list_with_delimiter(
        &self,
        _prefix: Option<&Path>,
    ) -> object_store::Result<ListResult> {
        Err(read_only("list"))
    }

    async fn put_opts(
        &self,
        _location: &Path,
        _payload: PutPayload,
        _options: PutOptions,
    ) -> object_store::Result<PutResult> {
        Err(read_only("put"))
    }

    async fn put_multipart_opts(
        &self,
        _location: &Path,
        _options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        Err(read_only("put"))
    }

    fn delete_stream(
        &self,
        _locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        futures::stream::iter([Err(read_only("delete"))]).boxed()
    }

    async fn copy_opts(
        &self,
        _from: &Path,
        _to: &Path,
        _options: CopyOptions,
    ) -> object_store::Result<()> {
        Err(read_only("copy"))
    }
}

fn read_only(operation: &'static str) -> object_store::Error {
    object_store::Error::NotImplemented {
        operation: operation.to_owned(),
        implementer: "a store that is only read".to_owned(),
    }
}

impl fmt::Display for NamedFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.store.url())
    }
}

impl fmt::Debug for NamedFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NamedFiles({self})")
    }
}
