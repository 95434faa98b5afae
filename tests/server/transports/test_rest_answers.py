"""Conditional reads, next pages and compression, on a real port."""

from __future__ import annotations

from typing import Any

from multidict import CIMultiDictProxy

from tests.kit.server import Person, RunningServer


async def read(
    server: RunningServer, person: Person, path: str, **headers: str
) -> tuple[int, CIMultiDictProxy[str], dict[str, Any] | None]:
    """Status, headers and answer; the body is not decompressed by the client."""
    sent = {
        "Authorization": f"Bearer {person.access_token}",
        **{name.replace("_", "-"): v for name, v in headers.items()},
    }
    async with server.http.get(server.url + path, headers=sent) as response:
        return response.status, response.headers, (await response.json() if response.status == 200 else None)


async def test_what_has_not_changed_is_not_sent_again(server: RunningServer) -> None:
    me = await server.person("answers.etag")
    status, headers, _ = await read(server, me, "/v1/users/me")
    assert (status, headers["Cache-Control"]) == (200, "private, no-cache")
    tag = headers["ETag"]
    assert (await read(server, me, "/v1/users/me", If_None_Match=tag))[0] == 304, "though its clock has moved"
    assert (await read(server, me, "/v1/users/me", If_None_Match=f'"other", {tag}'))[0] == 304
    await me.do("/users", "user:update", {"bio": "New"})
    status, headers, _ = await read(server, me, "/v1/users/me", If_None_Match=tag)
    assert status == 200 and headers["ETag"] != tag


async def test_a_list_has_the_address_of_its_next_page(server: RunningServer) -> None:
    me = await server.person("answers.link")
    texts = ["one", "two", "three"]
    for text in texts:
        await me.do("/posts", "post:create", {"text": text})
    shown, path = [], f"/api/v1/users/{me.id}/posts?limit=2&offset=0"
    for _ in range(2):
        _, headers, answer = await read(server, me, path)
        assert answer is not None
        shown += [post["text"] for post in answer["data"]["items"]]
        if "Link" in headers:
            assert headers["Link"].endswith('>; rel="next"')
            path = headers["Link"].partition(">")[0].removeprefix("<")
            assert path.startswith(f"/api/v1/users/{me.id}/posts?limit=2&before=")
    assert shown == texts[::-1]
    assert "Link" not in headers


async def test_a_text_that_looks_like_a_cursor_makes_no_next_page(server: RunningServer) -> None:
    me = await server.person("answers.text")
    await me.do("/posts", "post:create", {"text": ',"next_cursor":"1"'})
    _, headers, _ = await read(server, me, f"/v1/users/{me.id}/posts")
    assert "Link" not in headers


async def test_large_answers_are_compressed_for_who_takes_it(server: RunningServer) -> None:
    me = await server.person("answers.gzip")
    await me.do("/posts", "post:create", {"text": "many words " * 400})
    path = f"/v1/users/{me.id}/posts"
    _, plain, shown = await read(server, me, path, Accept_Encoding="identity")
    _, small, same = await read(server, me, path, Accept_Encoding="gzip")
    assert shown == same
    assert "Content-Encoding" not in plain
    assert (small["Content-Encoding"], small["ETag"]) == ("gzip", plain["ETag"])
    assert "Accept-Encoding" in plain["Vary"] and "Origin" in plain["Vary"]
    status, kept, _ = await read(server, me, path, Accept_Encoding="gzip", If_None_Match=small["ETag"])
    assert (status, kept["Vary"]) == (304, plain["Vary"])
    assert int(small["Content-Length"]) * 5 < int(plain["Content-Length"])


async def test_answers_with_tokens_are_never_compressed(server: RunningServer) -> None:
    body = {"login": "answers.gzip", "password": "x" * 250}
    async with server.http.post(
        f"{server.url}/v1/auth/login", json=body, headers={"Accept-Encoding": "gzip"}
    ) as response:
        assert "Content-Encoding" not in response.headers
        assert response.headers["Cache-Control"] == "no-store"


async def test_a_refusal_has_neither_tag_nor_next_page(server: RunningServer) -> None:
    me = await server.person("answers.refused")
    status, headers, _ = await read(server, me, "/v1/posts/1", If_None_Match="*")
    assert status == 404
    assert not {"ETag", "Link"} & headers.keys()
