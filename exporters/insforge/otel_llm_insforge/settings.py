"""Settings of the legacy destination, from the environment and from arguments."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import httpx
from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_core import from_json
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from otel_llm.content_policy import ContentMode
from otel_llm.content_settings import ContentSettings, Mode
from otel_llm.errors import ConfigurationError
from otel_llm.masking import MaskFunction
from otel_llm_insforge.mapping import MappingOptions
from otel_llm_insforge.names import DEFAULT_SPAN_NAMES

_JWT: Final = re.compile(r"eyJ[\w-]*\.[\w-]+\.[\w-]*")
_KEY: Final = re.compile(r"[!-~]+")
_PREFIX: Final = "OTEL_LLM_LEGACY_"


class _Source(BaseSettings):
    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_ignore_empty=True, populate_by_name=True, extra="ignore")


class Connection(_Source):
    """Where the tables are: behind an InsForge, or in a database, which wins if both are given."""

    base_url: str | None = Field(None, validation_alias=AliasChoices("INSFORGE_BASE_URL", "INSFORGE_URL"))
    api_key: SecretStr | None = Field(None, validation_alias=AliasChoices("INSFORGE_API_KEY", "INSFORGE_ANON_KEY"))
    database_url: SecretStr | None = None

    @property
    def given(self) -> bool:
        """Whether there is any setting of a connection."""
        return any((self.base_url, self.api_key, self.database_url))

    def key(self) -> str:
        """The key for InsForge; "" if there is none."""
        return self.api_key.get_secret_value() if self.api_key else ""

    def faults(self) -> list[str]:
        """What is wrong or missing, one line each."""
        if self.database_url:
            return _faults_of_database(self.database_url.get_secret_value())
        return [*_faults_of_base_url(self.base_url), *_faults_of_key(self.api_key)]


def _decoded(value: Any) -> Any:
    try:
        return from_json(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError('must be a JSON object such as {"llm:openai": "llm:gpt"}') from None


#: NoDecode: otherwise text that is no JSON ends the settings at once, and other faults would not be told.
SpanNames = Annotated[dict[str, str], NoDecode, BeforeValidator(_decoded)]


def _content_mode(value: Any) -> Any:
    """``true`` and ``false`` are the words of before there were more than two."""
    words = {"true": ContentMode.FULL, "1": ContentMode.FULL, "false": ContentMode.NONE, "0": ContentMode.NONE}
    return words.get(str(value).strip().lower(), value)


class Options(ContentSettings, _Source):
    """How spans become rows, and how rows are sent."""

    content: Annotated[Mode, BeforeValidator(_content_mode)] = ContentMode.NONE
    orphans: Literal["skip", "synthesize"] = "skip"
    telegram_id_attribute: str = "user.id"
    user_id_attribute: str | None = None
    span_names: SpanNames = {}
    create_tables: bool | None = None
    gzip: bool = False

    def mapping(self, mask: MaskFunction | None = None) -> MappingOptions:
        """The part that the mapping needs; ``mask`` replaces the process's own function for masking texts."""
        return MappingOptions(
            content=self.policy(self.content, mask),
            orphans=self.orphans,
            telegram_id_attribute=self.telegram_id_attribute,
            user_id_attribute=self.user_id_attribute,
            span_names={**DEFAULT_SPAN_NAMES, **self.span_names},
        )


def load(arguments: Mapping[str, Any]) -> tuple[Connection, Options]:
    """Settings from ``arguments`` (None: not given), else from the environment. Raises ConfigurationError with all faults."""
    given = {name: value for name, value in arguments.items() if value is not None}
    here = (
        {"database_url": ""} if given.keys() & {"base_url", "api_key"} else {}
    )  # what is said here is not overruled from there
    connection = Connection(**{**here, **given})
    faults = connection.faults() if connection.given else []
    try:
        options = Options(**given)
    except ValidationError as error:
        raise ConfigurationError([*faults, *map(_fault_of_option, error.errors())]) from None
    if faults:
        raise ConfigurationError(faults)
    return connection, options


def _fault_of_option(error: Mapping[str, Any]) -> str:
    place = str(error["loc"][0]).upper() if error["loc"] else ""
    name = place if place.startswith("OTEL_LLM_") else f"{_PREFIX}{place}" if place else "the settings"
    return f"{name}: {error['msg']}"


def _faults_of_database(text: str) -> list[str]:
    from otel_llm_insforge.database import parse_url  # SQLAlchemy takes longer to load than all else

    try:
        url = parse_url(text)
    except ValueError as error:
        return [f"{_PREFIX}DATABASE_URL {error}"]
    if url.get_backend_name() == "postgresql" and importlib.util.find_spec("psycopg") is None:
        return [f"{_PREFIX}DATABASE_URL needs psycopg: pip install 'otel-llm-insforge[postgresql]'"]
    return []


def _faults_of_base_url(text: str | None) -> list[str]:
    if not text:
        return ["INSFORGE_BASE_URL is missing, though a key is set"]
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in ("http", "https") or not url.host or url.userinfo or url.query or url.fragment:
        return ["INSFORGE_BASE_URL must look like https://host, without user, query or fragment"]
    return []


def _faults_of_key(key: SecretStr | None) -> list[str]:
    text = key.get_secret_value() if key is not None else ""
    if not text:
        return ["INSFORGE_API_KEY is missing, though INSFORGE_BASE_URL is set"]
    if _JWT.fullmatch(text):
        return ["INSFORGE_API_KEY is an access token, which ends after 15 minutes: use the project's API key (ik_...)"]
    return [] if _KEY.fullmatch(text) else ["INSFORGE_API_KEY holds characters that no key has, such as spaces or line ends"]
