"""What ``otel-llm doctor`` asks of a Langfuse project: settings, content, budget, server, keys, ingestion, clock."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any, Final

import httpx

from otel_llm.budget import forecast
from otel_llm.delivery import Delivered, Pause, Retry
from otel_llm.doctor.clock import clock_findings
from otel_llm.doctor.content_switches import uncaptured
from otel_llm.doctor.finding import Finding, Level, settings_faults
from otel_llm.doctor.probe import Answer, UnreachableError, ask
from otel_llm.doctor.running import run_all
from otel_llm.errors import ConfigurationError
from otel_llm_langfuse.answers import outcome_of
from otel_llm_langfuse.budget import ADVICE, account
from otel_llm_langfuse.destination import PATH
from otel_llm_langfuse.projects import settings_of_projects
from otel_llm_langfuse.server_version import version_finding
from otel_llm_langfuse.settings import LangfuseSettings

_WHERE: Final = "langfuse"
_ADDRESS: Final = "LANGFUSE_BASE_URL"
_KEYS: Final = "LANGFUSE_PUBLIC_KEY, LANGFUSE_SECRET_KEY"
_HEALTH: Final = "/api/public/health"
#: Not rate limited, on purpose: it is meant for checks of keys.
_PROJECTS: Final = "/api/public/projects"
_EXPORT: Final = {"content-type": "application/x-protobuf", "x-langfuse-ingestion-version": "4"}
_LONGEST_NAME: Final = 80


def check(*, timeout_s: float, offline: bool) -> list[Finding]:
    """The findings of all projects, of which each is asked on its own."""
    try:
        projects = settings_of_projects()
    except ConfigurationError as error:
        return settings_faults(error.faults)
    if not projects:
        return [Finding(Level.NOTE, _WHERE, f"is not configured ({_KEYS} are not set); nothing is sent there")]
    found = _addresses()
    for project, settings in projects.items():
        found += [*_sampling(settings), *_content(settings, project), *_budget(settings, project), *_via(settings, project)]
    if offline:
        return found
    reachable = {project: settings for project, settings in projects.items() if settings.has_keys}
    asked = {_named(project): Server(settings, project, timeout_s).findings for project, settings in reachable.items()}
    return found + run_all(asked, timeout_s=timeout_s)


def _via(settings: LangfuseSettings, project: str | None) -> Iterator[Finding]:
    if settings.via is not None:
        own = (
            "scores and media go to Langfuse itself"
            if settings.has_keys
            else "without keys here, scores and media are not sent"
        )
        yield Finding(Level.NOTE, _named(project), f"spans go to the collector at {settings.via}; {own}")


def _named(project: str | None) -> str:
    return _WHERE if project is None else f"{_WHERE}.{project}"


def _of(variable: str, project: str | None) -> str:
    return variable if project is None else f"{variable} of project {project!r}"


class Server:
    """The server side of one project; all requests end within ``timeout_s`` seconds from now."""

    def __init__(self, settings: LangfuseSettings, project: str | None, timeout_s: float) -> None:
        self._base_url = settings.base_url
        self._auth = (settings.public_key or "", settings.secret_key.get_secret_value() if settings.secret_key else "")
        self._deadline = time.monotonic() + timeout_s
        self._host = httpx.URL(settings.base_url).host
        self._where = _named(project)
        self._address = _of(_ADDRESS, project)
        self._keys = _of(_KEYS, project)

    def findings(self) -> list[Finding]:
        """Health, then keys, then ingestion; what depends on a step that failed is not asked."""
        found: list[Finding] = []
        for finding in self._steps():
            found.append(finding)
            if finding.level is Level.FAULT:
                break
        return found

    def _steps(self) -> Iterator[Finding]:
        try:
            health = self._ask("GET", _HEALTH)
            yield self._health(health)
            yield from clock_findings(self._host, health.ahead_s)
            yield self._acceptance(self._ask("GET", _PROJECTS, auth=self._auth))
            yield self._ingestion(self._ask("POST", PATH, auth=self._auth, headers=_EXPORT, content=b""))
        except UnreachableError as error:
            todo = f"Check {_ADDRESS}, the network and the server"
            yield Finding(Level.FAULT, self._address, f"{self._host} cannot be reached: {error}", todo)

    def _ask(self, method: str, path: str, **parts: Any) -> Answer:
        return ask(method, self._base_url + path, timeout_s=max(0.1, self._deadline - time.monotonic()), **parts)

    def _health(self, answer: Answer) -> Finding:
        """Without authentication, so that a wrong host is told from a wrong key."""
        if answer.redirected_to:
            what = f"{self._host} redirects to {answer.redirected_to}, perhaps to a login page"
            return Finding(Level.FAULT, self._address, what, "Set it to the address that Langfuse itself is served from")
        told = answer.json()
        if not isinstance(told, dict) or "version" not in told:
            if answer.status in (502, 503, 504):
                what = f"{self._host} is not available: it answered {answer.status}"
                return Finding(Level.FAULT, self._where, what, "Try again; spans are kept in the meantime")
            what = f"{self._host} answers ({answer.status}), but not as a Langfuse server does"
            return Finding(Level.FAULT, self._address, what, "Set it to the address of Langfuse, without a path of its pages")
        return version_finding(self._where, self._host, told["version"], healthy=answer.status == 200)

    def _acceptance(self, answer: Answer) -> Finding:
        if answer.status == 200 and (name := _project_name(answer.json())) is not None:
            return Finding(Level.OK, self._where, f"the keys are accepted, for project {name!r}")
        if answer.status in (401, 403):
            what = f"are not accepted by {self._host} (status {answer.status})"
            return Finding(
                Level.FAULT,
                self._keys,
                what,
                "Take both from the same project of this very server; regions have keys of their own",
            )
        return Finding(Level.WARNING, self._where, f"the keys could not be checked (status {answer.status})", "Try again")

    def _ingestion(self, answer: Answer) -> Finding:
        """An export without spans: it stores nothing and is answered like any other."""
        if answer.status == 403:
            what = "the project takes no spans (status 403): ingestion is suspended, or the keys may not write"
            return Finding(Level.FAULT, self._where, what, "Look at usage and billing of the organisation in Langfuse")
        match outcome_of(httpx.Response(answer.status, headers=answer.headers)):
            case Delivered():
                return Finding(Level.OK, self._where, "spans are taken")
            case Pause(reason):
                return Finding(Level.FAULT, self._address, reason, "Let requests to /api/public/otel through to Langfuse")
            case Retry(reason):
                return Finding(Level.WARNING, self._where, f"{reason} to an export", "Spans are kept and sent again; try later")
        return Finding(
            Level.WARNING,
            self._where,
            f"an empty export was refused (status {answer.status})",
            "Check what stands before Langfuse",
        )


def _project_name(told: Any) -> str | None:
    """Name of the first project of an answer; None if it is none."""
    data = told.get("data") if isinstance(told, dict) else None
    project = data[0] if isinstance(data, list) and data else None
    return str(project.get("name", ""))[:_LONGEST_NAME] if isinstance(project, dict) else None


def _addresses() -> list[Finding]:
    """The SDK of Langfuse reads both; here the newer name wins."""
    newer, older = (os.environ.get(name, "").strip().rstrip("/") for name in (_ADDRESS, "LANGFUSE_HOST"))
    if not newer or not older or newer == older:
        return []
    return [
        Finding(Level.WARNING, "LANGFUSE_HOST", f"differs from {_ADDRESS}, which is the one that counts", "Unset one of them")
    ]


def _sampling(settings: LangfuseSettings) -> list[Finding]:
    found = []
    if settings.sample_rate == 0:
        found.append(
            Finding(
                Level.WARNING, "LANGFUSE_SAMPLE_RATE", "is 0: nothing is sent to Langfuse", "Unset it, or set 0 < rate <= 1"
            )
        )
    elif settings.sample_rate < 1:
        what = f"only {settings.sample_rate:.4g} of all traces are sent; totals in Langfuse are that much lower"
        found.append(Finding(Level.NOTE, "LANGFUSE_SAMPLE_RATE", what))
    if settings.drop:
        found.append(Finding(Level.NOTE, "OTEL_LLM_LANGFUSE_DROP", f"leaves out: {', '.join(sorted(settings.drop))}"))
    return found


def _content(settings: LangfuseSettings, project: str | None) -> list[Finding]:
    """A contradiction only if content was asked for; else worth a note, for both are at their defaults."""
    if settings.content.value == "none":
        return []
    level = Level.WARNING if "content" in settings.model_fields_set else Level.NOTE
    return uncaptured(os.environ, _named(project), f"OTEL_LLM_LANGFUSE_CONTENT is {settings.content.value}", level)


def _budget(settings: LangfuseSettings, project: str | None) -> list[Finding]:
    limit = settings.daily_observations
    if limit is None:
        what = "observations are not counted: OTEL_LLM_LANGFUSE_DAILY_OBSERVATIONS sets no limit"
        return [Finding(Level.NOTE, f"{_named(project)} budget", what)]
    seen = forecast(account(settings))
    what = (
        f"{seen.today:,} observations today (UTC), {seen.yesterday:,} yesterday, of {limit:,} a day; "
        f"about {seen.month:,} this month, of {limit * seen.days_in_month:,}"
    )
    spent = seen.today >= limit * 0.8 or seen.month > limit * seen.days_in_month
    return [Finding(Level.WARNING if spent else Level.OK, f"{_named(project)} budget", what, ADVICE if spent else "")]
