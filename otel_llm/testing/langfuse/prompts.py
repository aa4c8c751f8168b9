"""Prompts: versions, labels, and the endpoints by which the SDK's prompt client reads and makes them."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from otel_llm.testing.server import Request, Response

Prompt = dict[str, Any]

PROMPTS_PATH: Final = "/api/public/v2/prompts"
_PRODUCTION: Final = "production"
_LATEST: Final = "latest"
_LONGEST_NAME: Final = 255


class PromptStore:
    """All versions of all prompts, and their endpoints."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._versions: dict[str, list[Prompt]] = {}

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._versions.clear()

    def add(
        self,
        name: str,
        prompt: str | Sequence[Mapping[str, Any]],
        *,
        labels: Iterable[str] = (_PRODUCTION,),
        config: Any = None,
        tags: Iterable[str] = (),
        commit_message: str | None = None,
    ) -> Prompt:
        """A new version: ``prompt`` is a text, or a list of chat messages. A label moves here from the version that had it."""
        with self._lock:
            versions = self._versions.setdefault(name, [])
            added = _new_version(name, prompt, len(versions) + 1, config, tags, commit_message)
            _label(versions, added, [*labels, _LATEST])
            versions.append(added)
            return dict(added)

    def answer(self, request: Request) -> Response | None:
        """The answer to a request about prompts; None if it is about something else."""
        path = urlsplit(request.target).path
        if path == PROMPTS_PATH:
            return {"GET": self._list, "POST": self._create}.get(request.method, _not_allowed)(request)
        # A slash in a name must come encoded, so the names are looked for before decoding.
        name, _, rest = path.removeprefix(f"{PROMPTS_PATH}/").partition("/")
        if not path.startswith(f"{PROMPTS_PATH}/") or not name:
            return None
        if rest.startswith("versions/") and request.method == "PATCH":
            return self._relabel(unquote(name), rest.removeprefix("versions/"), request)
        if rest:
            return None
        return {"GET": self._get, "DELETE": self._delete}.get(request.method, _not_allowed_name)(unquote(name), request)

    def _list(self, request: Request) -> Response:
        with self._lock:
            found = [_summary(versions) for versions in self._versions.values()]
        wanted = request.param("name")
        listed = [each for each in found if wanted is None or each["name"] == wanted]
        page, limit = int(request.param("page") or 1), int(request.param("limit") or 50)
        meta = {"page": page, "limit": limit, "totalItems": len(listed), "totalPages": -(-len(listed) // limit)}
        return Response.json({"data": listed[(page - 1) * limit : page * limit], "meta": meta})

    def _create(self, request: Request) -> Response:
        body = _decoded(request)
        if fault := _fault(body):
            return _refused(fault)
        texts = {"config": body.get("config"), "commit_message": body.get("commitMessage")}
        made = self.add(body["name"], body["prompt"], labels=body.get("labels") or (), tags=body.get("tags") or (), **texts)
        return Response.json(made, 201)

    def _get(self, name: str, request: Request) -> Response:
        version, label = request.param("version"), request.param("label")
        if version is not None and label is not None:
            return _refused("Cannot specify both version and label")
        found = self._find(name, version, label or _PRODUCTION)
        return _not_found(name, version, label or _PRODUCTION) if found is None else Response.json(found)

    def _find(self, name: str, version: str | None, label: str) -> Prompt | None:
        with self._lock:
            versions = self._versions.get(name, [])
            if version is not None:
                return next((each for each in versions if str(each["version"]) == version), None)
            return next((each for each in versions if label in each["labels"]), None)

    def _relabel(self, name: str, version: str, request: Request) -> Response:
        """Add labels to a version, taking them from the others."""
        body = _decoded(request)
        new = body.get("newLabels") if isinstance(body, Mapping) else None
        if not isinstance(new, list) or _LATEST in new:
            return _refused("newLabels must be a list of labels; 'latest' is reserved")
        found = self._find(name, version, "")
        if found is None:
            return _not_found(name, version, "")
        with self._lock:
            _label(self._versions[name], found, [*found["labels"], *new])
        return Response.json(found)

    def _delete(self, name: str, request: Request) -> Response:
        """Without a version or label, all versions."""
        version, label = request.param("version"), request.param("label")
        with self._lock:
            known = self._versions.pop(name, [])
            kept = [each for each in known if (version or label) and not _is_meant(each, version, label)]
            if kept:
                self._versions[name] = kept
        if len(kept) == len(known):
            return _not_found(name, version, label or _PRODUCTION)
        return Response(204)


def _new_version(
    name: str, prompt: str | Sequence[Mapping[str, Any]], version: int, config: Any, tags: Iterable[str], message: str | None
) -> Prompt:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "id": f"prompt-{name}-{version}",
        "name": name,
        "version": version,
        "type": "text" if isinstance(prompt, str) else "chat",
        "prompt": prompt if isinstance(prompt, str) else [dict(message) for message in prompt],
        "config": {} if config is None else config,
        "labels": [],
        "tags": list(tags),
        "commitMessage": message,
        "resolutionGraph": None,
        "isActive": None,
        "createdAt": now,
        "updatedAt": now,
        "createdBy": "API",
    }


def _label(versions: Iterable[Prompt], wanted: Prompt, labels: Iterable[str]) -> None:
    """A label belongs to one version only."""
    new = list(dict.fromkeys(labels))
    for version in versions:
        version["labels"] = [label for label in version["labels"] if label not in new]
    wanted["labels"] = new


def _is_meant(prompt: Prompt, version: str | None, label: str | None) -> bool:
    return str(prompt["version"]) == version or label in prompt["labels"]


def _summary(versions: Sequence[Prompt]) -> dict[str, Any]:
    newest = versions[-1]
    return {
        "name": newest["name"],
        "type": newest["type"],
        "versions": [version["version"] for version in versions],
        "labels": [label for version in versions for label in version["labels"]],
        "tags": newest["tags"],
        "lastUpdatedAt": newest["updatedAt"],
        "lastConfig": newest["config"],
    }


def _fault(body: Any) -> str | None:
    if not isinstance(body, Mapping) or not isinstance(body.get("name"), str) or not 1 <= len(body["name"]) <= _LONGEST_NAME:
        return f"name: expected 1 to {_LONGEST_NAME} characters"
    if _LATEST in (body.get("labels") or ()):
        return "labels: 'latest' is reserved"
    expected = list if body.get("type") == "chat" else str
    return None if isinstance(body.get("prompt"), expected) else f"prompt: expected {expected.__name__}"


def _decoded(request: Request) -> Any:
    try:
        return request.json()
    except ValueError:
        return None


def _refused(fault: str) -> Response:
    return Response.json({"message": "Invalid request data", "error": [{"message": fault}]}, 400)


def _not_found(name: str, version: str | None, label: str) -> Response:
    which = f"label '{label}'" if version is None else f"version {version}"
    message = f"Prompt not found: '{name}' with {which}"
    return Response.json({"message": message, "error": "LangfuseNotFoundError"}, 404)


def _not_allowed(_: Request) -> Response:
    return Response.json({"message": "Method not allowed", "error": "MethodNotAllowed"}, 405)


def _not_allowed_name(_: str, request: Request) -> Response:
    return _not_allowed(request)
