"""What a version of the Langfuse server means for what is sent and read."""

from __future__ import annotations

import re
from typing import Any, Final

from otel_llm.doctor.finding import Finding, Level

_VERSION: Final = re.compile(r"v?(\d{1,6})\.(\d{1,6})(\.\d{1,6})?([.+-][\w.+-]{1,40})?")
#: The server that the mapping was made for.
_KNOWN: Final = (4, 16)
_READ_API: Final = "it has no /api/public/v2/observations and /v2/metrics, so nothing can be read back or compared"


def version_finding(where: str, host: str, version: Any, *, healthy: bool) -> Finding:
    """``version``: what the server says of itself, which may be anything; ``healthy``: whether it says so."""
    match = _VERSION.fullmatch(version) if isinstance(version, str) else None
    if match is None:
        what = f"{host} does not tell a version that can be read; the mapping was made for {_text(_KNOWN)}"
        return Finding(Level.WARNING, where, what, "Look at one trace in Langfuse before you trust its figures")
    release = (int(match[1]), int(match[2]))
    if release[0] < 4:
        what = f"{host} runs Langfuse {version}: {_READ_API}, and its older write path drops what is not of its schema"
        return Finding(Level.WARNING, where, what, f"Upgrade it to {_text(_KNOWN)} or later")
    if release < _KNOWN:
        what = f"{host} runs Langfuse {version}, older than {_text(_KNOWN)}, for which the mapping was made"
        return Finding(Level.WARNING, where, what, f"Upgrade it to {_text(_KNOWN)} or later")
    if not healthy:
        return Finding(
            Level.WARNING, where, f"{host} runs Langfuse {version}, but says that it is not healthy", "Look at its log"
        )
    return Finding(Level.OK, where, f"{host} runs Langfuse {version}")


def _text(release: tuple[int, int]) -> str:
    return ".".join(map(str, release))
