"""A field that stands in a JSON document in both of its spellings is refused, wherever it stands."""

from typing import Any

import pytest
from mlmd_api.codec import JSON
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.pb.v1 import registry_pb2 as registry

IDS, PUT = service.GetArtifactsByIDRequest, service.PutArtifactsRequest


@pytest.mark.parametrize(
    ("kind", "text", "sentence"),
    [
        (IDS, '{"artifact_ids":[1],"artifactIds":[2]}', "artifactIds: is the field that stands there as artifact_ids"),
        (IDS, '{"artifactIds":[2],"artifact_ids":null}', "artifact_ids: is the field that stands there as artifactIds"),
        (
            IDS,
            r'{"artifact\u005fids":[1],"artifactIds":[2]}',
            "artifactIds: is the field that stands there as artifact_ids",
        ),
        (
            IDS,
            r'{"artifactIds":[1],"\u0061rtifact_ids":[2]}',
            "artifact_ids: is the field that stands there as artifact",
        ),
        (
            IDS,
            r'{"artifact_ids":[1],"artifact\u0049ds":[2]}',
            "artifactIds: is the field that stands there as artifact",
        ),
        (PUT, '{"artifacts":[{},{"type_id":1,"typeId":2}]}', "artifacts[1].typeId: is the field"),
        (
            service.PutExecutionRequest,
            '{"artifact_event_pairs":[{"event":{"path":{},"artifact_id":1,"artifactId":1}}]}',
            "artifact_event_pairs[0].event.artifactId: is the field",
        ),
        (
            registry.CreateModelVersionRequest,
            '{"format":{"storage_key":"","storageKey":"k"}}',
            "format.storageKey: is the field",
        ),
    ],
)
def test_both_spellings_of_one_field_are_refused(kind: Any, text: str, sentence: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        JSON.read(kind, text.encode())
    assert refused.value.message.startswith(sentence)
    assert refused.value.message.endswith("; leave one out.")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (PUT, '{"artifacts":[{"type_id":1},{"typeId":2}]}'),
        (PUT, r'{"artifacts":[{"type\u005fid":1},{"uri":"\u005f\u00e9"}]}'),
        (PUT, '{"artifacts":[{"name":"\\"type_id\\"","uri":"\\"typeId\\"","typeId":2}]}'),
        (PUT, '{"artifacts":[{"customProperties":{"type_id":{"intValue":"1"},"typeId":{"intValue":"2"}}}]}'),
        (
            PUT,
            '{"artifacts":[{"properties":{"a":{"structValue":{"type_id":1,"typeId":{"type_id":1,"typeId":2}}}}}]}',
        ),
        (registry.CreateModelRequest, '{"tags":{"external_id":"a","externalId":"b"}}'),
    ],
)
def test_both_spellings_in_places_of_their_own_are_read(kind: Any, text: str) -> None:
    assert JSON.read(kind, text.encode()).ByteSize()
