"""The protocol's store, driven by the unmodified SDK."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from agent_sdk import Client, sdk
from langgraph_sdk.errors import UnprocessableEntityError
from live_server import serving

from graph.context import Context

MINE = ["users", "me"]


@pytest.fixture
def client(context: Context) -> Iterator[Client]:
    with serving(context) as studio, sdk(studio) as client:
        yield client


def keys(found: Any) -> list[str]:
    return [item["key"] for item in found["items"]]


def test_an_item_is_kept_changed_and_forgotten(client: Client) -> None:
    assert client.store.get_item(MINE, "style") is None
    client.store.put_item(MINE, "style", {"favourite": "ink", "é": "🖋"})
    first = client.store.get_item(MINE, "style")
    assert (first["namespace"], first["key"]) == (MINE, "style")
    assert first["value"] == {"favourite": "ink", "é": "🖋"}
    client.store.put_item(MINE, "style", {"favourite": "neon"})
    second = client.store.get_item(MINE, "style")
    assert second["value"] == {"favourite": "neon"}
    assert second["created_at"] == first["created_at"]
    client.store.delete_item(MINE, "style")
    client.store.delete_item(MINE, "style")
    assert client.store.get_item(MINE, "style") is None


def test_items_are_found_below_a_namespace(client: Client) -> None:
    for name, age in (("me", 3), ("you", 5), ("me2", 7)):
        client.store.put_item(["users", name], "age", {"age": age, "who": {"name": name}})
    client.store.put_item(["users", "me", "pets"], "cat", {"age": 2})
    client.store.put_item([], "top", {"age": "old"})
    assert sorted(keys(client.store.search_items(["users", "me"]))) == ["age", "cat"]
    assert len(keys(client.store.search_items(["users"]))) == 4
    assert len(keys(client.store.search_items([]))) == 5
    assert keys(client.store.search_items(["user"])) == []
    for wanted, count in (
        ({"age": 3}, 1),
        ({"age": {"$gte": 3}}, 3),
        ({"age": {"$gt": 3, "$lt": 7}}, 1),
        ({"age": {"$ne": 3}}, 4),
        ({"who": {"name": "me"}}, 1),
        ({"nobody": 1}, 0),
    ):
        assert len(keys(client.store.search_items([], filter=wanted))) == count, wanted
    page = client.store.search_items([], limit=2, offset=1)
    assert keys(page) == keys(client.store.search_items([]))[1:3]


def test_namespaces_are_listed(client: Client) -> None:
    for namespace in (["a", "x", "1"], ["a", "y", "1"], ["b", "x", "2"]):
        client.store.put_item(namespace, "key", {})

    def listed(**wanted: Any) -> Any:
        return client.store.list_namespaces(**wanted)["namespaces"]

    assert listed() == [["a", "x", "1"], ["a", "y", "1"], ["b", "x", "2"]]
    assert listed(prefix=["a"]) == [["a", "x", "1"], ["a", "y", "1"]]
    assert listed(prefix=["*", "x"]) == [["a", "x", "1"], ["b", "x", "2"]]
    assert listed(suffix=["1"]) == [["a", "x", "1"], ["a", "y", "1"]]
    assert listed(max_depth=1) == [["a"], ["b"]]
    assert listed(limit=1, offset=1) == [["a", "y", "1"]]


def test_what_cannot_be_kept_is_refused(client: Client) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: client.store.put_item(MINE, "", {}),
        lambda: client.store.put_item(MINE, "k" * 501, {}),
        lambda: client.store.put_item(["x" * 101], "key", {}),
        lambda: client.store.put_item(MINE, "key", {"much": "x" * 70_000}),
        lambda: client.store.put_item(MINE, "key", 7),
        lambda: client.store.put_item(MINE, "key", {}, ttl=5),
        lambda: client.store.search_items(MINE, query="the colour of ink"),
        lambda: client.store.search_items(MINE, limit=0),
        lambda: client.store.list_namespaces(max_depth=0),
        lambda: client.store.get_item(MINE, ""),
    ]
    for call in calls:
        with pytest.raises(UnprocessableEntityError):
            call()
    assert keys(client.store.search_items([])) == []


def test_items_outlive_the_server(context: Context) -> None:
    with serving(context) as studio, sdk(studio) as client:
        client.store.put_item(MINE, "style", {"favourite": "ink"})
    with serving(context) as studio, sdk(studio) as client:
        assert client.store.get_item(MINE, "style")["value"] == {"favourite": "ink"}
