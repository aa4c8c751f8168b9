"""What is wrong with settings, for the one who made them."""

from __future__ import annotations

from pydantic import ValidationError


def faults_of(error: ValidationError) -> list[str]:
    """One line per fault, by the name of the variable; values are left out, since they may be secrets."""
    return [
        f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg'].removeprefix('Value error, ')}"
        for fault in error.errors()
    ]
