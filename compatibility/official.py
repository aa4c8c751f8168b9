"""Attribute by attribute beside official instrumentations that cannot be installed together with the newest SDKs.

    python compatibility/official.py

Each runs in an environment of its own: google-genai 2.x with ``opentelemetry-instrumentation-google-genai``, LangChain with
``opentelemetry-instrumentation-genai-langchain``. The same call is recorded by the official one, by otel-llm, and by both.
Exit status 1 if the official span has an attribute that otel-llm's lacks, or if both together make another number of spans.
(OpenAI's and Anthropic's are compared in ``tests/test_beside_official.py``.)
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
ENVIRONMENTS = {
    "google-genai": ("google-genai==2.34.0", "opentelemetry-instrumentation-google-genai>=1.3b0"),
    "langchain": ("langchain>=1,<2", "langchain-openai", "opentelemetry-instrumentation-genai-langchain>=1.3b0"),
}


def main() -> int:
    """Run every comparison in its environment and print a line each."""
    if len(sys.argv) > 1:
        print(json.dumps(compare(*calls_of(sys.argv[1]))))
        return 0
    failed = False
    for name, packages in ENVIRONMENTS.items():
        command = ["uv", "run", "-q", "--no-project", "--with", str(REPOSITORY)]
        command += [part for package in packages for part in ("--with", package)]
        done = subprocess.run([*command, "python", __file__, name], stdout=subprocess.PIPE, text=True, check=True)
        for call, found in json.loads(done.stdout.splitlines()[-1]).items():
            failed |= bool(found["missing"]) or found["spans"] != [1, 1, 1]
            print(f"{name}, {call}: missing {found['missing'] or 'nothing'}; spans {found['spans']}; added {found['added']}")
    return int(failed)


def calls_of(name: str) -> tuple[Any, dict[str, Callable[[Any], None]]]:
    """The official instrumentor and the calls to compare; each takes the fake provider."""
    os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "SPAN_ONLY"
    return google() if name == "google-genai" else langchain()


def google() -> tuple[Any, dict[str, Callable[[Any], None]]]:
    from google import genai
    from google.genai import types
    from opentelemetry.instrumentation.google_genai import GoogleGenAiSdkInstrumentor

    config = types.GenerateContentConfig(
        temperature=0.5, top_p=0.9, max_output_tokens=9, stop_sequences=["x"], system_instruction="Be brief."
    )

    def client(fake: Any) -> Any:
        return genai.Client(api_key="x", http_options=types.HttpOptions(base_url=fake.google))

    def plain(fake: Any) -> None:
        with client(fake) as google:
            google.models.generate_content(model="gemini-2.5-pro", contents="Why?", config=config)

    def streamed(fake: Any) -> None:
        with client(fake) as google:
            list(google.models.generate_content_stream(model="gemini-2.5-pro", contents="Why?", config=config))

    return GoogleGenAiSdkInstrumentor, {"plain": plain, "streamed": streamed}


def langchain() -> tuple[Any, dict[str, Callable[[Any], None]]]:
    from langchain_openai import ChatOpenAI
    from opentelemetry.instrumentation.genai.langchain import LangChainInstrumentor

    def model(fake: Any) -> Any:
        return ChatOpenAI(model="gpt-4o", base_url=fake.openai, api_key="x", temperature=0.5, stream_usage=True)

    def plain(fake: Any) -> None:
        model(fake).invoke("Why?")

    def streamed(fake: Any) -> None:
        list(model(fake).stream("Why?"))

    return LangChainInstrumentor, {"plain": plain, "streamed": streamed}


def compare(official: Any, calls: dict[str, Callable[[Any], None]]) -> dict[str, Any]:
    """For each call: what otel-llm's span lacks, how many spans each way makes, and what it adds to the official span."""
    found = {}
    for name, call in calls.items():
        theirs, ours, both = (recorded(call, official if way != 1 else None, way != 0) for way in range(3))
        found[name] = {
            "missing": sorted(theirs[0] - ours[0]),
            "spans": [count for _, count in (theirs, ours, both)],
            "added": sorted(both[0] - theirs[0]),
        }
    return found


def recorded(call: Callable[[Any], None], official: Any, ours: bool) -> tuple[set[str], int]:
    """Names of the attributes of the span of one call, and the number of spans."""
    import otel_llm
    from otel_llm.protocols import Usage
    from otel_llm.testing import FakeProvider, Reply, SpanSink

    with FakeProvider() as fake, SpanSink.provider() as (provider, sink):
        fake.reply(Reply(text="Because.", usage=Usage(input_tokens=20, output_tokens=9, cache_read=5)))
        instrumentor = official() if official is not None else None
        if instrumentor is not None:
            instrumentor.instrument(tracer_provider=provider)
        if ours:
            otel_llm.instrument(tracer_provider=provider, content=otel_llm.CaptureMode.SPAN_ONLY)
        call(fake)
        if instrumentor is not None:
            instrumentor.uninstrument()
        otel_llm.uninstrument()
        return set(sink.spans[0].attributes or {}), len(sink.spans)


if __name__ == "__main__":
    sys.exit(main())
