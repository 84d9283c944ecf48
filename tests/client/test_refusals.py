"""What a transfer says when those who serve bytes refuse it to the end."""

from mlmd_client.http_connections import Answer
from mlmd_client.refusals import busy, refusal

URL = "http://127.0.0.1:8081/files/7/model.bin"


def test_the_servers_own_words_are_told_of_a_store_that_stayed_ill() -> None:
    said = b'{"code": "resource_exhausted", "message": "The disk of the artifact folder is full; make room there."}'
    error = busy(Answer(503, {"x-request-id": "r1"}, said), None, URL, "model.bin", 8)
    assert str(error) == (
        "The disk of the artifact folder is full; make room there. 'model.bin' was tried 8 times. "
        "Run the same again later: it goes on where it was."
    )
    assert error.request_id == "r1"


def test_what_an_object_store_says_is_told_by_its_code() -> None:
    error = busy(Answer(503, {}, b"<Error><Code>SlowDown</Code></Error>"), None, URL, "model.bin", 6)
    assert "127.0.0.1:8081 is busy or ill (SlowDown); 'model.bin' was tried 6 times" in str(error)


def test_a_bucket_that_is_gone_is_named() -> None:
    said = b"<Error><Code>NoSuchBucket</Code><BucketName>models</BucketName></Error>"
    error = refusal(Answer(404, {}, said), "https://models.s3.example/t/f?X-Amz-Signature=s", "f")
    assert (
        str(error)
        == "The bucket 'models' for 'f' is not at https://models.s3.example any more; whoever runs it has to make it."
    )


def test_a_bucket_that_the_answer_does_not_name_is_told_by_the_address() -> None:
    said = b"<Error><Code>NoSuchBucket</Code></Error>"
    error = refusal(Answer(404, {}, said), "http://minio:9000/models/t/f%20g?X-Amz-Signature=s", "f g")
    assert "The bucket of http://minio:9000/models/t/f%20g is not there any more" in str(error)
    assert "Signature" not in str(error)
    error = refusal(Answer(404, {}, said), f"http://minio:9000/models/{'x' * 900}", "f")
    assert len(str(error)) < 400
