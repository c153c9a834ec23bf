//! What a queue's message says of new objects: S3's own notifications, directly, through SNS or through EventBridge.
//!
//! Sources: AWS, *Event message structure* (S3 User Guide: keys are encoded as in forms, a test event comes once); AWS,
//! *Amazon SNS message and JSON formats* (an envelope with the message as text, or none with raw delivery); AWS, *EventBridge
//! event message structure* (S3 User Guide: keys are as they are).

use serde_json::Value;

/// An object that a message names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noticed {
    /// The bucket.
    pub bucket: String,
    /// The key, decoded.
    pub key: String,
    /// Bytes as stored; 0 where the message does not say.
    pub size: u64,
    /// The entity tag with its quotes, as listings have it; empty where the message does not say.
    pub etag: String,
}

/// The objects that a message says were created; none of a test event, or where others were removed.
///
/// # Errors
/// What it is instead of a notification, in words.
pub fn noticed(message: &str) -> Result<Vec<Noticed>, String> {
    let value: Value =
        serde_json::from_str(message).map_err(|error| format!("no JSON: {error}"))?;
    let mut value = value;
    // SNS puts what it was given into an envelope, as text.
    if value["Type"] == "Notification" {
        let Some(text) = value["Message"].as_str() else {
            return Err("a notification of SNS without a message".to_owned());
        };
        value = serde_json::from_str(text)
            .map_err(|error| format!("no JSON in SNS's envelope: {error}"))?;
    }
    if value["Event"] == "s3:TestEvent" {
        return Ok(Vec::new());
    }
    if value["source"] == "aws.s3" {
        return from_event_bridge(&value);
    }
    let Some(records) = value["Records"].as_array() else {
        return Err("no notification of S3".to_owned());
    };
    let mut objects = Vec::new();
    for record in records {
        if record["eventSource"] != "aws:s3" {
            return Err("records of another service than S3".to_owned());
        }
        let name = record["eventName"].as_str().unwrap_or_default();
        // The word before the colon may have `s3:` in front.
        if !name.trim_start_matches("s3:").starts_with("ObjectCreated:") {
            continue;
        }
        let s3 = &record["s3"];
        let key = text(&s3["object"]["key"], "a key")?;
        let pairs = format!("={key}");
        let decoded = url::form_urlencoded::parse(pairs.as_bytes()).next();
        objects.push(Noticed {
            bucket: text(&s3["bucket"]["name"], "a bucket")?.to_owned(),
            key: decoded.map(|(_, key)| key.into_owned()).unwrap_or_default(),
            size: s3["object"]["size"].as_u64().unwrap_or(0),
            etag: quoted(&s3["object"]["eTag"]),
        });
    }
    Ok(objects)
}

fn from_event_bridge(event: &Value) -> Result<Vec<Noticed>, String> {
    if event["detail-type"] != "Object Created" {
        return Ok(Vec::new());
    }
    let detail = &event["detail"];
    Ok(vec![Noticed {
        bucket: text(&detail["bucket"]["name"], "a bucket")?.to_owned(),
        key: text(&detail["object"]["key"], "a key")?.to_owned(),
        size: detail["object"]["size"].as_u64().unwrap_or(0),
        etag: quoted(&detail["object"]["etag"]),
    }])
}

fn text<'v>(value: &'v Value, what: &str) -> Result<&'v str, String> {
    let text = value.as_str().filter(|text| !text.is_empty());
    text.ok_or_else(|| format!("a notification without {what}"))
}

fn quoted(etag: &Value) -> String {
    match etag.as_str() {
        Some(etag) if !etag.is_empty() => format!("\"{}\"", etag.trim_matches('"')),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &str, expected: &[&str]) {
        let found = noticed(message).expect("a notification");
        let told: Vec<String> = found
            .iter()
            .map(|object| {
                format!(
                    "{}/{} {} {}",
                    object.bucket, object.key, object.size, object.etag
                )
            })
            .collect();
        assert_eq!(told, expected, "{message}");
    }

    const DIRECT: &str = r#"{"Records":[
        {"eventSource":"aws:s3","eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"logs"},"object":{"key":"hive/aws-account-id%3D1/a+b%2Bc.gz","size":7,"eTag":"0a","sequencer":"1"}}},
        {"eventSource":"aws:s3","eventName":"ObjectRemoved:Delete","s3":{"bucket":{"name":"logs"},"object":{"key":"x"}}},
        {"eventSource":"aws:s3","eventName":"s3:ObjectCreated:CompleteMultipartUpload","s3":{"bucket":{"name":"logs"},"object":{"key":"b.gz"}}}]}"#;

    #[test]
    fn notifications_name_what_was_created_by_whatever_way_they_come() {
        let direct = [
            "logs/hive/aws-account-id=1/a b+c.gz 7 \"0a\"",
            "logs/b.gz 0 ",
        ];
        check(DIRECT, &direct);
        let wrapped =
            serde_json::json!({"Type": "Notification", "TopicArn": "t", "Message": DIRECT});
        check(&wrapped.to_string(), &direct);
        let event = serde_json::json!({
            "source": "aws.s3", "detail-type": "Object Created",
            "detail": {"bucket": {"name": "logs"}, "object": {"key": "a+b%20.gz", "size": 3, "etag": "0b"}},
        });
        check(&event.to_string(), &["logs/a+b%20.gz 3 \"0b\""]);
        let wrapped = serde_json::json!({"Type": "Notification", "Message": event.to_string()});
        check(&wrapped.to_string(), &["logs/a+b%20.gz 3 \"0b\""]);
    }

    #[test]
    fn test_events_and_removals_name_nothing() {
        check(
            r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"logs"}"#,
            &[],
        );
        check(r#"{"Records":[]}"#, &[]);
        check(
            r#"{"source":"aws.s3","detail-type":"Object Deleted","detail":{}}"#,
            &[],
        );
    }

    #[test]
    fn anything_else_is_said_to_be_what_it_is() {
        for (message, expected) in [
            ("hello", "no JSON"),
            ("{}", "no notification of S3"),
            (
                r#"{"Type":"Notification","Message":"hello"}"#,
                "no JSON in SNS's envelope",
            ),
            (
                r#"{"Records":[{"eventSource":"aws:sns"}]}"#,
                "another service",
            ),
            (
                r#"{"Records":[{"eventSource":"aws:s3","eventName":"ObjectCreated:Put","s3":{}}]}"#,
                "without a key",
            ),
            (
                r#"{"source":"aws.s3","detail-type":"Object Created"}"#,
                "without a bucket",
            ),
        ] {
            let found = noticed(message).expect_err(message);
            assert!(found.contains(expected), "{message}: {found}");
        }
    }
}
