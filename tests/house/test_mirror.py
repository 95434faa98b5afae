"""Each product module has its tests in the matching place, or this file names the place."""

from pathlib import Path

from tests.house.checkout import CHECKOUT, product_modules

DECLARATIONS = {"__init__.py", "contract.py", "models.py", "views.py", "feature.py"}
"""Modules that decide nothing: the tests in tests/contract/ cover all declarations, and every test of an operation
covers the models and views of its feature."""

TESTED_ELSEWHERE = {
    "server/documents/compatibility/rest_changes.py": "tests/server/documents/compatibility/test_breaks.py",
    "server/documents/compatibility/schema_forms.py": "tests/server/documents/compatibility/test_schema_containment.py",
    "server/documents/compatibility/socket_changes.py": "tests/server/documents/compatibility/test_breaks.py",
    "handlers/accounts/state_contract.py": "tests/handlers/accounts/test_deletion.py",
    "handlers/accounts/credentials.py": "tests/handlers/accounts/test_login.py",
    "handlers/chat/direct_contract.py": "tests/handlers/chat/test_direct.py",
    "handlers/chat/sync_contract.py": "tests/handlers/chat/test_sync.py",
    "handlers/collections.py": "tests/handlers/sync/test_operations.py",
    "handlers/context.py": "tests/contract/test_callers.py",
    "handlers/mentions.py": "tests/handlers/posts/test_entities.py",
    "handlers/text/span.py": "tests/handlers/text/test_conformance.py",
    "handlers/feature.py": "tests/server/pipeline/test_dispatch.py",
    "handlers/posts/rooms.py": "tests/handlers/posts/test_watching.py",
    "handlers/subjects.py": "tests/recovery/test_withdrawn.py",
    "handlers/ports.py": "tests/contract/test_callers.py",
    "realtime/contract/rest.py": "tests/contract/test_older_clients.py",
    "realtime/pubsub/backplane.py": "tests/conformance/test_backplane.py",
    "realtime/pubsub/memory_backplane.py": "tests/conformance/test_backplane.py",
    "realtime/engine/recovery/missed_pushes.py": "tests/recovery/test_stalled.py",
    "realtime/engine/protocol/codec.py": "tests/realtime/engine/protocol/test_encoded_push.py",
    "realtime/engine/connections/connect_handler.py": "tests/protocol/test_connect.py",
    "realtime/engine/session/connection.py": "tests/realtime/engine/session/test_session.py",
    "realtime/engine/drain_state.py": "tests/server/transports/test_drain.py",
    "realtime/engine/options.py": "tests/protocol/test_handshake.py",
    "realtime/engine/session/policy.py": "tests/protocol/test_connect.py",
    "realtime/engine/connections/session_manager.py": "tests/protocol/test_connect.py",
    "realtime/engine/connections/polling_requests.py": "tests/protocol/test_polling.py",
    "realtime/engine/recovery/recoverable_sessions.py": "tests/realtime/engine/recovery/test_recovery.py",
    "realtime/engine/session/transport.py": "tests/realtime/engine/websocket/test_transport.py",
    "realtime/contract/declarations.py": "tests/server/pipeline/test_registry.py",
    "handlers/cursor.py": "tests/handlers/sync/test_operations.py",
    "realtime/contract/collections.py": "tests/handlers/sync/test_operations.py",
    "realtime/contract/connection_pushes.py": "tests/contract/test_pushes.py",
    "realtime/contract/unparseable.py": "tests/contract/test_bad_input.py",
    "sql/execution/joined_query.py": "tests/sql/test_joining.py",
    "sql/execution/joining.py": "tests/sql/test_joining.py",
    "sql/execution/joined_reads.py": "tests/sql/test_joining.py",
    "realtime/limits/limiter.py": "tests/conformance/test_limits.py",
    "realtime/contract/identity.py": "tests/server/accounts/test_tokens.py",
    "realtime/handoff/session_migration.py": "tests/recovery/test_another_node.py",
    "realtime/handoff/session_directory.py": "tests/recovery/test_another_node.py",
    "server/documents/page/console.py": "tests/browser/test_docs.py",
    "server/documents/page/diagrams.py": "tests/server/documents/page/test_render.py",
    "server/documents/page/listing.py": "tests/server/documents/page/test_render.py",
    "server/transports/lazy_document.py": "tests/server/transports/test_documents.py",
    "server/documents/openapi_events.py": "tests/server/documents/test_openapi.py",
    "server/documents/openapi_probes.py": "tests/server/documents/test_openapi.py",
    "server/transports/events/sessions.py": "tests/server/transports/events/test_long_polling.py",
    "server/transports/events/tickets.py": "tests/server/transports/events/test_event_stream.py",
    "server/transports/rest_payload.py": "tests/server/transports/test_rest.py",
    "server/__main__.py": "tests/server/test_main.py",
    "server/commands/backing_services.py": "tests/server/test_main.py",
    "server/cli_error.py": "tests/server/test_main.py",
    "server/commands/migrate.py": "tests/server/test_main.py",
    "server/commands/process.py": "tests/server/test_main.py",
    "server/commands/reset.py": "tests/server/test_main.py",
    "server/commands/up.py": "tests/server/test_main.py",
    "server/composition/accounts.py": "tests/server/composition/test_node.py",
    "server/composition/clients.py": "tests/server/composition/test_node.py",
    "server/composition/context.py": "tests/server/composition/test_node.py",
    "server/composition/facts.py": "tests/server/composition/test_node.py",
    "server/composition/messaging.py": "tests/server/composition/test_node.py",
    "server/composition/pipeline.py": "tests/server/composition/test_node.py",
    "server/composition/storage.py": "tests/server/composition/test_node.py",
    "server/rooms/room_resync_queue.py": "tests/server/rooms/test_room_resync.py",
    "handlers/accounts/connection_notices.py": "tests/server/accounts/test_token_watch.py",
    "server/clock.py": "tests/handlers/accounts/test_live_connections.py",
    "server/features.py": "tests/contract/test_callers.py",
    "server/transports/http_server.py": "tests/server/transports/test_sockets.py",
    "server/pipeline/no_session.py": "tests/handlers/feed/test_operations.py",
    "server/pipeline/services.py": "tests/handlers/feed/test_consumers.py",
    "server/pipeline/operator.py": "tests/handlers/accounts/test_acts.py",
    "server/pipeline/publisher.py": "tests/server/test_publish_fails.py",
    "server/pipeline/reactions.py": "tests/server/worker/test_worker.py",
    "server/worker/batches.py": "tests/server/worker/test_worker.py",
    "server/worker/consumer_loop.py": "tests/server/worker/test_worker.py",
    "server/worker/lane_leases.py": "tests/server/worker/test_worker.py",
    "server/worker/lanes.py": "tests/server/worker/test_worker.py",
    "realtime/redis/stream_writer.py": "tests/server/worker/test_fact_stream.py",
    "server/version.py": "tests/server/monitoring/test_health.py",
    "sql/ledger.py": "tests/sql/test_migrate.py",
}
"""Modules whose guarantees only hold together with others."""


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
