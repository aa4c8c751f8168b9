"""What is right and wrong with this environment, as findings: the checks behind ``otel-llm doctor``.

Destinations bring checks of their own, by the entry point group ``otel_llm_check``.
"""

from __future__ import annotations

from otel_llm.doctor.finding import Finding, Level

__all__ = ["Finding", "Level"]
