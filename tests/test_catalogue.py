"""The catalogue: what OpenRouter and Ollama list, what is wanted of it, and how old it is."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from otel_llm.models.catalogue import Catalogue, ListedModel, Listing, Wanted
from otel_llm.models.catalogue_search import search
from otel_llm.models.catalogue_sources import CatalogueSource, ollama_url, sources_of
from otel_llm.models.listed import price
from otel_llm.models.offers import ollama_offers, openrouter_offers
from otel_llm.testing.provider import FakeProvider
from otel_llm.testing.server import LoopbackServer, Request, Response

SONNET = {
    "id": "anthropic/claude-sonnet-4.5",
    "name": "Anthropic: Claude Sonnet 4.5",
    "created": 1759161676,
    "description": "A model for coding.",
    "context_length": 1_000_000,
    "architecture": {
        "modality": "text+image->text",
        "input_modalities": ["text", "image", "file"],
        "output_modalities": ["text"],
    },
    "pricing": {"prompt": "0.000003", "completion": "0.000015", "discount": 0, "overrides": [{"min_prompt_tokens": 200000}]},
    "top_provider": {"context_length": 1_000_000, "max_completion_tokens": 64_000, "is_moderated": False},
    "supported_parameters": ["max_tokens", "tools"],
    "expiration_date": "2026-12-31",
}
FREE = {"id": "acme/small:free", "pricing": {"prompt": "0", "completion": "0"}, "supported_parameters": ["max_tokens"]}
AUTO = {"id": "openrouter/auto", "name": "Auto Router", "pricing": {"prompt": "-1", "completion": "-1"}}
PAINTER = {
    "id": "acme/painter",
    "architecture": {"modality": "text->text+image"},
    "context_length": 32_768,
    "pricing": {"prompt": "0.0000003", "completion": "0.0000025"},
}
LLAMA = {"name": "llama3.2:latest", "details": {"family": "llama", "parameter_size": "3.2B", "quantization_level": "Q4_K_M"}}

Play = Callable[..., FakeProvider]


@pytest.fixture
def play() -> Iterator[Play]:
    """A provider that lists these models."""
    started: list[FakeProvider] = []

    def start(*models: Any, **more: Any) -> FakeProvider:
        started.append(FakeProvider(models=models, **more).start())
        return started[-1]

    yield start
    for fake in started:
        fake.stop()


def catalogue(fake: FakeProvider, directory: Path, **more: str) -> Catalogue:
    environ = {"OPENROUTER_BASE_URL": fake.openrouter, "OPENROUTER_API_KEY": "sk-or-secret", "OLLAMA_HOST": fake.ollama}
    return Catalogue(environ={"OTEL_LLM_STATE_DIR": str(directory), **environ, **more})


def ids(listing: Listing) -> list[str]:
    return [model.text for model in listing.models]


def requests(fake: FakeProvider) -> list[str]:
    return [exchange.path for exchange in fake.exchanges]


def made_older(directory: Path, by: timedelta) -> None:
    path = directory / "catalogue-openrouter.json"
    kept = json.loads(path.read_text())
    kept["fetched_at"] = (datetime.now(UTC) - by).isoformat()
    path.write_text(json.dumps(kept))


class TestEntries:
    def test_of_openrouter(self) -> None:
        assert openrouter_offers({"data": [SONNET]}) == (
            (
                ListedModel(
                    provider="openrouter",
                    model="anthropic/claude-sonnet-4.5",
                    name="Anthropic: Claude Sonnet 4.5",
                    description="A model for coding.",
                    context_length=1_000_000,
                    input_price=Decimal(3),
                    output_price=Decimal(15),
                    free=False,
                    reads=("text", "image", "file"),
                    writes=("text",),
                    tools=True,
                    expires="2026-12-31",
                ),
            ),
            0,
        )

    def test_of_ollama(self) -> None:
        assert ollama_offers({"models": [LLAMA]}) == (
            (
                ListedModel(
                    provider="ollama",
                    model="llama3.2:latest",
                    name="llama3.2:latest 3.2B Q4_K_M",
                    description="llama",
                    input_price=Decimal(0),
                    output_price=Decimal(0),
                    free=True,
                    reads=("text",),
                    writes=("text",),
                ),
            ),
            0,
        )

    def test_of_ollamas_cloud_have_no_known_price(self) -> None:
        cloud = {
            "model": "gpt-oss:120b-cloud",
            "remote_host": "https://ollama.com",
            "capabilities": ["completion", "tools", "vision"],
        }
        offers = ollama_offers({"models": [cloud]})
        assert offers is not None
        (model,) = offers[0]
        assert (model.input_price, model.free, model.tools, model.reads) == (None, False, True, ("text", "image"))

    @pytest.mark.parametrize(
        "entry",
        [
            *[None, 3, "x", [], {}, {"id": None}, {"id": ""}, {"id": "a b"}, {"id": "x/\x1b[31m"}, {"id": "x" * 300}],
            SONNET,  # a second time
        ],
    )
    def test_that_are_odd_are_left_out_and_counted(self, entry: object) -> None:
        offers = openrouter_offers({"data": [SONNET, entry]})
        assert offers is not None
        assert ([model.model for model in offers[0]], offers[1]) == (["anthropic/claude-sonnet-4.5"], 1)

    @pytest.mark.parametrize("odd", [None, 3, "x", [], {}, True, -1, {"id": 1}, [1, None], 10**30, "1e999999", float("nan")])
    @pytest.mark.parametrize("field", [name for name in SONNET if name != "id"])
    def test_with_odd_fields_are_kept(self, field: str, odd: object) -> None:
        offers = openrouter_offers({"data": [{**SONNET, field: odd, "pricing": {"prompt": odd}}]})
        assert offers is not None
        assert [model.model for model in offers[0]] == ["anthropic/claude-sonnet-4.5"]

    @pytest.mark.parametrize("body", [None, [], {}, "x", {"data": {}}, {"data": None}, {"error": {"code": 401}}])
    def test_need_a_list(self, body: object) -> None:
        assert (openrouter_offers(body), ollama_offers(body)) == (None, None)

    @pytest.mark.parametrize(
        ("per_token", "per_million"),
        [("0.000003", "3"), ("0.0000001", "0.1"), ("0.0001", "100"), ("0", "0"), (0.000003, "3"), (1, "1000000")]
        + [(odd, None) for odd in ("-1", "", "x", "NaN", "Infinity", "1e999999", "1001", None, True, [])],
    )
    def test_have_prices_per_million_tokens(self, per_token: object, per_million: str | None) -> None:
        assert price(per_token) == (None if per_million is None else Decimal(per_million))
        assert per_million is None or f"{price(per_token)}" == per_million

    def test_are_free_if_nothing_of_them_costs_anything(self) -> None:
        by_request = {"id": "acme/search", "pricing": {"prompt": "0", "completion": "0", "request": "0.005"}}
        offers = openrouter_offers({"data": [FREE, AUTO, by_request, {"id": "acme/unknown"}]})
        assert offers is not None
        assert [model.model for model in offers[0] if model.free] == ["acme/small:free"]


class TestSearch:
    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            ({}, ["anthropic/claude-sonnet-4.5", "acme/small:free", "openrouter/auto", "acme/painter"]),
            ({"text": "CLAUDE  son"}, ["anthropic/claude-sonnet-4.5"]),
            ({"text": "coding"}, ["anthropic/claude-sonnet-4.5"]),
            ({"text": "claude gpt"}, []),
            ({"max_price": Decimal(14)}, ["acme/small:free", "acme/painter"]),
            ({"max_price": Decimal(15)}, ["anthropic/claude-sonnet-4.5", "acme/small:free", "acme/painter"]),
            ({"min_context": 32_768}, ["anthropic/claude-sonnet-4.5", "acme/painter"]),
            ({"tools": True}, ["anthropic/claude-sonnet-4.5"]),
            ({"free": True}, ["acme/small:free"]),
            ({"modalities": ("image",)}, ["anthropic/claude-sonnet-4.5"]),
            ({"modalities": ("->Image",)}, ["acme/painter"]),
            ({"modalities": ("text", "->text")}, ["anthropic/claude-sonnet-4.5", "acme/painter"]),
            ({"text": "acme", "max_price": Decimal(1)}, ["acme/small:free"]),
        ],
    )
    def test_finds_what_fits_in_every_way(self, wanted: dict[str, Any], found: list[str]) -> None:
        offers = openrouter_offers({"data": [SONNET, FREE, AUTO, PAINTER]})
        assert offers is not None
        assert [model.model for model in search(offers[0], Wanted(**wanted))] == found

    def test_has_those_first_that_are_called_so(self) -> None:
        mentions = {"id": "acme/other", "description": "Cheaper than a painter."}
        offers = openrouter_offers({"data": [mentions, PAINTER]})
        assert offers is not None
        assert [model.model for model in search(offers[0], Wanted(text="painter"))] == ["acme/painter", "acme/other"]


class TestListings:
    def test_are_fetched_once_a_day_and_ollamas_each_time(self, play: Play, tmp_path: Path) -> None:
        fake = play("acme/one")
        for _ in range(2):
            openrouter, ollama = catalogue(fake, tmp_path / "s").listings()
            assert (ids(openrouter), ids(ollama)) == (["openrouter:acme/one"], ["ollama:acme/one"])
            assert (openrouter.is_stale, openrouter.fault, ollama.is_stale) == (False, None, False)
        assert requests(fake) == ["/openrouter/api/v1/models", "/ollama/api/tags", "/ollama/api/tags"]

    @pytest.mark.parametrize("age", [timedelta(days=1, minutes=1), timedelta(days=-1)])
    def test_are_fetched_again_when_they_are_too_old_or_from_the_future(
        self, play: Play, tmp_path: Path, age: timedelta
    ) -> None:
        fake = play(SONNET)
        catalogue(fake, tmp_path / "s").listings()
        made_older(tmp_path / "s", age)
        fake.clear()
        (openrouter, _) = catalogue(fake, tmp_path / "s").listings()
        assert (requests(fake)[0], openrouter.is_stale) == ("/openrouter/api/v1/models", False)

    def test_come_from_disk_as_they_were(self, play: Play, tmp_path: Path) -> None:
        fake = play(SONNET, FREE, AUTO, PAINTER, {"id": 3})
        (first, _) = catalogue(fake, tmp_path / "s").listings()
        (second, _) = catalogue(fake, tmp_path / "s").listings()
        assert (second.models, second.fetched_at, second.skipped) == (first.models, first.fetched_at, 1)

    def test_stay_known_and_say_so_when_nobody_answers(self, play: Play, tmp_path: Path) -> None:
        fake = play("acme/one")
        catalogue(fake, tmp_path / "s").listings()
        made_older(tmp_path / "s", timedelta(days=3))
        fake.stop()

        openrouter, ollama = catalogue(fake, tmp_path / "s").listings()

        assert (ids(openrouter), openrouter.is_stale) == (["openrouter:acme/one"], True)
        assert openrouter.fault == (
            f"{fake.openrouter}/models cannot be reached (ConnectError). "
            "Look at OPENROUTER_BASE_URL, OPENROUTER_API_KEY and the network."
        )
        age = openrouter.age()
        assert age is not None
        assert age.days == 3
        assert (ids(ollama), ollama.is_stale) == (["ollama:acme/one"], True)

    def test_that_were_never_had_say_so(self, play: Play, tmp_path: Path) -> None:
        fake = play()
        fake.stop()
        openrouter, _ = catalogue(fake, tmp_path / "s").listings()
        assert (openrouter.models, openrouter.age(), openrouter.is_stale) == ((), None, True)
        assert openrouter.fault is not None

    def test_can_be_refreshed_and_left_alone(self, play: Play, tmp_path: Path) -> None:
        fake = play("acme/one")
        lists = catalogue(fake, tmp_path / "s")
        assert [listing.age() for listing in lists.listings(offline=True)] == [None, None]
        assert requests(fake) == []
        lists.listings()
        lists.listings(refresh=True)
        assert requests(fake).count("/openrouter/api/v1/models") == 2

    def test_are_kept_for_this_user_alone_and_without_the_key(self, play: Play, tmp_path: Path) -> None:
        fake = play("acme/one")
        with Says(Response.json({"data": [SONNET]})) as server:
            user = server.base_url.replace("http://", "http://ada:pass@")
            catalogue(fake, tmp_path / "s", OPENROUTER_BASE_URL=user).listings()
        path = tmp_path / "s" / "catalogue-openrouter.json"
        assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (0o600, 0o700)
        assert [name for name in ("sk-or-secret", "pass") if name in path.read_text()] == []
        assert sorted(file.name for file in path.parent.iterdir()) == ["catalogue-ollama.json", "catalogue-openrouter.json"]

    def test_of_another_place_are_not_mixed_up(self, play: Play, tmp_path: Path) -> None:
        catalogue(play("acme/one"), tmp_path / "s").listings()
        (openrouter, _) = catalogue(play("acme/two"), tmp_path / "s").listings()
        assert ids(openrouter) == ["openrouter:acme/two"]

    @pytest.mark.parametrize("content", ["", "{", "[]", '{"url": 1}', "\x00"])
    def test_that_are_broken_on_disk_are_fetched(self, play: Play, tmp_path: Path, content: str) -> None:
        fake = play("acme/one")
        catalogue(fake, tmp_path / "s").listings()
        (tmp_path / "s" / "catalogue-openrouter.json").write_text(content)
        (openrouter, _) = catalogue(fake, tmp_path / "s").listings()
        assert (ids(openrouter), openrouter.is_stale) == (["openrouter:acme/one"], False)

    def test_need_no_place_on_disk(self, play: Play, tmp_path: Path) -> None:
        fake = play("acme/one")
        for _ in range(2):
            (openrouter, _) = catalogue(fake, tmp_path, OTEL_LLM_STATE_DIR="none").listings()
            assert ids(openrouter) == ["openrouter:acme/one"]
        assert requests(fake).count("/openrouter/api/v1/models") == 2

    def test_that_cannot_be_written_are_had_anyway(self, play: Play, tmp_path: Path) -> None:
        (tmp_path / "s").write_text("a file")
        (openrouter, _) = catalogue(play("acme/one"), tmp_path / "s").listings()
        assert ids(openrouter) == ["openrouter:acme/one"]

    def test_are_searched_together(self, play: Play, tmp_path: Path) -> None:
        found = catalogue(play("acme/one", "acme/two"), tmp_path / "s").search(Wanted(text="two"))
        assert [model.text for model in found] == ["openrouter:acme/two", "ollama:acme/two"]


class Says(LoopbackServer):
    """Answers everything the same."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self._response = response
        self.keys: list[str | None] = []

    def answer(self, request: Request) -> Response:
        self.keys.append(request.headers.get("authorization"))
        return self._response


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (Response.json({"error": {"code": 401}}, 401), "answered with HTTP 401"),
        (Response(302, {"Location": "http://127.0.0.1:9/"}), "answered with HTTP 302"),
        (Response.json({"data": []}), "did not answer with a list of models"),
        (Response.json({"data": [{"id": None}]}), "did not answer with a list of models"),
        (Response.json(["x"]), "did not answer with a list of models"),
        (Response(200, {}, b"<html>"), "did not answer with a list of models"),
        (Response(200, {"Content-Encoding": "gzip"}, b"no gzip"), "cannot be reached (DecodingError)"),
    ],
)
def test_a_wrong_answer_never_takes_the_place_of_a_list(play: Play, tmp_path: Path, response: Response, said: str) -> None:
    with Says(response) as server:
        environ = {
            "OPENROUTER_BASE_URL": server.base_url,
            "OPENROUTER_API_KEY": "sk-or-secret",
            "OTEL_LLM_STATE_DIR": str(tmp_path),
        }
        (source, _) = sources_of(environ)
        lists = Catalogue([source], environ=environ)
        kept = tmp_path / "catalogue-openrouter.json"
        kept.write_text(
            json.dumps(
                {
                    "url": source.shown_url,
                    "fetched_at": "2026-01-01T00:00:00Z",
                    "models": [{"provider": "openrouter", "model": "acme/one", "name": "One"}],
                }
            )
        )
        before = kept.read_bytes()

        (listing,) = lists.listings()

        assert (ids(listing), listing.is_stale, kept.read_bytes()) == (["openrouter:acme/one"], True, before)
        assert said in (listing.fault or "")
        assert "secret" not in (listing.fault or "") + repr(source)
        assert server.keys == ["Bearer sk-or-secret"]


def test_an_ollama_without_models_is_no_fault(play: Play, tmp_path: Path) -> None:
    (_, ollama) = catalogue(play(), tmp_path / "s").listings()
    assert (ollama.models, ollama.fault, ollama.is_stale) == ((), None, False)


def test_a_url_that_is_none_is_told(tmp_path: Path) -> None:
    source = CatalogueSource("openrouter", "http://box:port/models", openrouter_offers, timedelta(days=1))
    (listing,) = Catalogue([source], directory=tmp_path).listings()
    assert listing.fault == "the URL of openrouter cannot be reached (InvalidURL)."


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("box", "http://box:11434"),
        ("box:8080", "http://box:8080"),
        (":8080", "http://127.0.0.1:8080"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:8080", "http://127.0.0.1:8080"),
        ("http://box", "http://box:11434"),
        ("https://box.example/ollama/", "https://box.example/ollama"),
        ("[::1]", "http://[::1]:11434"),
        ("[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_where_ollama_is(host: str, url: str) -> None:
    assert ollama_url(host) == url
