"""Runs a scenario with the real SDK of Langfuse in a process of its own, for it keeps one client a key as long as the process lives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from typing import Any

_SCRIPT = """
import json, logging, os, sys

import httpx
from langfuse import Langfuse, get_client, observe, propagate_attributes
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

import otel_llm
from otel_llm.testing import FakeLangfuse, FakeProvider
from otel_llm_langfuse import LangfuseDestination, LangfuseExporter, LangfuseSettings

logged = []
class Log(logging.Handler):
    def emit(self, record):
        logged.append(record.getMessage())
logging.getLogger("otel_llm_langfuse").addHandler(Log(logging.WARNING))

def ask(text="Why?"):
    httpx.post(
        f"{vendor.openai}/chat/completions",
        json={"model": "gpt-4o", "messages": [{"role": "user", "content": text}]},
        headers={"authorization": "Bearer sk-fake"},
    )

def keys(server):
    return {"public_key": server.public_key, "secret_key": server.secret_key, "base_url": server.base_url}

def stored(server):
    return {"rows": server.observations, "traces": server.traces, "arrivals": dict(server.arrivals)}

with (
    FakeProvider() as vendor,
    FakeLangfuse() as langfuse,
    FakeLangfuse(public_key="pk-lf-acme", secret_key="sk-lf-acme") as acme,
    FakeLangfuse(public_key="pk-lf-beta", secret_key="sk-lf-beta") as beta,
):
    os.environ |= langfuse.environment
    provider = TracerProvider(shutdown_on_exit=False)
    trace.set_tracer_provider(provider)
    BODY
    otel_llm.force_flush(20)
    provider.force_flush()
    otel_llm.shutdown()
    provider.shutdown()
    print(json.dumps({"langfuse": stored(langfuse), "acme": stored(acme), "beta": stored(beta), "logged": logged}))
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """What a server has."""

    rows: list[dict[str, Any]]
    traces: list[dict[str, Any]]
    arrivals: dict[str, int]

    def one(self, name: str) -> dict[str, Any]:
        """The only observation of this name."""
        [row] = [row for row in self.rows if row["name"] == name]
        return row

    @property
    def tree(self) -> dict[str, str | None]:
        """Names of observations to that of their parents; None for roots."""
        by_id = {row["id"]: row["name"] for row in self.rows}
        return {row["name"]: by_id[parent] if (parent := row.get("parent_span_id")) else None for row in self.rows}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a scenario: at the server of the default project, at two others, and in the log."""

    langfuse: Stored
    acme: Stored
    beta: Stored
    logged: list[str]


def run(*parts: str) -> Outcome:
    """Run ``parts``, Python in which ``langfuse``, ``acme``, ``beta``, ``vendor``, ``provider``, ``keys()`` and ``ask()`` are given."""
    body = "\n".join(map(textwrap.dedent, parts))
    script = _SCRIPT.replace("    BODY", textwrap.indent(body, "    "))
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LANGFUSE_", "INSFORGE_"))}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False, env=clean)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    servers = {name: Stored(**told[name]) for name in ("langfuse", "acme", "beta")}
    return Outcome(**servers, logged=told["logged"])
