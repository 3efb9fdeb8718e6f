"""What a cluster publishes becomes the configuration; what the API wrote a moment ago is not undone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voyager_llm.definitions.adoption import Adoption
from voyager_llm.definitions.bundle import Bundle, Published, bundle_of, pack, unpack
from voyager_llm.definitions.catalog import Catalog
from voyager_llm.definitions.store.sql import SqlStore
from voyager_llm.domain.definition import Kind
from voyager_llm.snapshot import Delta, SnapshotCell

MODEL = {"provider": "openai", "model_name": "gpt-4"}


def model(name: str, **fields: Any) -> Published:
    return Published(Kind.MODEL, name, {"name": name, **MODEL, **fields}, "git")


def prompt(name: str, version: str, template: str) -> Published:
    document = {"name": name, "version": version, "template": template}
    return Published(Kind.PROMPT, name, document, "git")


@dataclass
class Hub:
    """A catalog with its adoption, a clock to turn, and a router's snapshot."""

    catalog: Catalog
    cell: SnapshotCell
    now: float = 100.0
    adoption: Adoption = field(init=False)

    def __post_init__(self) -> None:
        self.adoption = Adoption(self.catalog, 30.0, lambda: self.now)

    async def publish(self, *entries: Published) -> float:
        return await self.publish_bundle(bundle_of(entries))

    async def publish_bundle(self, bundle: Bundle) -> float:
        async def read() -> Bundle:
            return bundle

        self.adoption.publish(read)
        return await self.adoption.step()

    async def create(self, name: str) -> None:
        await self.catalog.create(Kind.MODEL, {"name": name, **MODEL}, "ada")
        self.adoption.wrote(Kind.MODEL, name)


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    cell = SnapshotCell()

    async def publish(delta: Delta) -> None:
        assert cell.apply(delta)

    catalog = Catalog(SqlStore(f"sqlite+aiosqlite:///{tmp_path / 'hub.db'}"), publish)
    await catalog.open()
    cell.apply(catalog.since(0)[0])
    yield Hub(catalog, cell)
    await catalog.close()


async def test_a_publication_is_taken_over_whole(hub: Hub) -> None:
    await hub.publish(model("a"), model("b"), prompt("p", "1.0.0", "hi"))
    assert set(hub.cell.current.models) == {"a", "b"}
    assert (
        hub.cell.current.published == bundle_of([model("a"), model("b"), prompt("p", "1.0.0", "hi")]).digest
    )
    await hub.publish(model("a", model_name="gpt-4o"))
    assert set(hub.cell.current.models) == {"a"}
    assert hub.cell.current.models["a"].endpoints[0].model_name == "gpt-4o"
    assert not hub.cell.current.prompts
    history = await hub.catalog.history(Kind.MODEL, "a", 0, 10)
    assert [(r.revision, r.author) for r in history] == [(2, "git"), (1, "git")]


async def test_publishing_again_changes_nothing(hub: Hub) -> None:
    await hub.publish(model("a"))
    version = hub.cell.current.version
    await hub.publish(model("a"))
    assert hub.cell.current.version == version


async def test_routes_are_the_clusters_too(hub: Hub) -> None:
    route = Published(Kind.ROUTE, "r", {"name": "r", "targets": [{"model": "a"}], "aliases": ["x/y"]}, "git")
    await hub.publish(model("a"), route)
    assert hub.cell.current.find("x/y") is hub.cell.current.routes["r"]
    # A controller of the release before knows no routes, so it deletes none.
    before = {name: value for name, value in pack(bundle_of([model("a")])).items() if name != "kinds"}
    await hub.publish_bundle(unpack(before))
    assert set(hub.cell.current.routes) == {"r"}
    await hub.publish(model("a"))
    assert not hub.cell.current.routes


async def test_what_is_invalid_keeps_its_last_version(hub: Hub) -> None:
    await hub.publish(model("a"), prompt("p", "1.0.0", "one"))
    await hub.publish(model("a", provider="NOT A PROVIDER"), prompt("p", "1.0.0", "other"), model("b"))
    assert set(hub.cell.current.models) == {"a", "b"}
    assert hub.cell.current.prompt("p").template == "one"


async def test_versions_of_a_prompt_stay_and_come_back(hub: Hub) -> None:
    for version, text in (("1.0.0", "one"), ("1.1.0", "two"), ("1.0.0", "one")):
        await hub.publish(prompt("p", version, text))
    assert hub.cell.current.prompt("p").template == "one"
    assert hub.cell.current.prompt("p", "1.1.0").template == "two"


async def test_an_older_publication_does_not_undo_a_write(hub: Hub) -> None:
    await hub.publish(model("a"))
    await hub.create("new")
    pause = await hub.publish(model("a"))  # compiled before the write
    assert set(hub.cell.current.models) == {"a", "new"}
    assert 0 < pause <= 30
    hub.now += 31  # by now a publication that holds it would have come: somebody deleted it
    assert await hub.adoption.step() == 0
    assert set(hub.cell.current.models) == {"a"}


async def test_a_publication_that_holds_the_write_makes_no_version(hub: Hub) -> None:
    await hub.publish()
    await hub.create("new")
    await hub.publish(model("new"))
    hub.now += 31
    await hub.adoption.step()
    assert [r.author for r in await hub.catalog.history(Kind.MODEL, "new", 0, 10)] == ["ada"]


names = st.text("abcdefg", min_size=1, max_size=5)
entries = st.builds(
    Published,
    kind=st.sampled_from(list(Kind)),
    name=names,
    document=st.dictionaries(
        names, st.none() | st.integers(-(2**63), 2**63 - 1) | st.text() | st.lists(st.booleans())
    ),
    author=names,
)


@given(st.lists(entries, unique_by=lambda e: (e.kind, e.name)))
def test_a_bundle_survives_packing(given_entries: list[Published]) -> None:
    bundle = bundle_of(given_entries)
    assert unpack(pack(bundle)) == bundle
    assert bundle_of(reversed(given_entries)).digest == bundle.digest


@pytest.mark.parametrize(
    "config",
    [
        {}, {"definitions": 5}, {"definitions": "!!", "digest": ""},
        {**pack(Bundle()), "digest": "0" * 64},
        {**pack(Bundle()), "definitions": pack(bundle_of([model("a")]))["definitions"]},
    ],
)  # fmt: skip
def test_what_is_no_bundle_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="configuration"):
        unpack(config)
