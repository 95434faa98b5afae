"""Code to copy."""

from server.documents.page.samples import code_samples
from server.features import FEATURES
from server.pipeline.registry import Registry


def test_code_is_for_the_route_and_the_event_of_the_command() -> None:
    bound = Registry(FEATURES).find("/posts", "post:like")
    assert bound is not None
    post_id = bound.command.example["post_id"]
    curl, javascript, python = code_samples(bound.command)
    assert curl.code.startswith(f"curl -X POST \\\n  http://localhost:8000/v1/posts/{post_id}/likes \\\n")
    assert f'emitWithAck("post:like", {{ post_id: "{post_id}" }})' in javascript.code
    compile(python.code, "sample", "exec")
    assert f'call("post:like", {{"post_id": "{post_id}"}})' in python.code
