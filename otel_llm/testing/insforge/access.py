"""Who may do what: InsForge's keys and tokens, and the roles that they run as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from otel_llm.testing.insforge.errors import insforge

Role = Literal["project_admin", "anon", "authenticated"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the double accepts."""

    api_key: str
    anon_key: str
    #: A user's access token that is valid. Any other is refused, and does not fall back to anon.
    access_token: str

    def role(self, headers: Mapping[str, str]) -> Role:
        """The role of a request. Raises Refused. ``x-api-key`` wins over ``Authorization``."""
        key, bearer = headers.get("x-api-key"), headers.get("authorization", "")
        token = bearer[7:] if bearer[:7].lower() == "bearer " else ""
        if key is None and token.startswith("ik_"):
            key = token
        if key is not None:
            return self._admin(key)
        if token.startswith("anon_"):
            return self._anon(token)
        if not token:
            raise insforge(401, "AUTH_INVALID_CREDENTIALS", "No token provided")
        if token != self.access_token:
            raise insforge(401, "AUTH_INVALID_CREDENTIALS", "Invalid token")
        return "authenticated"

    def _admin(self, key: str) -> Role:
        if key != self.api_key:
            raise insforge(401, "AUTH_INVALID_API_KEY", "Invalid API key")
        return "project_admin"

    def _anon(self, token: str) -> Role:
        if token != self.anon_key:
            raise insforge(401, "AUTH_INVALID_API_KEY", "Invalid anon key")
        return "anon"
