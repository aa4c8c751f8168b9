"""A last guard: whatever a check says, no secret of the environment leaves the diagnosis."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import unquote

from otel_llm.doctor.finding import Finding

_SECRET_NAME: Final = re.compile(r"KEY|SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL|AUTH|HEADERS|DSN|DATABASE_URL", re.IGNORECASE)
_USER_INFO: Final = re.compile(r"://([^/@\s]*)@")
#: What HEADERS and URLs are made of; each piece may be the secret.
_SEPARATOR: Final = re.compile(r"[=,;:@/\s]+")
#: Anything shorter is a word such as ``true`` or ``Basic``, not a secret.
_SHORTEST: Final = 7
_MASK: Final = "***"


def secrets_of(environ: Mapping[str, str]) -> list[str]:
    """Texts that may not be shown, longest first: values of variables with telling names, and credentials within URLs."""
    found: set[str] = set()
    for name, value in environ.items():
        if _SECRET_NAME.search(name):
            found |= {value, value.strip(), *(_SEPARATOR.split(value) if _composite(name) else ())}
        for credentials in _USER_INFO.findall(value):
            found |= {credentials, *credentials.split(":")}
    found |= {unquote(secret) for secret in found}
    return sorted((secret for secret in found if len(secret) >= _SHORTEST), key=len, reverse=True)


def redacted(findings: Iterable[Finding], secrets: Iterable[str]) -> list[Finding]:
    """The findings with each secret masked. Names of variables stay."""
    secrets = list(secrets)
    return [replace(finding, what=_masked(finding.what, secrets), do=_masked(finding.do, secrets)) for finding in findings]


def _composite(name: str) -> bool:
    return name.upper().endswith("HEADERS")


def _masked(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, _MASK)
    return text
