"""Each product module has its tests where one looks for them, or it is said here where they are."""

from pathlib import Path

from tests.house.checkout import CHECKOUT, product_modules

DECLARATIONS = {"__init__.py", "contract.py", "models.py", "views.py", "feature.py"}
"""Hold no decisions of their own: the tests in tests/contract/ go through all that is declared, and every test of an
operation goes through the models and views of its feature."""

TESTED_ELSEWHERE = {
    "handlers/accounts/credentials.py": "tests/handlers/accounts/test_entering.py",
    "handlers/chat/direct_contract.py": "tests/handlers/chat/test_direct.py",
    "handlers/context.py": "tests/contract/test_callers.py",
    "handlers/feature.py": "tests/server/test_dispatch.py",
    "realtime/backplane.py": "tests/conformance/test_backplane.py",
    "realtime/backplane_memory.py": "tests/conformance/test_backplane.py",
    "realtime/engine/catching_up.py": "tests/recovery/test_stalled.py",
    "realtime/engine/codec.py": "tests/realtime/engine/test_push_frames.py",
    "realtime/engine/entrance.py": "tests/protocol/test_connect.py",
    "realtime/engine/nobody.py": "tests/recovery/test_stopping.py",
    "realtime/engine/options.py": "tests/protocol/test_handshake.py",
    "realtime/engine/policy.py": "tests/protocol/test_connect.py",
    "realtime/engine/sessions.py": "tests/protocol/test_connect.py",
    "realtime/engine/transport.py": "tests/realtime/engine/test_websocket.py",
    "realtime/identity.py": "tests/server/test_auth.py",
    "realtime/session_exchange.py": "tests/recovery/test_another_node.py",
    "realtime/session_holders.py": "tests/recovery/test_another_node.py",
    "server/__main__.py": "tests/server/test_main.py",
    "server/commands/dependencies.py": "tests/server/test_main.py",
    "server/commands/failure.py": "tests/server/test_main.py",
    "server/commands/migrate.py": "tests/server/test_main.py",
    "server/commands/process.py": "tests/server/test_main.py",
    "server/commands/reset.py": "tests/server/test_main.py",
    "server/commands/up.py": "tests/server/test_main.py",
    "server/clock.py": "tests/handlers/accounts/test_live_connections.py",
    "server/features.py": "tests/contract/test_callers.py",
    "server/front.py": "tests/server/test_sockets.py",
    "server/nobody.py": "tests/handlers/feed/test_operations.py",
    "server/services.py": "tests/handlers/feed/test_consumers.py",
    "server/version.py": "tests/server/test_health.py",
    "sql/ledger.py": "tests/sql/test_migrate.py",
}
"""A module whose promises are kept only together with others."""


def _own_test(module: Path) -> Path:
    return Path("tests") / module.parent / f"test_{module.name}"


def test_every_module_is_tested() -> None:
    missing = [
        str(module)
        for module in product_modules()
        if module.name not in DECLARATIONS
        and str(module) not in TESTED_ELSEWHERE
        and not (CHECKOUT / _own_test(module)).exists()
    ]
    assert missing == []


def test_the_exceptions_are_true() -> None:
    for module, test in TESTED_ELSEWHERE.items():
        assert (CHECKOUT / module).exists(), f"{module} is gone"
        assert (CHECKOUT / test).exists(), f"{test} is gone"
        assert not (CHECKOUT / _own_test(Path(module))).exists(), f"{module} has a test of its own now"
