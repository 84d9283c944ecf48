"""What a transfer says when those who serve bytes refuse it to the end."""

from mlmd_client.http_connections import Answer
from mlmd_client.refusals import busy

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
