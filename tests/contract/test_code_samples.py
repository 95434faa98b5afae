"""The code on the page works as it is copied: with the address, a token, and ids that exist."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from realtime.contract.declarations import Command
from server.documents.page.samples import SERVER, code_samples
from tests.contract.test_examples import COMMANDS, faults_in_worlds, with_values
from tests.contract.world import World
from tests.journeys.javascript import FOLDER, node_with_packages
from tests.kit.server import RunningServer

RUNNER = """
import { createInterface } from "node:readline";
console.log = () => {};
for await (const line of createInterface({ input: process.stdin })) {
  const { file, token } = JSON.parse(line);
  globalThis.token = token;
  await import(file).then(() => process.stdout.write("ok\\n"), (error) => process.stdout.write(`${error}\\n`));
}
process.exit();
"""


def codes_for(command: Command[Any, Any], world: World, server: RunningServer) -> Mapping[str, str]:
    """The samples by their languages; only what a client has to put in is put in."""
    known = replace(command, example=with_values(command.example, world.values))
    return {sample.language: sample.code.replace(SERVER, server.url) for sample in code_samples(known)}


async def test_the_curl_of_every_command_with_a_route_works(server: RunningServer) -> None:
    async def ask(command: Command[Any, Any], world: World) -> list[str]:
        code = codes_for(command, world, server)["curl"]
        process = await asyncio.create_subprocess_exec(
            "sh",
            "-c",
            code,
            env={**os.environ, "TOKEN": world.me.access_token},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        told, _ = await process.communicate()
        return [] if json.loads(told)["ok"] else [told.decode()]

    with_route = [command for command in COMMANDS if any(one.language == "curl" for one in code_samples(command))]
    assert len(with_route) > 30
    assert await faults_in_worlds(server, "curl", with_route, ask) == []


async def test_the_python_of_every_command_works(server: RunningServer) -> None:
    async def ask(command: Command[Any, Any], world: World) -> list[str]:
        names: dict[str, Any] = {"token": world.me.access_token}
        await asyncio.to_thread(exec, codes_for(command, world, server)["Python"], names)
        return [] if names["answer"]["ok"] else [str(names["answer"])]

    assert await faults_in_worlds(server, "python", COMMANDS, ask) == []


async def test_the_javascript_of_every_command_works(server: RunningServer, tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(FOLDER / "node_modules")
    (tmp_path / "runner.mjs").write_text(RUNNER)
    turns = asyncio.Lock()
    process = await asyncio.create_subprocess_exec(
        node_with_packages(), "runner.mjs", cwd=tmp_path, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None and process.stdout is not None

    async def ask(command: Command[Any, Any], world: World) -> list[str]:
        assert process.stdin is not None and process.stdout is not None
        file = tmp_path / f"{command.name.replace(':', '_')}.mjs"
        # It would stay connected, and the next sample, of another person, would get the same connection.
        file.write_text(f"{codes_for(command, world, server)['JavaScript']}\nsocket.disconnect();\n")
        async with turns:
            line = {"file": str(file), "token": world.me.access_token}
            process.stdin.write(json.dumps(line).encode() + b"\n")
            told = (await process.stdout.readline()).decode().strip()
        return [] if told == "ok" else [told]

    try:
        assert await faults_in_worlds(server, "javascript", COMMANDS, ask) == []
    finally:
        process.stdin.close()
        await process.wait()
