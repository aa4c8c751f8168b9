"""Where the demonstration's spans go: stand-ins that live as long as the run, or the user's own Langfuse and InsForge."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from otel_llm.delivery.spool.place import SPOOL_VARIABLE
from otel_llm.testing.langfuse import FakeLangfuse

_LANGFUSE_KEYS = ("LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY")
_LEGACY_KEYS = ("INSFORGE_API_KEY", "INSFORGE_BASE_URL", "INSFORGE_URL", "OTEL_LLM_LEGACY_DATABASE_URL")
LEGACY_URL = "OTEL_LLM_LEGACY_DATABASE_URL"


@dataclass(frozen=True, slots=True)
class Receivers:
    """The two destinations: settings to add to the environment, and where each of them is, for people."""

    environment: Mapping[str, str]
    langfuse_embedded: bool
    legacy_embedded: bool
    langfuse: str
    legacy: str


@contextmanager
def receivers(environment: Mapping[str, str]) -> Iterator[Receivers]:
    """The user's own destinations as far as the environment names them, stand-ins for the others."""
    with ExitStack() as stack:
        added: dict[str, str] = {}
        langfuse = environment.get("LANGFUSE_BASE_URL") or environment.get("LANGFUSE_HOST") or "https://cloud.langfuse.com"
        embedded_langfuse = not any(environment.get(name) for name in _LANGFUSE_KEYS)
        if embedded_langfuse:
            fake = stack.enter_context(FakeLangfuse())
            added |= fake.environment
            langfuse = f"FakeLangfuse on {fake.base_url}"
        legacy = "your database" if environment.get(LEGACY_URL) else "your InsForge"
        embedded_legacy = not any(environment.get(name) for name in _LEGACY_KEYS)
        if embedded_legacy:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="otel-llm-demo-"))
            added[LEGACY_URL] = f"sqlite:///{Path(folder) / 'legacy.sqlite3'}"
            legacy = "SQLite, in a temporary file"
            if embedded_langfuse:  # nothing of the demonstration is to wait on the user's disk
                added[SPOOL_VARIABLE] = str(Path(folder) / "spool")
        yield Receivers(added, embedded_langfuse, embedded_legacy, langfuse, legacy)
