//! Several objects in flight, handed out in order: I/O runs ahead of the threads that judge, but not too far.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;

use super::{Body, FetchError, Fetcher, Object};

/// Fetches objects ahead of whoever takes them. Dropping it ends the fetching.
#[derive(Debug)]
pub struct Prefetcher {
    runtime: Handle,
    /// Unbounded, but each arrival holds permits.
    arrivals: Mutex<mpsc::UnboundedReceiver<JoinHandle<Arrival>>>,
    driver: JoinHandle<()>,
}

type Arrival = (Object, Result<Body, FetchError>, Permits);

/// What an object holds until it is taken: its place among those in flight, and its share of the bytes.
type Permits = (OwnedSemaphorePermit, OwnedSemaphorePermit);

/// The grain of the byte budget: a semaphore counts to half a billion only.
const GRAIN: u64 = 1024;

impl Prefetcher {
    /// Begins to fetch `objects` on the runtime, in their order: at most `in_flight` of them fetched and not yet taken, of
    /// at most `max_bytes` in memory together (one body that is larger is let through alone).
    pub fn spawn<I>(
        runtime: &Handle,
        fetcher: Fetcher,
        objects: I,
        in_flight: usize,
        max_bytes: u64,
    ) -> Prefetcher
    where
        I: IntoIterator<Item = Object> + Send + 'static,
        I::IntoIter: Send,
    {
        let places = Arc::new(Semaphore::new(in_flight.max(1)));
        let grains = u32::try_from(max_bytes / GRAIN)
            .unwrap_or(u32::MAX)
            .clamp(1, u32::MAX >> 3);
        let budget = Arc::new(Semaphore::new(grains as usize));
        let (sender, arrivals) = mpsc::unbounded_channel();
        let drive = async move {
            for mut object in objects {
                let share = fetcher.memory_of(&object).div_ceil(GRAIN);
                let share = u32::try_from(share).unwrap_or(u32::MAX).min(grains);
                let permits = (permit(&places, 1).await, permit(&budget, share).await);
                let fetcher = fetcher.clone();
                let arrival = tokio::spawn(async move {
                    let body = fetcher.fetch(&mut object).await;
                    (object, body, permits)
                });
                if sender.send(arrival).is_err() {
                    return;
                }
            }
        };
        Prefetcher {
            runtime: runtime.clone(),
            arrivals: Mutex::new(arrivals),
            driver: runtime.spawn(drive),
        }
    }

    /// Waits for the next object; none after the last. For any number of threads, none of them the runtime's own: each
    /// object is handed to one of them.
    pub fn next(&self) -> Option<(Object, Result<Body, FetchError>)> {
        let arrival = {
            let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
            arrivals.blocking_recv()?
        };
        match self.runtime.block_on(arrival) {
            Ok((object, body, _permits)) => Some((object, body)),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime is shutting down.
            Err(_) => None,
        }
    }
}

impl Drop for Prefetcher {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

async fn permit(semaphore: &Arc<Semaphore>, count: u32) -> OwnedSemaphorePermit {
    let permit = semaphore.clone().acquire_many_owned(count).await;
    permit.expect("the semaphore is never closed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{FetchOptions, Location};

    fn objects(folder: &std::path::Path, count: usize) -> Vec<Object> {
        let object = |index| {
            let path = folder.join(format!("{index:03}.log"));
            // Every tenth is missing.
            if index % 10 != 9 {
                std::fs::write(&path, vec![b'x'; index * 100]).expect("a file");
            }
            Object {
                url: format!("{index:03}").into(),
                size: index as u64 * 100,
                etag: None,
                key: None,
                location: Location::File(path),
            }
        };
        (0..count).map(object).collect()
    }

    fn check(in_flight: usize, max_bytes: u64) {
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let fetcher = Fetcher::new(None, FetchOptions::default());
        let objects = objects(folder.path(), 60);
        let prefetcher =
            Prefetcher::spawn(runtime.handle(), fetcher, objects, in_flight, max_bytes);
        for index in 0..60 {
            let (object, body) = prefetcher.next().expect("sixty objects");
            assert_eq!(*object.url, format!("{index:03}"));
            match body {
                Ok(Body::Bytes(bytes)) => assert_eq!(bytes.len(), index * 100),
                Ok(body) => panic!("expected bytes, got {body:?}"),
                Err(_) => assert_eq!(index % 10, 9),
            }
        }
        assert!(prefetcher.next().is_none());
        assert!(prefetcher.next().is_none());
    }

    #[test]
    fn objects_come_in_order_whatever_the_bounds() {
        check(1, 0);
        check(4, 3000);
        check(100, 1 << 40);
    }

    #[test]
    fn threads_share_the_objects() {
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let fetcher = Fetcher::new(None, FetchOptions::default());
        let prefetcher = Prefetcher::spawn(
            runtime.handle(),
            fetcher,
            objects(folder.path(), 50),
            8,
            10_000,
        );
        let taken = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while let Some((object, _)) = prefetcher.next() {
                        taken.lock().expect("no thread panics").push(object.url);
                    }
                });
            }
        });
        let mut taken = taken.into_inner().expect("no thread panics");
        taken.sort();
        assert_eq!(taken.len(), 50);
        taken.dedup();
        assert_eq!(taken.len(), 50);
    }

    #[test]
    fn what_nobody_takes_is_not_fetched() {
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let begun = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counter = begun.clone();
        let objects = objects(folder.path(), 50).into_iter().inspect(move |_| {
            counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        });
        let fetcher = Fetcher::new(None, FetchOptions::default());
        let prefetcher = Prefetcher::spawn(runtime.handle(), fetcher, objects, 5, 1 << 30);
        for _ in 0..10 {
            let (_, body) = prefetcher.next().expect("fifty objects");
            drop(body);
        }
        // Ten taken, five in flight, one waiting for a place.
        assert!(begun.load(std::sync::atomic::Ordering::Relaxed) <= 16);
    }
}
