//! A queue of S3's notifications in SQS: receives, keeps invisible, deletes, gives back. Nothing else of it is changed.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
    MessageSystemAttributeName, QueueAttributeName,
};

use super::SourceError;

/// Messages that SQS hands out at most at once.
const MESSAGES: i32 = 10;
/// How long a message is invisible where the queue does not say, seconds.
const INVISIBLE: i32 = 30;

/// A message that was received and is invisible to others for a while.
#[derive(Clone, Debug)]
pub struct Message {
    /// What it says.
    pub body: String,
    /// By which it is deleted or given back.
    pub receipt: String,
    /// When it was sent, seconds since 1970; 0 where SQS does not say.
    pub sent: u64,
}

/// A queue. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Queue {
    client: Client,
    url: String,
    /// Seconds for which a received message is invisible.
    invisible: i32,
    has_redrive: bool,
}

impl Queue {
    /// Whether a source's words name a queue: `sqs://NAME`, or a queue's URL.
    pub fn is_one(words: &str) -> bool {
        words.starts_with("sqs://") || (words.starts_with("http") && words.contains("://"))
    }

    /// Connects to a queue by the SDK's own settings.
    ///
    /// # Errors
    /// When there is none of this name, or it does not tell its attributes.
    pub async fn open(words: &str) -> Result<Queue, SourceError> {
        let shared = aws_config::defaults(BehaviorVersion::latest()).load().await;
        let mut config = aws_sdk_sqs::config::Builder::from(&shared);
        let region = region_in(words).map(aws_sdk_sqs::config::Region::new);
        if let Some(region) = region.or_else(|| shared.region().cloned()) {
            config = config.region(region);
        } else {
            return Err(SourceError::Queue {
                queue: words.to_owned(),
                reason: "no AWS region is configured".to_owned(),
                advice: Some("set AWS_REGION, or give the queue's URL"),
            });
        }
        let client = Client::from_conf(config.build());
        let url = match words.strip_prefix("sqs://") {
            None => words.to_owned(),
            Some(name) => {
                let found = client.get_queue_url().queue_name(name).send().await;
                let found = found.map_err(|error| failed(words, "find", error))?;
                found.queue_url.unwrap_or_default()
            }
        };
        let attributes = client
            .get_queue_attributes()
            .queue_url(&url)
            .attribute_names(QueueAttributeName::VisibilityTimeout)
            .attribute_names(QueueAttributeName::RedrivePolicy)
            .send()
            .await
            .map_err(|error| failed(words, "ask for the attributes of", error))?;
        let attributes = attributes.attributes.unwrap_or_default();
        let invisible = attributes.get(&QueueAttributeName::VisibilityTimeout);
        Ok(Queue {
            client,
            url,
            invisible: invisible
                .and_then(|seconds| seconds.parse().ok())
                .unwrap_or(INVISIBLE),
            has_redrive: attributes.contains_key(&QueueAttributeName::RedrivePolicy),
        })
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether what is never understood goes to a dead-letter queue in the end.
    pub fn has_redrive(&self) -> bool {
        self.has_redrive
    }

    /// Receives some messages; waits up to so many seconds (at most 20) for the first.
    ///
    /// # Errors
    /// When SQS does not answer.
    pub async fn receive(&self, wait: i32) -> Result<Vec<Message>, SourceError> {
        let received = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(MESSAGES)
            .wait_time_seconds(wait)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .send()
            .await
            .map_err(|error| failed(&self.url, "receive from", error))?;
        let messages = received.messages.unwrap_or_default().into_iter();
        Ok(messages
            .filter_map(|message| {
                let sent = message.attributes.as_ref();
                let sent = sent.and_then(|all| all.get(&MessageSystemAttributeName::SentTimestamp));
                let millis: Option<u64> = sent.and_then(|millis| millis.parse().ok());
                Some(Message {
                    body: message.body.unwrap_or_default(),
                    receipt: message.receipt_handle?,
                    sent: millis.unwrap_or(0) / 1000,
                })
            })
            .collect())
    }

    /// Deletes messages. One that is not deleted comes again.
    ///
    /// # Errors
    /// When SQS does not answer.
    pub async fn delete(&self, messages: &[Message]) -> Result<(), SourceError> {
        for some in messages.chunks(MESSAGES as usize) {
            let entries = some.iter().enumerate().map(|(place, message)| {
                DeleteMessageBatchRequestEntry::builder()
                    .id(place.to_string())
                    .receipt_handle(&message.receipt)
                    .build()
                    .expect("both that it takes were given")
            });
            let request = self.client.delete_message_batch().queue_url(&self.url);
            let deleted = request.set_entries(Some(entries.collect())).send().await;
            deleted.map_err(|error| failed(&self.url, "delete from", error))?;
        }
        Ok(())
    }

    /// Gives messages back: others may receive them at once.
    ///
    /// # Errors
    /// When SQS does not answer.
    pub async fn give_back(&self, messages: &[Message]) -> Result<(), SourceError> {
        self.hide(messages, 0).await
    }

    /// Keeps messages invisible until what this gives is dropped.
    pub fn keep(&self, messages: Vec<Message>) -> Kept {
        let queue = self.clone();
        let beat = Duration::from_secs(u64::from(self.invisible.max(3).unsigned_abs()) / 3);
        Kept(tokio::spawn(async move {
            loop {
                tokio::time::sleep(beat).await;
                if let Err(error) = queue.hide(&messages, queue.invisible).await {
                    tracing::warn!("{error}");
                }
            }
        }))
    }

    async fn hide(&self, messages: &[Message], seconds: i32) -> Result<(), SourceError> {
        for some in messages.chunks(MESSAGES as usize) {
            let entries = some.iter().enumerate().map(|(place, message)| {
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(place.to_string())
                    .receipt_handle(&message.receipt)
                    .visibility_timeout(seconds)
                    .build()
                    .expect("both that it takes were given")
            });
            let request = self
                .client
                .change_message_visibility_batch()
                .queue_url(&self.url);
            let hidden = request.set_entries(Some(entries.collect())).send().await;
            hidden.map_err(|error| failed(&self.url, "keep messages of", error))?;
        }
        Ok(())
    }
}

/// Messages that are kept invisible for as long as this is there.
pub struct Kept(tokio::task::JoinHandle<()>);

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The region in a queue's URL, as AWS writes it: `https://sqs.REGION.amazonaws.com/…`.
fn region_in(url: &str) -> Option<String> {
    let host = url.split("://sqs.").nth(1)?;
    Some(host.split_once(".amazonaws.com")?.0.to_owned())
}

fn failed<E: ProvideErrorMetadata + std::error::Error + 'static>(
    queue: &str,
    what: &str,
    error: SdkError<E>,
) -> SourceError {
    let code = error.code().unwrap_or_default();
    let advice = if code.contains("NonExistentQueue") || code.contains("QueueDoesNotExist") {
        Some("`aws sqs list-queues` shows those of an account and region")
    } else if code.contains("AccessDenied") {
        Some("the manual lists the permissions that `watch` needs of a queue")
    } else {
        None
    };
    let reason = match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        _ => DisplayErrorContext(&error).to_string(),
    };
    SourceError::Queue {
        queue: format!("{what} {queue}"),
        reason,
        advice,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_told_from_other_sources_and_its_url_names_the_region() {
        for (words, is_one) in [
            ("sqs://flow-logs", true),
            ("https://sqs.eu-west-1.amazonaws.com/1/q", true),
            ("s3://bucket", false),
            ("https.logs", false),
            ("folder/http", false),
        ] {
            assert_eq!(Queue::is_one(words), is_one, "{words}");
        }
        let url = "https://sqs.eu-west-1.amazonaws.com/123456789012/flow-logs";
        assert_eq!(region_in(url).as_deref(), Some("eu-west-1"));
        assert_eq!(region_in("http://127.0.0.1:5000/1/q"), None);
    }

    /// A server that says yes to every request, and passes on what was asked for and how it read.
    fn says_yes() -> (String, std::sync::mpsc::Receiver<(String, String)>) {
        use std::io::{BufRead, BufReader, Read, Write};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let (asked, requests) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut reader = BufReader::new(stream);
                loop {
                    let (mut target, mut length, mut line) = (String::new(), 0, String::new());
                    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                        let lower = line.trim().to_ascii_lowercase();
                        if let Some(value) = lower.strip_prefix("x-amz-target: ") {
                            target = value.to_owned();
                        } else if let Some(value) = lower.strip_prefix("content-length: ") {
                            length = value.parse().unwrap_or(0);
                        }
                        line.clear();
                    }
                    let mut body = vec![0; length];
                    if target.is_empty() || reader.read_exact(&mut body).is_err() {
                        break;
                    }
                    let body = String::from_utf8_lossy(&body).into_owned();
                    let _ = asked.send((target, body));
                    let yes = "{\"Successful\":[],\"Failed\":[]}";
                    let head = format!(
                        "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\n\r\n{yes}",
                        yes.len()
                    );
                    let _ = reader.get_mut().write_all(head.as_bytes());
                }
            }
        });
        (address, requests)
    }

    #[test]
    fn messages_are_kept_invisible_until_they_are_done_with() {
        let (endpoint, requests) = says_yes();
        let config = aws_sdk_sqs::config::Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .region(aws_sdk_sqs::config::Region::new("eu-west-1"))
            .credentials_provider(aws_sdk_sqs::config::Credentials::new(
                "id", "key", None, None, "test",
            ))
            .endpoint_url(&endpoint);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        let runtime = runtime.expect("a runtime");
        let _in_runtime = runtime.enter();
        let queue = Queue {
            client: Client::from_conf(config.build()),
            url: format!("{endpoint}/1/q"),
            invisible: 3,
            has_redrive: true,
        };
        let message = Message {
            body: String::new(),
            receipt: "receipt-7".to_owned(),
            sent: 0,
        };
        let kept = queue.keep(vec![message.clone()]);
        for _beat in 0..2 {
            let (what, body) = requests
                .recv_timeout(Duration::from_secs(20))
                .expect("a beat");
            assert!(what.ends_with("changemessagevisibilitybatch"), "{what}");
            assert!(
                body.contains("receipt-7") && body.contains("\"VisibilityTimeout\":3"),
                "{body}"
            );
        }
        drop(kept);
        // Whatever was on its way when it ended has come before this.
        runtime
            .block_on(queue.give_back(&[message]))
            .expect("given back");
        let last = std::iter::from_fn(|| requests.recv_timeout(Duration::from_secs(2)).ok()).last();
        let (_, body) = last.expect("it was asked for");
        assert!(body.contains("\"VisibilityTimeout\":0"), "{body}");
    }
}
