//! AWS's S3 and SQS, which notify each other, SNS and Security Hub, as Moto plays them: a server of its own for each test,
//! over real HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use aws_sdk_s3::types::{
    BucketLocationConstraint, CreateBucketConfiguration, Event, NotificationConfiguration,
    QueueConfiguration,
};
use aws_sdk_sqs::types::QueueAttributeName;

use crate::interop::python;

pub const REGION: &str = "eu-west-1";
pub const ACCOUNT: &str = "123456789012";

/// A server that ends with this.
pub struct Moto {
    server: Child,
    pub url: String,
    pub s3: aws_sdk_s3::Client,
    pub sqs: aws_sdk_sqs::Client,
    pub runtime: tokio::runtime::Runtime,
}

impl Moto {
    pub fn start() -> Moto {
        let port = {
            let free = TcpListener::bind("127.0.0.1:0").expect("a port");
            free.local_addr().expect("an address").port()
        };
        let url = format!("http://127.0.0.1:{port}");
        let mut server = Command::new(python())
            .args(["-u", "-m", "moto.server", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("Moto starts");
        // It says so when it listens.
        let said = server.stderr.take().expect("a pipe");
        let mut lines = BufReader::new(said).lines();
        let listens = lines.by_ref().map_while(Result::ok);
        let mut before = Vec::new();
        let is_up = listens
            .inspect(|line| before.push(line.clone()))
            .any(|line| line.contains("Running on"));
        assert!(is_up, "Moto says: {before:?}");
        // What it says of requests is read, so that it is never held up.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let credentials = aws_sdk_s3::config::Credentials::for_tests();
        let s3 = aws_sdk_s3::Config::builder()
            .behavior_version_latest()
            .endpoint_url(&url)
            .region(aws_sdk_s3::config::Region::new(REGION))
            .credentials_provider(credentials.clone())
            .force_path_style(true)
            .build();
        let sqs = aws_sdk_sqs::Config::builder()
            .behavior_version_latest()
            .endpoint_url(&url)
            .region(aws_sdk_sqs::config::Region::new(REGION))
            .credentials_provider(credentials)
            .build();
        Moto {
            server,
            url,
            s3: aws_sdk_s3::Client::from_conf(s3),
            sqs: aws_sdk_sqs::Client::from_conf(sqs),
            runtime,
        }
    }

    /// Has the program talk to it.
    pub fn env(&self, command: &mut Command) {
        command
            .env("AWS_ENDPOINT_URL", &self.url)
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env_remove("AWS_PROFILE");
    }

    /// A bucket.
    pub fn bucket(&self, name: &str) {
        let place = CreateBucketConfiguration::builder()
            .location_constraint(BucketLocationConstraint::from(REGION))
            .build();
        let made = self.s3.create_bucket().bucket(name);
        let made = made.create_bucket_configuration(place).send();
        self.runtime.block_on(made).expect("a bucket");
    }

    /// A queue, which gives up on a message after it was received so often, if so; its URL.
    pub fn queue(&self, name: &str, tries: Option<u32>) -> String {
        let make = |name: &str, redrive: Option<String>| {
            let mut made = self.sqs.create_queue().queue_name(name);
            if let Some(redrive) = redrive {
                made = made
                    .attributes(QueueAttributeName::RedrivePolicy, redrive)
                    .attributes(QueueAttributeName::VisibilityTimeout, "1");
            }
            let made = self.runtime.block_on(made.send()).expect("a queue");
            made.queue_url.expect("a URL")
        };
        let redrive = tries.map(|tries| {
            make(&format!("{name}-dead"), None);
            let target = format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}-dead");
            let policy =
                serde_json::json!({"deadLetterTargetArn": target, "maxReceiveCount": tries});
            policy.to_string()
        });
        make(name, redrive)
    }

    /// Has a bucket tell a queue of its new objects.
    pub fn notifies(&self, bucket: &str, queue: &str) {
        let told = QueueConfiguration::builder()
            .queue_arn(format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"))
            .events(Event::from("s3:ObjectCreated:*"))
            .build()
            .expect("a configuration");
        let told = NotificationConfiguration::builder().queue_configurations(told);
        let put = self.s3.put_bucket_notification_configuration();
        let put = put.bucket(bucket).notification_configuration(told.build());
        self.runtime.block_on(put.send()).expect("it notifies");
    }

    /// Puts an object.
    pub fn put(&self, bucket: &str, key: &str, bytes: Vec<u8>) {
        let put = self.s3.put_object().bucket(bucket).key(key);
        let put = put.body(bytes.into()).send();
        self.runtime.block_on(put).expect("an object");
    }

    /// Sends a message.
    pub fn send(&self, queue: &str, body: &str) {
        let sent = self.sqs.send_message().queue_url(queue).message_body(body);
        self.runtime.block_on(sent.send()).expect("a message");
    }

    /// Takes all messages of a queue: what they say.
    pub fn take(&self, queue: &str) -> Vec<String> {
        let mut taken = Vec::new();
        loop {
            let asked = self.sqs.receive_message().queue_url(queue);
            let asked = asked.max_number_of_messages(10).send();
            let got = self.runtime.block_on(asked).expect("an answer");
            let messages = got.messages.unwrap_or_default();
            if messages.is_empty() {
                return taken;
            }
            for message in messages {
                let deleted = self.sqs.delete_message().queue_url(queue);
                let deleted = deleted.set_receipt_handle(message.receipt_handle).send();
                self.runtime.block_on(deleted).expect("it is deleted");
                taken.push(message.body.expect("a body"));
            }
        }
    }

    /// Asks a service that has no client here; what it answers.
    pub fn ask(&self, service: &str, path: &str, body: &str) -> String {
        let host = self.url.strip_prefix("http://").expect("a URL");
        let mut stream = TcpStream::connect(host).expect("Moto listens");
        let kind = match body.starts_with('{') {
            true => "application/json",
            false => "application/x-www-form-urlencoded; charset=utf-8",
        };
        // Moto tells services apart by what a request is signed for, and does not look at the signature.
        let request = format!(
            "POST {path} HTTP/1.0\r\nHost: {host}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/{service}/aws4_request, \
             SignedHeaders=host, Signature=0\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).expect("it is written");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.contains(" 200 "), "{answer}");
        body.to_owned()
    }

    /// Messages that wait in a queue, the invisible ones included.
    pub fn depth(&self, queue: &str) -> u64 {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let asked = self.sqs.get_queue_attributes().queue_url(queue);
        let asked = asked.set_attribute_names(Some(names.to_vec())).send();
        let told = self.runtime.block_on(asked).expect("attributes");
        let told = told.attributes.expect("attributes");
        names
            .iter()
            .map(|name| told[name].parse::<u64>().expect("a number"))
            .sum()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
