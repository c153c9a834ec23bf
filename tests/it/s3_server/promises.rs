//! The server keeps S3's promises, as far as the tests lean on them: conditions, parts, signatures.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Credentials;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use tokio::runtime::Runtime;

use super::S3Server;

fn started() -> (S3Server, Runtime, Client) {
    let server = S3Server::start();
    server.create_bucket("lake");
    let client = Client::from_conf(server.config().build());
    (server, Runtime::new().expect("a runtime"), client)
}

#[test]
fn writes_keep_their_conditions() {
    let (server, runtime, client) = started();
    runtime.block_on(async {
        let put = |text: &'static str| {
            let body = ByteStream::from_static(text.as_bytes());
            client.put_object().bucket("lake").key("a").body(body)
        };
        let code = |result: Result<_, aws_sdk_s3::Error>| match result {
            Ok(_) => "ok".to_owned(),
            Err(error) => error.code().unwrap_or_default().to_owned(),
        };
        let absent = put("nothing").if_match("\"0\"").send().await;
        assert_eq!(code(absent.map_err(Into::into)), "NoSuchKey");
        let first = put("one")
            .if_none_match("*")
            .send()
            .await
            .expect("it is absent");
        let second = put("two").if_none_match("*").send().await;
        assert_eq!(code(second.map_err(Into::into)), "PreconditionFailed");
        let etag = first.e_tag().expect("a tag");
        put("three")
            .if_match(etag)
            .send()
            .await
            .expect("it is unchanged");
        let stale = put("four").if_match(etag).send().await;
        assert_eq!(code(stale.map_err(Into::into)), "PreconditionFailed");
    });
    assert_eq!(server.get("lake", "a").expect("stored"), "three");
    assert_eq!(server.log()[1].to_string(), "PUT a if-none-match=*");
    let delete = client.delete_object().bucket("lake").key("a").send();
    runtime.block_on(delete).expect("deleted");
    assert_eq!(server.get("lake", "a"), None);
}

#[test]
fn parts_become_an_object_only_when_they_are_complete() {
    let (server, runtime, client) = started();
    let large = vec![b'x'; 5 << 20];
    runtime.block_on(async {
        let begin = || {
            client
                .create_multipart_upload()
                .bucket("lake")
                .key("b")
                .send()
        };
        let begun = begin().await.expect("begun");
        let id = begun.upload_id().expect("an id");
        let mut parts = Vec::new();
        for (number, bytes) in [(1, large.clone()), (2, b"end".to_vec())] {
            let part = client.upload_part().bucket("lake").key("b").upload_id(id);
            let part = part
                .part_number(number)
                .body(bytes.into())
                .send()
                .await
                .expect("a part");
            let etag = part.e_tag.expect("a tag");
            parts.push(
                CompletedPart::builder()
                    .part_number(number)
                    .e_tag(etag)
                    .build(),
            );
        }
        assert_eq!((server.get("lake", "b"), server.open_uploads()), (None, 1));
        let complete = |parts: Vec<CompletedPart>| {
            let parts = CompletedMultipartUpload::builder()
                .set_parts(Some(parts))
                .build();
            let complete = client.complete_multipart_upload().bucket("lake").key("b");
            complete
                .upload_id(id)
                .multipart_upload(parts)
                .if_none_match("*")
        };
        let swapped = vec![parts[1].clone(), parts[0].clone()];
        let error = complete(swapped)
            .send()
            .await
            .expect_err("the first is too small");
        assert_eq!(error.code(), Some("EntityTooSmall"));
        complete(parts).send().await.expect("both are there");
        let begun = begin().await.expect("begun");
        let id = begun.upload_id().expect("an id");
        let abort = client.abort_multipart_upload().bucket("lake").key("b");
        abort.upload_id(id).send().await.expect("it was open");
    });
    assert_eq!(server.open_uploads(), 0);
    assert_eq!(server.keys("lake", ""), ["b"]);
    assert_eq!(
        server.get("lake", "b").expect("stored").len(),
        large.len() + 3
    );
}

#[test]
fn a_wrong_signature_is_refused() {
    let (server, runtime, _) = started();
    let wrong = Credentials::new("AKIDTEST", "not the secret", None, None, "test");
    let client = Client::from_conf(server.config().credentials_provider(wrong).build());
    let error = runtime
        .block_on(client.list_objects_v2().bucket("lake").send())
        .expect_err("a wrong secret");
    assert_eq!(error.code(), Some("SignatureDoesNotMatch"));
    assert!(server.log().is_empty());
}
