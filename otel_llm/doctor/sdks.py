"""Installed SDKs whose calls are not recorded, or were not tried in that version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from otel_llm.doctor.finding import Finding, Level
from otel_llm.doctor.installed import Installed, release_of

#: Libraries beneath the recording: older ones lack what it needs.
_OLDEST_HTTP: Final[Mapping[str, str]] = {"httpx": "0.27", "aiohttp": "3.10"}
#: Oldest versions that ``docs/compatibility.md`` was made with.
OLDEST_TRIED: Final[Mapping[str, str]] = {
    "openai": "1.109.1",
    "anthropic": "0.122.0",
    "google-genai": "2.34.0",
    "mistralai": "2.10.1",
    "groq": "1.7.0",
    "together": "3.1.1",
    "openrouter": "1.3.84",
    "ollama": "0.6.3",
    "cohere": "7.3.1",
    "litellm": "1.106.2",
}
_REALTIME: Final = ("openai", "google-genai")


def sdk_findings(installed: Installed) -> list[Finding]:
    """One finding for each such SDK."""
    return [*_not_recorded(installed), *_http_too_old(installed), *_not_tried(installed)]


def _not_recorded(installed: Installed) -> list[Finding]:
    rows = [
        (
            "xai-sdk",
            Level.WARNING,
            "speaks gRPC: its calls are not recorded",
            "Call https://api.x.ai/v1 by the openai SDK or httpx",
        ),
        (
            "google-cloud-aiplatform",
            Level.WARNING,
            "speaks gRPC by default: its calls of models are not recorded",
            "Use google-genai with vertexai=True",
        ),
        (
            "boto3",
            Level.NOTE,
            "goes through botocore: calls of Bedrock's own APIs are not recorded",
            "For Bedrock use its OpenAI-compatible endpoint, or opentelemetry-instrumentation-botocore",
        ),
    ]
    found = [Finding(level, name, what, do) for name, level, what, do in rows if name in installed.versions]
    if "websockets" in installed.versions and any(name in installed.versions for name in _REALTIME):
        what = "realtime and live sessions of SDKs go through it and are not recorded; plain and streamed calls are"
        found.append(Finding(Level.NOTE, "websockets", what))
    return found


def _http_too_old(installed: Installed) -> list[Finding]:
    return [
        Finding(Level.WARNING, name, f"{installed.versions[name]} is too old to be recorded", f"Install {name}>={oldest}")
        for name, oldest in _OLDEST_HTTP.items()
        if (release := installed.release(name)) is not None and release < release_of(oldest)
    ]


def _not_tried(installed: Installed) -> list[Finding]:
    return [
        Finding(
            Level.NOTE,
            name,
            f"{installed.versions[name]} is older than any that was tried ({oldest}); its calls are recorded if it uses httpx",
            f"Compare one call, or install {name}>={oldest}",
        )
        for name, oldest in OLDEST_TRIED.items()
        if (release := installed.release(name)) is not None and release < release_of(oldest)
    ]
