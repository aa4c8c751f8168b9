"""Whether the distributions of OpenTelemetry belong together."""

from __future__ import annotations

import re
from typing import Final

from otel_llm.doctor.finding import Finding, Level
from otel_llm.doctor.installed import Installed

#: Released together, under one version.
_STABLE: Final = (
    "opentelemetry-api",
    "opentelemetry-sdk",
    "opentelemetry-proto",
    "opentelemetry-exporter-otlp",
    "opentelemetry-exporter-otlp-proto-common",
    "opentelemetry-exporter-otlp-proto-http",
    "opentelemetry-exporter-otlp-proto-grpc",
)
#: Released with them, under a beta version.
_BETA: Final = (
    "opentelemetry-semantic-conventions",
    "opentelemetry-instrumentation",
    "opentelemetry-distro",
    "opentelemetry-util-http",
    "opentelemetry-instrumentation-httpx",
)
#: 1.45.1 and 0.66b1 are one release: the minor versions differ by this.
_APART: Final = 21
_BETA_FORM: Final = re.compile(r"0\.(\d+)b(\d+)")


def version_findings(installed: Installed) -> list[Finding]:
    """A warning for each distribution that is not of the release of ``opentelemetry-sdk``."""
    wanted = installed.versions.get("opentelemetry-sdk", "")
    release = installed.release("opentelemetry-sdk")
    if release is None or len(release) < 3:
        return []
    beta = f"0.{release[1] + _APART}b{release[2]}"
    astray = [name for name in _STABLE if installed.versions.get(name, wanted) != wanted]
    astray += [name for name in _BETA if installed.versions.get(name, beta) != beta]
    if not astray:
        return [Finding(Level.OK, "opentelemetry", f"{wanted}, all distributions of one release")]
    return [_astray(name, installed.versions[name], wanted, beta, installed) for name in astray]


def _astray(name: str, version: str, wanted: str, beta: str, installed: Installed) -> Finding:
    """With a distro, everything has to follow it: it lags behind, and installers then fall back to an ancient one."""
    distro = _BETA_FORM.fullmatch(installed.versions.get("opentelemetry-distro", ""))
    expected = beta if name in _BETA else wanted
    todo = f"Install {name}=={expected}"
    if distro and name == "opentelemetry-distro":
        todo += f"; if there is none yet, opentelemetry-sdk==1.{int(distro[1]) - _APART}.{distro[2]} belongs to this one"
    return Finding(Level.WARNING, name, f"{version} does not belong to opentelemetry-sdk {wanted}", todo)
