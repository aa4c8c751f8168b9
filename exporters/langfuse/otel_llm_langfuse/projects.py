"""Several Langfuse projects in one process: their settings, and which span goes to which."""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan

from otel_llm.delivery.log_limit import LogLimit
from otel_llm.errors import ConfigurationError
from otel_llm.projects import client_key, name_project, named_project
from otel_llm_langfuse.in_use import InUse
from otel_llm_langfuse.resources import told_by
from otel_llm_langfuse.settings import VARIABLES, LangfuseSettings

_logger = logging.getLogger(__name__)

PROJECTS: Final = "OTEL_LLM_LANGFUSE_PROJECTS"
_KEYS: Final = ("public_key", "secret_key")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def settings_of_projects() -> Mapping[str | None, LangfuseSettings]:
    """Settings by project, from the environment: that of the plain keys (None) if they are set, and each that is named.

    A named project's variables end in its name (``LANGFUSE_PUBLIC_KEY_ACME``); all but the keys default to the plain variables.
    Raises ConfigurationError with the faults of all projects; no fault tells a key.
    """
    names, faults = _names()
    found: dict[str | None, LangfuseSettings] = {}
    for project in (None, *names):
        try:
            settings = settings_of(project)
        except ConfigurationError as error:
            faults += [fault for fault in error.faults if fault not in faults]
        else:
            found |= {project: settings} if settings.configured else {}
    faults += _shared_keys(found)
    if faults:
        raise ConfigurationError(faults)
    return found


def _names() -> tuple[list[str], list[str]]:
    """Names that differ also as ends of variables, and what is wrong with the others."""
    names: dict[str, str] = {}
    faults: list[str] = []
    for name in filter(None, map(str.strip, os.environ.get(PROJECTS, "").split(","))):
        if not _NAME.fullmatch(name):
            faults.append(f"{PROJECTS} names {name!r}; a name has letters, digits, '-' and '_' only")
        elif names.setdefault(_suffix(name), name) != name:
            faults.append(f"{PROJECTS} names {names[_suffix(name)]!r} and {name!r}, whose variables would be the same")
    return list(names.values()), faults


def _suffix(project: str) -> str:
    return "_" + project.upper().replace("-", "_")


def settings_of(project: str | None, **arguments: Any) -> LangfuseSettings:
    """Settings of one project; arguments win, and those that are None do not count. Raises ConfigurationError naming all faults."""
    if project is None:
        return LangfuseSettings.load(**arguments)
    suffix = _suffix(project)
    given = {field: value for field, name in VARIABLES.items() if (value := os.environ.get(name + suffix, "").strip())}
    given |= {field: value for field, value in arguments.items() if value is not None}
    needed = (*_KEYS, "via") if os.environ.get(VARIABLES["via"], "").strip() else _KEYS  # one collector feeds one project
    missing = [f"{VARIABLES[name]}{suffix} is not set, for project {project!r}" for name in needed if name not in given]
    if missing:
        raise ConfigurationError(missing)
    try:
        return LangfuseSettings.load(**given)
    except ConfigurationError as error:
        faults = [_suffixed(fault, suffix, {VARIABLES[field] for field in given}) for fault in error.faults]
    raise ConfigurationError(faults)


def _suffixed(fault: str, suffix: str, given: set[str]) -> str:
    variable, _, what = fault.partition(" ")
    return f"{variable}{suffix} {what}" if variable in given else fault


def _shared_keys(found: Mapping[str | None, LangfuseSettings]) -> list[str]:
    """Two names for one Langfuse project would part what belongs together, and hide a slip of the hand that mixes two customers."""
    first: dict[str, str] = {}
    faults = []
    for project, settings in found.items():
        suffix = "" if project is None else _suffix(project)
        for value, field, kind in ((settings.public_key, "public_key", "key"), (settings.via, "via", "collector")):
            variable = VARIABLES[field] + suffix
            if value is not None and first.setdefault(value, variable) != variable:
                faults.append(f"{variable} is the same {kind} as {first[value]}")
    return faults


class Route:
    """Which spans one destination takes, of those for the destinations of this process."""

    def __init__(self, public_key: str, project: str | None, base_url: str) -> None:
        self.public_key = public_key
        self.base_url = base_url
        #: None: the spans that name no project.
        self.project = project
        #: The destination's, for the log.
        self.name = "langfuse" if project is None else f"langfuse.{project}"
        #: Spans seen here that no destination of this process takes.
        self.astray = 0
        if project is not None:
            name_project(public_key, project)
        _open.add(self)

    def leads_here(self, span: ReadableSpan) -> bool:
        """Whether ``span`` is this destination's. One that is nobody's is counted, and logged once a minute."""
        answer = self._answer(span, told_by(span.resource.attributes).project)
        if isinstance(answer, bool):
            return answer
        self.astray += 1
        if _log_limit.due("astray"):
            _logger.warning("A span goes to no Langfuse project: %s. %d such span(s) so far.", answer, self.astray)
        return False

    def owns(self, span: ReadableSpan, resource: Resource) -> bool:
        """The same, of a span of this ``resource``, without a trace in count or log."""
        return self._answer(span, told_by(resource.attributes).project) is True

    def close(self) -> None:
        """Take no more spans."""
        _open.discard(self)

    def _answer(self, span: ReadableSpan, of_resource: str | None) -> bool | str:
        """Whether a span is this destination's, or why it is nobody's."""
        routes, key, named = _open.all(), client_key(span), named_project(span.attributes)
        client = next((route for route in routes if route.public_key == key), None)
        if key is not None and client is None:
            return False  # of a client of the application's own, for a project that is none of ours
        if client is not None and client.project is not None and named not in (None, client.project):
            return f"its client is that of project {client.project!r}, its context is that of {named!r}"
        project = named or (client.project if client is not None else None) or of_resource
        if client is not None and project == client.project:
            return self.public_key == key
        if project == self.project:
            return True
        return False if any(route.project == project for route in routes) else _nobodys(project, routes)


def several_projects() -> bool:
    """Whether the spans above a span may be another project's: one of ours, or one that a client of Langfuse's SDK sends to."""
    routes = _open.all()
    return "langfuse" in sys.modules or any(route.project for route in routes) or len({one.public_key for one in routes}) > 1


def _nobodys(project: str | None, routes: Sequence[Route]) -> str:
    known = ", ".join(sorted({route.project for route in routes if route.project})) or "none"
    what = f"project {project!r} is not configured" if project else "it names no project, and there is no default one"
    return f"{what}; configured are: {known}"


_open: InUse[Route] = InUse()
_log_limit = LogLimit(time.monotonic)
