"""The documents of the API over HTTP."""

from __future__ import annotations

import gzip

import orjson
import pytest

from server.documents.documents import Documents
from server.features import FEATURES
from server.pipeline.registry import Registry
from tests.kit.server import RunningServer

DOCUMENTS = Documents(Registry(FEATURES))


@pytest.mark.parametrize("name", DOCUMENTS.names)
async def test_each_document_is_served_to_every_page(server: RunningServer, name: str) -> None:
    async with server.http.get(f"{server.url}/{name}", headers={"Origin": "https://elsewhere.example"}) as response:
        assert response.status == 200
        assert await response.read() == DOCUMENTS.body(name)
        assert response.content_type == ("application/json" if name.endswith(".json") else "text/plain")
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("seen", ["W/{}", "{}", '"another", W/{}', "*"])
async def test_a_client_that_has_the_document_does_not_get_it_again(server: RunningServer, seen: str) -> None:
    url = f"{server.url}/types.d.ts"
    async with server.http.head(url) as response:
        tag = response.headers["ETag"]
    headers = {"If-None-Match": seen.format(tag.removeprefix("W/"))}
    async with server.http.get(url, headers=headers) as response:
        assert (response.status, await response.read(), response.headers["ETag"]) == (304, b"", tag)
    async with server.http.get(url, headers={"If-None-Match": '"another"'}) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    ("accepted", "is_compressed"),
    [("gzip", True), ("br, GZip;q=0.5", True), ("gzip;q=0", False), ("gzip; q=0.000", False), ("identity", False)],
)
async def test_it_is_compressed_for_clients_that_can_read_that(
    server: RunningServer, accepted: str, is_compressed: bool
) -> None:
    async with server.http.get(
        f"{server.url}/types.d.ts", headers={"Accept-Encoding": accepted}, auto_decompress=False
    ) as response:
        assert response.headers["Vary"] == "Accept-Encoding"
        assert response.headers.get("Content-Encoding") == ("gzip" if is_compressed else None)
        body = await response.read()
    assert (gzip.decompress(body) if is_compressed else body) == DOCUMENTS.body("types.d.ts")


async def test_a_path_takes_the_methods_that_are_described_and_no_other(server: RunningServer) -> None:
    document = orjson.loads(DOCUMENTS.body("openapi.json"))
    methods = {"get", "post", "put", "patch", "delete"}
    wrong = {}
    for path, item in document["paths"].items():
        base = server.url + item.get("servers", document["servers"])[0]["url"].removesuffix("/")
        async with server.http.request("TRACE", base + path.replace("{", "").replace("}", "")) as response:
            allowed = {name.strip().lower() for name in response.headers.get("Allow", "").split(",")}
        if allowed & methods != item.keys() & methods:
            wrong[path] = sorted(allowed)
    assert wrong == {}
