"""Several nodes behind a load balancer on one machine, to see what happens when one of them dies."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from server.cli_error import CliError
from server.commands.backing_services import dependencies, refuse_busy_port, report
from server.commands.parent_death import terminate_with_parent
from server.commands.up import box, prepare
from server.config import CHECKOUT, Settings
from server.dev.nginx import nginx_binary, nginx_config
from server.dev.seed import DemoLogin

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 8.0
"""Longer than a node takes to drain (5 s at most)."""
LOOK_EVERY_S = 0.2
LOCAL = "127.0.0.1"


def cluster(settings: Settings, *, nodes: int, workers: int) -> None:
    """Runs nodes behind nginx, and workers, with one PostgreSQL and one Redis, until Ctrl-C."""
    nginx = nginx_binary()
    refuse_busy_port(settings)
    with dependencies(settings) as reached, _processes(settings.data_dir / "cluster") as processes:
        login = asyncio.run(prepare(reached))
        report(f"starting {nodes} nodes")
        ports = _free_ports(settings.port, nodes + 1)
        node_ports = {f"n{number}": port for number, port in enumerate(ports[1:], 1)}
        for name, port in node_ports.items():
            processes.start(name, "serve", environment={**_environment(reached), "PORT": str(port), "NODE_NAME": name})
        for number in range(1, workers + 1):
            processes.start(f"w{number}", "worker", environment=_environment(reached))
        for name, port in node_ports.items():
            processes.wait_until_ready(name, port)
        processes.start_nginx(nginx, settings.host, ports[0], node_ports)
        print(box(_summary(settings, ports[0], node_ports, processes, login)), flush=True)
        processes.watch()
        report("stopping")
    report("stopped")


class _Processes:
    """The processes of the cluster, each with a log file in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def pid(self, name: str) -> int:
        return self._running[name].pid

    @property
    def names(self) -> list[str]:
        return list(self._running)

    def start(self, name: str, verb: str, *, environment: Mapping[str, str]) -> None:
        command = [sys.executable, "-m", "server", verb]
        self._launch(name, command, cwd=CHECKOUT, environment=environment)

    def start_nginx(self, nginx: Path, host: str, port: int, node_ports: Mapping[str, int]) -> None:
        listen = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        addresses = {name: f"{LOCAL}:{node_port}" for name, node_port in node_ports.items()}
        (self._folder / "nginx.conf").write_text(nginx_config(addresses, listen=listen))
        command = [str(nginx), "-p", f"{self._folder}/", "-c", "nginx.conf", "-e", "nginx.log"]
        self._launch("nginx", command, cwd=self._folder, environment=os.environ)
        self.wait_until_ready("nginx", port, host=LOCAL if host in ("0.0.0.0", "::") else host)

    def wait_until_ready(self, name: str, port: int, *, host: str = LOCAL) -> None:
        shown = f"[{host}]" if ":" in host else host
        give_up_s = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < give_up_s and self._running[name].poll() is None:
            try:
                with urlopen(f"http://{shown}:{port}/ready", timeout=5):
                    return
            except (URLError, ConnectionError, TimeoutError):
                time.sleep(0.05)
        raise CliError(f"{name} does not start: {self._folder / name}.log says why")

    def watch(self) -> None:
        """Returns at Ctrl-C, or when no node is left. Raises CliError when nginx has ended."""
        try:
            while any(name.startswith("n") and name != "nginx" for name in self._running):
                time.sleep(LOOK_EVERY_S)
                for name, process in list(self._running.items()):
                    if process.poll() is not None:
                        del self._running[name]
                        report(f"{name} (pid {process.pid}) has ended, the others go on")
                        if name == "nginx":
                            raise CliError(f"nginx has ended: {self._folder / name}.log says why")
        except KeyboardInterrupt:
            return

    def stop(self) -> None:
        """Stops nodes and workers at once, then nginx: nodes tell their clients through it that they stop."""
        nodes = {name: process for name, process in self._running.items() if name != "nginx"}
        nginx = {name: process for name, process in self._running.items() if name == "nginx"}
        for group in (nodes, nginx):
            for process in group.values():
                process.send_signal(signal.SIGTERM)
            give_up_s = time.monotonic() + STOP_TIMEOUT_S
            for process in group.values():
                try:
                    process.wait(max(0.0, give_up_s - time.monotonic()))
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        self._running.clear()

    def _launch(self, name: str, command: list[str], *, cwd: Path, environment: Mapping[str, str]) -> None:
        with open(self._folder / f"{name}.log", "wb") as log:
            self._running[name] = subprocess.Popen(
                command,
                cwd=cwd,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C must reach the parent only, which stops them in order
                preexec_fn=terminate_with_parent(),
            )


@contextmanager
def _processes(folder: Path) -> Iterator[_Processes]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    processes = _Processes(folder.resolve())
    try:
        yield processes
    finally:
        processes.stop()


def _environment(settings: Settings) -> dict[str, str]:
    """The environment that all nodes and workers share."""
    return {
        **os.environ,
        "HOST": LOCAL,
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "DATA_DIR": str(settings.data_dir),
        "TRUSTED_PROXIES": f"{LOCAL}/32",
        "LOG_FORMAT": "json",
    }


def _free_ports(first: int, count: int) -> list[int]:
    """Free ports from `first` upwards, or any free ports for 0."""
    found: list[int] = []
    port = first
    while len(found) < count:
        try:
            with socket.create_server((LOCAL, port)) as probe:
                taken = int(probe.getsockname()[1])
        except (OSError, OverflowError):
            taken = -1
        if taken > 0 and taken not in found:
            found.append(taken)
        port = port + 1 if 0 < port < 65_535 else 0
    return found


def _summary(
    settings: Settings, port: int, node_ports: Mapping[str, int], processes: _Processes, login: DemoLogin | None
) -> list[str]:
    shown = "localhost" if settings.host in ("0.0.0.0", "::", LOCAL, "::1") else settings.host
    lines = [
        f"Rookery is running on {len(node_ports)} nodes behind nginx",
        "",
        f"Open        http://{shown}:{port}/",
        f"Sockets     ws://{shown}:{port}/socket.io/",
        f"REST        http://{shown}:{port}/v1",
        "",
    ]
    for name, node_port in node_ports.items():
        lines.append(f"Node {name}     http://{LOCAL}:{node_port}  pid {processes.pid(name)}")
    for name in processes.names:
        if name.startswith("w"):
            lines.append(f"Worker {name}   pid {processes.pid(name)}")
    lines += ["", f"Logs        {settings.data_dir / 'cluster'}"]
    if login is not None:
        lines.append(f"Demo login  {login.username} / {login.password}")
    first = processes.pid(next(iter(node_ports)))
    return [
        *lines,
        "",
        f"Kill a node with      kill -9 {first}",
        f"Let it drain with     kill {first}",
        "Stop everything with  Ctrl-C",
    ]
