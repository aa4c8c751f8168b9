"""FakeLangfuse against golden vectors: an OTLP request, and what a Langfuse server makes of it in both of its write paths.

Two sets in one format: a small one in ``tests/vectors``, and a large one measured on Langfuse 4.16.0, which lies beside the
repository where it is available.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_llm.testing.langfuse import FakeLangfuse

OWN = Path(__file__).parent / "vectors" / "langfuse.jsonl"
SHARED = Path(__file__).resolve().parents[2] / "shared" / "vectors" / "langfuse"
JSON, PROTOBUF = "application/json", "application/x-protobuf"
MEDIA_UPLOAD = {"LANGFUSE_OTEL_MEDIA_UPLOAD_ENABLED": "true"}
LONG = 100_000

Vector = dict[str, Any]
Row = dict[str, Any]


def vectors() -> Iterator[Any]:
    files = [OWN, *sorted(SHARED.glob("*.jsonl"))]
    for file in files:
        for line in file.read_text("utf-8").split("\n"):
            if line:
                vector = json.loads(line)
                yield pytest.param(vector, id=vector["id"])
    if len(files) == 1:
        yield pytest.param({}, id="measured", marks=pytest.mark.skip(reason="no measured vectors beside the repository"))


@pytest.fixture(scope="module", params=["direct", "dual"])
def path(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def servers(path: str) -> Iterator[dict[bool, FakeLangfuse]]:
    """Without and with media upload."""
    with FakeLangfuse(path=path) as plain, FakeLangfuse(path=path, media_upload=True) as uploading:
        yield {False: plain, True: uploading}


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client() as client:
        yield client


@pytest.mark.parametrize("vector", list(vectors()))
@pytest.mark.parametrize("encoding", [JSON, PROTOBUF])
def test_rows_are_those_of_the_vector(vector, encoding, path, servers, http):
    if encoding == PROTOBUF and not has_binary_form(vector):
        pytest.skip("the fault is one of the JSON form")
    langfuse = servers[vector.get("server_env") == MEDIA_UPLOAD]
    langfuse.clear()

    response = http.post(
        f"{langfuse.base_url}/api/public/otel/v1/traces",
        content=encoded(filled(vector), encoding),
        headers={"Content-Type": encoding},
        auth=(langfuse.public_key, langfuse.secret_key),
    )

    assert response.status_code == vector["http"]["status"]
    assert vector["http"].get("reason", "") in response.text
    if response.status_code == 200:
        assert stored(langfuse, path, vector) == expected(vector, path)
    else:
        assert langfuse.observations == []


def filled(vector: Vector) -> Any:
    """The request with its long texts put in."""
    document = json.dumps(vector["otlp"])
    for index, fill in enumerate(vector.get("fills", [])):
        inside_json = json.dumps(fill["text"] * fill["times"])[1:-1]
        document = document.replace(f"@@fill:{index}@@", inside_json)
    return json.loads(document)


def encoded(otlp: Any, encoding: str) -> bytes:
    if encoding == JSON:
        return json.dumps(otlp).encode()
    for span in spans(otlp):  # protobuf's own JSON form has base64 where OTLP has hexadecimal digits
        for name in {"traceId", "spanId", "parentSpanId"} & span.keys():
            span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
    return json_format.ParseDict(otlp, ExportTraceServiceRequest()).SerializeToString()


def has_binary_form(vector: Vector) -> bool:
    return all(
        isinstance(span["attributes"], list) and span["spanId"].islower() for span in spans(vector["otlp"]) if "spanId" in span
    )


def spans(otlp: Any) -> list[Any]:
    return [span for resource in otlp["resourceSpans"] for scope in resource["scopeSpans"] for span in scope["spans"]]


def stored(langfuse: FakeLangfuse, path: str, vector: Vector) -> Any:
    rows = [comparable(row, vector) for row in langfuse.observations]
    if path == "direct":
        return {"direct": rows}
    return {
        "observations": rows,
        "traces": [comparable(row, vector) for row in langfuse.traces],
        "rejected": langfuse.rejected,
    }


def expected(vector: Vector, path: str) -> Any:
    if path == "direct":
        return {"direct": merged(with_marks(row, vector, path) for row in vector["stored"]["direct"])}
    dual = vector["stored"]["dual"]
    return {
        "observations": merged(with_marks(row, vector, path) for row in dual["observations"]),
        "traces": dual["traces"],
        "rejected": dual["rejected"],
    }


def merged(rows: Iterator[Row]) -> list[Row]:
    """A vector holds what is handed to the database, which keeps one row of a span that came twice."""
    return list({(row["id"], row["start_time"]): row for row in rows}.values())


def comparable(row: Row, vector: Vector) -> Row:
    """A row of the fake in the form of a vector's: hashes for long texts, metadata only where it was kept."""
    row = dict(row)
    if not vector.get("metadata_kept"):
        row.pop("metadata", None)
    for field in ("input", "output"):
        text = row.get(field, "")
        if len(text) > LONG:
            del row[field]
            row[f"{field}_sha256"] = hashlib.sha256(text.encode()).hexdigest()
            row[f"{field}_chars"] = len(text)
            row[f"{field}_utf8_bytes"] = len(text.encode())
    return {**row, "cost_details": pytest.approx(row["cost_details"], abs=2e-12)} if "cost_details" in row else row


def with_marks(row: Row, vector: Vector, path: str) -> Row:
    """A vector's row with the fake's marks where the server worked a cost out, or would have counted tokens, itself."""
    row = {name: value for name, value in row.items() if name != "pricing_tier"}
    if path in vector["stored"].get("tokenised_paths", ()) and "usage_details" not in row and row.get("model"):
        return row | {"server_would_price": True, "tokenised_by_server": True}
    if "cost_details" in row and not cost_was_sent(row, vector, path):
        del row["cost_details"]
        row.pop("total_cost", None)
        return row | {"server_would_price": True}
    return row


def cost_was_sent(row: Row, vector: Vector, path: str) -> bool:
    """Whether the client sent a cost that the path honours: in dual, text in its place is ignored."""
    span = next(span for span in spans(vector["otlp"]) if span["spanId"] == row["id"])
    values = {attribute["key"]: attribute["value"] for attribute in span["attributes"]}
    details = json.loads(values.get("langfuse.observation.cost_details", {}).get("stringValue", "{}"))
    amounts = list(details.values()) or [values.get("gen_ai.usage.cost", {}).get("doubleValue")]
    if path == "direct":
        return bool(details) or "gen_ai.usage.cost" in values
    return all(isinstance(amount, float | int) for amount in amounts)
