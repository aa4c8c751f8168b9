"""FakeLangfuse: its media API, as a client uses it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from langfuse.api import LangfuseAPI
from langfuse.api.core import ApiError
from langfuse.api.media.types import MediaContentType

from otel_llm.testing.langfuse import FakeLangfuse, MediaLink
from otel_llm.testing.langfuse.media_api import CONTENT_TYPES

PICTURE = b"\x89PNG\r\n\x1a\n a picture"
SHA256 = base64.b64encode(hashlib.sha256(PICTURE).digest()).decode()
MEDIA_ID = base64.urlsafe_b64encode(hashlib.sha256(PICTURE).digest()).decode()[:22]
ANNOUNCEMENT = {
    "traceId": "0af7651916cd43dd8448eb211c80319c",
    "observationId": "b7ad6b7169203331",
    "contentType": "image/png",
    "contentLength": len(PICTURE),
    "sha256Hash": SHA256,
    "field": "input",
}
REPORT = {"uploadedAt": "2026-11-20T12:00:00.000Z", "uploadHttpStatus": 200, "uploadTimeMs": 3}
HEADERS = {"Content-Type": "image/png", "x-amz-checksum-sha256": SHA256}


@pytest.fixture
def langfuse() -> Iterator[FakeLangfuse]:
    with FakeLangfuse(media_max_bytes=1000) as server:
        yield server
    assert server.failures == []


@pytest.fixture
def http(langfuse: FakeLangfuse) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=langfuse.base_url, auth=(langfuse.public_key, langfuse.secret_key)) as client:
        yield client


def announced(http: httpx.Client, **changes: Any) -> httpx.Response:
    return http.post("/api/public/media", json={**ANNOUNCEMENT, **changes})


def uploaded(http: httpx.Client) -> None:
    """The three requests of an upload."""
    httpx.put(announced(http).json()["uploadUrl"], content=PICTURE, headers=HEADERS).raise_for_status()
    http.patch(f"/api/public/media/{MEDIA_ID}", json=REPORT).raise_for_status()


def test_a_file_is_announced_uploaded_and_reported(http: httpx.Client, langfuse: FakeLangfuse) -> None:
    answer = announced(http)
    assert (answer.status_code, answer.json()["mediaId"]) == (201, MEDIA_ID)
    uploaded(http)

    [file] = langfuse.media
    assert (file.id, file.content_type, file.data, file.sha256, file.status) == (MEDIA_ID, "image/png", PICTURE, SHA256, 200)
    assert (file.trace_id, file.observation_id, file.field) == (
        "0af7651916cd43dd8448eb211c80319c",
        "b7ad6b7169203331",
        "input",
    )


def test_a_file_is_given_out(http: httpx.Client) -> None:
    uploaded(http)
    record = http.get(f"/api/public/media/{MEDIA_ID}").json()
    assert {name: record[name] for name in ("mediaId", "contentType", "contentLength", "uploadedAt")} == {
        "mediaId": MEDIA_ID,
        "contentType": "image/png",
        "contentLength": len(PICTURE),
        "uploadedAt": "2026-11-20T12:00:00.000Z",
    }
    assert httpx.get(record["url"]).content == PICTURE


def test_a_file_whose_upload_was_not_reported_is_not_given_out(http: httpx.Client, langfuse: FakeLangfuse) -> None:
    httpx.put(announced(http).json()["uploadUrl"], content=PICTURE, headers=HEADERS)
    answer = http.get(f"/api/public/media/{MEDIA_ID}")
    assert (answer.status_code, answer.json()["message"], langfuse.media) == (404, "Media not yet uploaded", [])


def test_a_known_file_is_linked_and_not_asked_for_again(http: httpx.Client, langfuse: FakeLangfuse) -> None:
    uploaded(http)
    assert announced(http, observationId="00f067aa0ba902b7", field="output").json() == {"mediaId": MEDIA_ID, "uploadUrl": None}
    assert (langfuse.media[0].uploads, langfuse.media[0].links) == (
        1,
        [
            MediaLink("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "input"),
            MediaLink("0af7651916cd43dd8448eb211c80319c", "00f067aa0ba902b7", "output"),
        ],
    )


def test_a_file_that_was_stored_with_201_is_asked_for_each_time(http: httpx.Client) -> None:
    announced(http)
    httpx.put(announced(http).json()["uploadUrl"], content=PICTURE, headers=HEADERS)
    http.patch(f"/api/public/media/{MEDIA_ID}", json={**REPORT, "uploadHttpStatus": 201})
    assert http.get(f"/api/public/media/{MEDIA_ID}").status_code == 200
    assert announced(http).json()["uploadUrl"] is not None


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"contentType": "image/x-icon"}, "contentType: Invalid enum value"),
        ({"contentLength": 1001}, "File size must be less than 1000 bytes"),
        ({"contentLength": 0}, "contentLength: Expected a positive integer"),
        ({"sha256Hash": SHA256[:43]}, "sha256Hash: Must be a 44 character base64 encoded SHA-256 hash"),
        ({"field": "expectedOutput"}, "field: Invalid enum value"),
        ({"traceId": 7}, "traceId: Required"),
    ],
)
def test_what_the_server_does_not_take_is_a_bad_request(http: httpx.Client, change: dict[str, Any], fault: str) -> None:
    answer = announced(http, **change)
    assert (answer.status_code, answer.json()["error"]) == (400, [{"message": fault}])


def test_a_server_without_a_bucket_fails() -> None:
    with (
        FakeLangfuse(media_bucket=False) as server,
        httpx.Client(base_url=server.base_url, auth=(server.public_key, server.secret_key)) as client,
    ):
        assert announced(client).status_code == 500


def test_callers_must_say_who_they_are(langfuse: FakeLangfuse) -> None:
    assert httpx.post(f"{langfuse.base_url}/api/public/media", json=ANNOUNCEMENT).status_code == 401


@pytest.mark.parametrize(
    ("headers", "content", "code"),
    [
        ({**HEADERS, "Content-Type": "image/jpeg"}, PICTURE, "SignatureDoesNotMatch"),
        ({**HEADERS, "Content-Encoding": "gzip"}, PICTURE, "SignatureDoesNotMatch"),
        ({**HEADERS, "Authorization": "Basic cGs6c2s="}, PICTURE, "InvalidArgument: only one auth mechanism allowed"),
        ({"Content-Type": "image/png"}, PICTURE, "BadDigest"),
        (HEADERS, PICTURE + b"!", "BadDigest"),
        (HEADERS, iter([PICTURE]), "MissingContentLength"),
    ],
)
def test_storage_takes_only_what_was_announced(http: httpx.Client, headers: dict[str, str], content: Any, code: str) -> None:
    answer = httpx.put(announced(http).json()["uploadUrl"], content=content, headers=headers)
    assert (answer.status_code, code in answer.text) == (400, True)


def test_storage_serves_nobody_without_a_signature(http: httpx.Client) -> None:
    url = httpx.URL(announced(http).json()["uploadUrl"])
    assert httpx.put(url.copy_with(params={"type": "image/png"}), content=PICTURE, headers=HEADERS).status_code == 403


def test_the_sdk_s_client_understands_the_answers(langfuse: FakeLangfuse, http: httpx.Client) -> None:
    api = LangfuseAPI(base_url=langfuse.base_url, username=langfuse.public_key, password=langfuse.secret_key, httpx_client=http)
    answer = api.media.get_upload_url(
        content_type=MediaContentType.IMAGE_PNG,
        content_length=len(PICTURE),
        sha256hash=SHA256,
        field="input",
        trace_id="0af7651916cd43dd8448eb211c80319c",
    )
    with pytest.raises(ApiError, match="Media not yet uploaded"):
        api.media.get(answer.media_id)
    uploaded(http)
    assert api.media.get(answer.media_id).content_length == len(PICTURE)


def test_the_content_types_are_those_of_the_sdk() -> None:
    assert {str(known.value) for known in MediaContentType} == CONTENT_TYPES


def test_what_was_stored_can_be_forgotten(http: httpx.Client, langfuse: FakeLangfuse) -> None:
    uploaded(http)
    langfuse.clear()
    assert langfuse.media == []
