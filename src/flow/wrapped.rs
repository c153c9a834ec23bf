//! What stands around a line that came by way of CloudWatch Logs or Firehose.
//!
//! | form | where from |
//! |---|---|
//! | `2025-02-25T12:25:04.000Z 2 1234…` | an export task of CloudWatch Logs: the event's time before the line |
//! | `{"messageType":"DATA_MESSAGE",…,"logEvents":[{"message":"2 1234…"},…]}` | a subscription of a log group |
//! | `{"message":"2 1234…"}` | Firehose, as seen in the field; often without newlines between objects |
//!
//! Sources: AWS, *Export log data to Amazon S3* and *Log group-level subscription filters*.

use std::borrow::Cow;

use super::decode::MalformedLine;
use super::row::excerpt;

/// Whether the first word is a time as CloudWatch exports write it. No field of a flow log looks like that.
pub(crate) fn starts_with_time(text: &[u8]) -> bool {
    const SHAPE: &[u8] = b"0000-00-00T00:00:00";
    let Some((time, rest)) = text.split_at_checked(SHAPE.len()) else {
        return false;
    };
    let fits = |(byte, shape): (&u8, &u8)| {
        if *shape == b'0' {
            byte.is_ascii_digit()
        } else {
            byte == shape
        }
    };
    if !time.iter().zip(SHAPE).all(fits) {
        return false;
    }
    let end = rest
        .iter()
        .position(u8::is_ascii_whitespace)
        .unwrap_or(rest.len());
    rest[..end].last() == Some(&b'Z')
        && rest[..end - 1]
            .iter()
            .all(|byte| byte.is_ascii_digit() || *byte == b'.')
}

/// Looks for the end of a JSON object that arrives in parts.
#[derive(Default)]
pub(crate) struct ObjectScan {
    depth: u64,
    in_text: bool,
    escaped: bool,
}

impl ObjectScan {
    /// Looks at the next part; the index behind the object's closing brace, if it is there.
    pub fn end(&mut self, part: &[u8]) -> Option<usize> {
        for (index, byte) in part.iter().enumerate() {
            if self.in_text {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_text = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_text = true,
                b'{' => self.depth += 1,
                b'}' => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Some(index + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }
}

#[derive(serde::Deserialize)]
struct Wrapping<'a> {
    #[serde(borrow, rename = "messageType")]
    message_type: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "logEvents")]
    log_events: Option<Vec<Event<'a>>>,
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
}

#[derive(serde::Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    message: Cow<'a, str>,
}

/// The lines inside a JSON object; none for a control message.
pub(crate) fn unwrap(object: &[u8]) -> Result<Vec<String>, MalformedLine> {
    let shape = |wants| MalformedLine::Shape {
        wants,
        text: excerpt(object),
    };
    // A wrong byte in one field's text is not worth the whole object.
    let object = String::from_utf8_lossy(object);
    let wrapping: Wrapping<'_> =
        serde_json::from_str(&object).map_err(|_| shape("JSON with `message` or `logEvents`"))?;
    if wrapping.message_type.as_deref() == Some("CONTROL_MESSAGE") {
        return Ok(Vec::new());
    }
    if let Some(events) = wrapping.log_events {
        return Ok(events
            .into_iter()
            .map(|event| event.message.into_owned())
            .collect());
    }
    match wrapping.message {
        Some(message) => Ok(vec![message.into_owned()]),
        None => Err(shape("JSON with `message` or `logEvents`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_exports_are_recognised_and_nothing_else() {
        for time in [
            "2025-02-25T12:25:04.000Z 2 1",
            "2025-02-25T12:25:04Z",
            "2025-02-25T12:25:04.123456Z\t2",
        ] {
            assert!(starts_with_time(time.as_bytes()), "{time}");
        }
        for other in [
            "",
            "2 123456789010 eni-0",
            "2025-02-25 12:25:04",
            "2025-02-25T12:25:04",
            "2025-02-25T12:25:04.0+01 x",
        ] {
            assert!(!starts_with_time(other.as_bytes()), "{other}");
        }
    }

    fn check(text: &str, expected: Option<usize>) {
        assert_eq!(
            ObjectScan::default().end(text.as_bytes()),
            expected,
            "{text}"
        );
        let mut scan = ObjectScan::default();
        let by_byte =
            (0..text.len()).find_map(|at| scan.end(&text.as_bytes()[at..=at]).map(|end| at + end));
        assert_eq!(by_byte, expected, "{text} byte by byte");
    }

    #[test]
    fn an_object_ends_at_its_own_brace() {
        check("{}", Some(2));
        check(r#"{"a":{"b":1}}{"#, Some(13));
        check(r#"{"a":"}\"}"}x"#, Some(12));
        check(r#"{"a":"\\"}"#, Some(10));
        check(r#"{"a":{}"#, None);
        check(r#"{"a":"}"#, None);
    }
}
