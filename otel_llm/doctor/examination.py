"""All checks of this environment, those of its destinations among them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from otel_llm.doctor.content_switches import content_findings
from otel_llm.doctor.core_settings import settings_findings
from otel_llm.doctor.disk_queue import queue_findings
from otel_llm.doctor.double_instrumentation import double_findings
from otel_llm.doctor.finding import Check, Finding
from otel_llm.doctor.installed import read_installed
from otel_llm.doctor.otel_settings import otel_findings
from otel_llm.doctor.otel_versions import version_findings
from otel_llm.doctor.otlp_endpoint import otlp_findings
from otel_llm.doctor.prices import price_findings
from otel_llm.doctor.running import run_all
from otel_llm.doctor.sdks import sdk_findings
from otel_llm.doctor.secrets import redacted, secrets_of
from otel_llm.doctor.state_directory import state_findings

#: Entry point group: name of a destination -> its :class:`otel_llm.doctor.finding.Check`.
CHECKS: Final = "otel_llm_check"
#: Share of the deadline for each check, so that it can say what it waits for before it is late.
_SHARE: Final = 0.9

_Bound = Callable[[], Sequence[Finding]]


def examine(*, timeout_s: float = 10.0, offline: bool = False) -> list[Finding]:
    """All findings of this process's environment, after at most about ``timeout_s`` seconds. Never raises, changes nothing."""
    environ = dict(os.environ)
    checks = {**_checks_of_core(environ), **_checks_of_destinations(environ, timeout_s * _SHARE, offline)}
    return redacted(run_all(checks, timeout_s=timeout_s), secrets_of(environ))


def _checks_of_core(environ: Mapping[str, str]) -> dict[str, _Bound]:
    installed = read_installed()
    return {
        "settings": settings_findings,
        "content": partial(content_findings, environ, installed),
        "OTEL_*": partial(otel_findings, environ),
        "opentelemetry": partial(version_findings, installed),
        "SDKs": partial(sdk_findings, installed),
        "instrumentations": partial(double_findings, installed),
        "prices": partial(price_findings, installed),
        "state directory": state_findings,
        "disk queue": queue_findings,
    }


def _checks_of_destinations(environ: Mapping[str, str], timeout_s: float, offline: bool) -> dict[str, _Bound]:
    found: dict[str, _Bound] = {"otlp": partial(otlp_findings, environ, timeout_s=timeout_s, offline=offline)}
    for entry in sorted(entry_points(group=CHECKS), key=lambda entry: entry.name):
        found[entry.name] = partial(_run, entry, timeout_s, offline)
    return found


def _run(entry: EntryPoint, timeout_s: float, offline: bool) -> Sequence[Finding]:
    check: Check = entry.load()
    return check(timeout_s=timeout_s, offline=offline)
