"""Other instrumentations alone, with the Langfuse destination: what is stored is what our own recording of the same calls stores.

Each emitter runs in a process of its own (``emitting.py``), in which nothing of otel-llm but its span processor and its destination
is installed. What an emitter does not know of a call is named here, field by field.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from otel_llm.content import CAPTURE_VARIABLE

Row = dict[str, Any]

#: What differs from call to call, and the span's name, which is the emitter's own.
OWN = {"id", "trace_id", "start_time", "end_time", "created_at", "updated_at", "name"}
#: An SDK's exception in place of the provider's own code and message.
EXCEPTION = {"status_message", "metadata.error_type"}
#: Beside it, as an event.
RECORDED_EXCEPTION = EXCEPTION | {"metadata.exception.type", "metadata.exception.message", "metadata.exception.stacktrace"}
#: How long what was written to Anthropic's cache stays there, and the tier that served the call.
CACHE_LIFETIME = {"usage_details", "cost_details"}
TIER = {"model_parameters"}
FIRST_TOKEN = {"completion_start_time"}
CLAUDES_STREAMS = ("anthropic streamed", "anthropic streamed with tools")
CLAUDES = ("anthropic plain", "anthropic with tools", *CLAUDES_STREAMS)

#: Emitter -> call -> fields of what it does not tell.
UNTOLD: dict[str, dict[str, set[str]]] = {
    "official": {
        "embeddings": {"input"},
        "refused": EXCEPTION,
        **dict.fromkeys(CLAUDES, CACHE_LIFETIME | TIER),
        **dict.fromkeys(CLAUDES_STREAMS, CACHE_LIFETIME | TIER | FIRST_TOKEN),
        "anthropic refused": EXCEPTION,
    },
    "openinference": {
        "refused": RECORDED_EXCEPTION,
        **dict.fromkeys(CLAUDES_STREAMS, FIRST_TOKEN),
        "anthropic refused": RECORDED_EXCEPTION,
    },
    "openllmetry": {
        "streamed": {"metadata.reasoning_tokens"},
        "streamed with tools": {"metadata.reasoning_tokens"},
        "an image": {"input"},  # inline images are left out, with all of the message
        "refused": RECORDED_EXCEPTION,
        **dict.fromkeys(CLAUDES, CACHE_LIFETIME | TIER),  # nor are stop sequences told
        # That a call was streamed; the output tokens of the first event and of the last are added up: 91 for 90.
        **dict.fromkeys(CLAUDES_STREAMS, CACHE_LIFETIME | TIER | FIRST_TOKEN | {"metadata.stream"}),
        "anthropic refused": RECORDED_EXCEPTION,
    },
}


@functools.cache
def emitted(emitter: str) -> Any:
    """Write path -> call -> the stored row, of a process of its own."""
    script = Path(__file__).with_name("emitting.py")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LANGFUSE_", "OTEL_"))}
    done = subprocess.run(
        [sys.executable, script, emitter],
        env={**environment, CAPTURE_VARIABLE: "SPAN_ONLY"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def facts(row: Row) -> Row:
    """The fields of a row, content decoded, and of its metadata what the mapping put there."""
    told = {name: value for name, value in row.items() if name not in OWN | {"metadata"}}
    told |= {name: json.loads(row[name]) for name in ("input", "output") if row.get(name)}
    told["completion_start_time"] = bool(row.get("completion_start_time"))
    foreign = ("attributes", "scope", "resourceAttributes")
    metadata = {key: value for key, value in row["metadata"].items() if not key.startswith(foreign)}
    return told | {f"metadata.{key}": value for key, value in metadata.items()}


@pytest.mark.parametrize("path", ["direct", "dual"])
@pytest.mark.parametrize("emitter", list(UNTOLD))
def test_langfuse_stores_what_our_own_recording_would_have_stored(emitter: str, path: str) -> None:
    ours, theirs = emitted("otel_llm")[path], emitted(emitter)[path]
    for call in ours:
        mine, other = facts(ours[call]), facts(theirs[call])
        differing = {name for name in mine.keys() | other.keys() if mine.get(name) != other.get(name)}
        untold = UNTOLD[emitter].get(call, set())
        assert differing - {"total_cost"} == untold, {name: (mine.get(name), other.get(name)) for name in differing ^ untold}


@pytest.mark.parametrize("path", ["direct", "dual"])
@pytest.mark.parametrize("emitter", list(UNTOLD))
def test_costs_differ_by_no_more_than_an_emitters_own_miscount(emitter: str, path: str) -> None:
    ours, theirs = emitted("otel_llm")[path], emitted(emitter)[path]
    price_of_a_token = 0.000005  # of Claude's output, of which OpenLLMetry counts one too many in a stream
    for call in ours:
        mine, other = (row.get("cost_details", {}).get("total", 0) for row in (ours[call], theirs[call]))
        allowed = price_of_a_token if emitter == "openllmetry" and call in CLAUDES_STREAMS else 0
        assert other == pytest.approx(mine + allowed, rel=1e-9), call
