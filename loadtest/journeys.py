"""The users of a load test: one kind uses a socket, the other REST and long-polling. Both do the same."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import gevent
import socketio
from gevent.event import Event
from locust import User, constant_pacing, task
from locust.contrib.fasthttp import FastHttpUser

from loadtest.mix import choose
from loadtest.people import Login, People
from loadtest.stamp import age_ms, stamped

NAMESPACES = ["/users", "/posts", "/feed", "/chat"]
CALL_TIMEOUT_S = 30
FAST_SOCKET = {"skip_utf8_validation": True}
"""The client would check UTF-8 byte by byte in Python: that was half of the load generator's CPU."""
POLL_TIMEOUT_S = 50
DELIVERED = "PUSH"


class CliError(Exception):
    """A command was answered with an error."""


class Journey(User):
    """A user who reads the feed, posts, likes, follows and writes, at a steady pace.

    `people`, `profile`, `pause_s` (the time between two commands) and `all_connected` (users wait for it before they
    act) are set on the class before the run. Subclasses define how a command is called.
    """

    abstract = True
    people: People
    profile: str
    pause_s: float
    all_connected: Event

    def wait_time(self) -> float:
        return self._pacing(self)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.login: Login = self.people.next_login()
        self._chooser = random.Random(self.login.user_id)
        self._seen: list[str] = []
        self._conversations: list[str] = []
        self._follows = False
        self._pacing = constant_pacing(self.pause_s)

    def command(self, namespace: str, name: str, payload: dict[str, Any]) -> dict[str, Any]:
        """The data of a command; raises CliError."""
        raise NotImplementedError

    def wait_until_all_connected(self) -> None:
        """Returns at a random moment after all users are connected.

        Connecting blocks the generator: users who waited meanwhile would act at the same moment of each second.
        """
        self.all_connected.wait()
        gevent.sleep(self._chooser.random() * self.pause_s)

    @task
    def act(self) -> None:
        try:
            getattr(self, f"_{choose(self.profile, self._chooser)}")()
        except CliError:
            pass  # the measurement has counted it as a failure

    def measure_push(self, name: str, data: dict[str, Any]) -> None:
        """Records how long a push took, if its post or message is stamped."""
        carried = data.get("post") or data.get("message") or {}
        took_ms = age_ms(carried.get("text", ""))
        if took_ms is not None:
            self.environment.events.request.fire(
                request_type=DELIVERED, name=name, response_time=took_ms, response_length=0, exception=None, context={}
            )

    def _page(self) -> None:
        page = self.command("/feed", "feed:page", {})
        self._seen = [post["id"] for post in page["items"]] or self._seen

    def _post(self) -> None:
        self.command("/posts", "post:create", {"text": stamped("A post under load")})

    def _like(self) -> None:
        if not self._seen:
            return self._page()
        self.command("/posts", "post:like", {"post_id": self._chooser.choice(self._seen)})

    def _follow(self) -> None:
        """Follows and unfollows the same person by turns, so that the graph stays as it is."""
        other = self.people.login_at(int(self.login.user_id) % 997)
        if other.user_id == self.login.user_id:
            return self._page()
        self._follows = not self._follows
        self.command("/users", "user:follow" if self._follows else "user:unfollow", {"user_id": other.user_id})

    def _message(self) -> None:
        if not self._conversations:
            items = self.command("/chat", "conversation:list", {})["items"]
            self._conversations = [conversation["id"] for conversation in items]
        if not self._conversations:
            return self._page()
        conversation_id = self._chooser.choice(self._conversations)
        payload = {"conversation_id": conversation_id, "text": stamped("A message under load")}
        self.command("/chat", "message:send", payload)


class SocketJourney(Journey):
    """A user on one WebSocket, with the official Python client."""

    def on_start(self) -> None:
        self._client = socketio.Client(reconnection=False, websocket_extra_options=FAST_SOCKET)
        for namespace in NAMESPACES:
            self._client.on("*", self._hear, namespace=namespace)
        self._client.connect(
            self.host,
            auth={"token": self.login.access_token},
            namespaces=NAMESPACES,
            transports=["websocket"],
            wait_timeout=CALL_TIMEOUT_S,
        )
        self.command("/feed", "feed:subscribe", {})
        self.wait_until_all_connected()

    def on_stop(self) -> None:
        self._client.disconnect()

    def command(self, namespace: str, name: str, payload: dict[str, Any]) -> dict[str, Any]:
        with self.environment.events.request.measure("SOCKET", name):
            return data_of(self._client.call(name, payload, namespace=namespace, timeout=CALL_TIMEOUT_S))

    def _hear(self, event: str, data: dict[str, Any]) -> None:
        self.measure_push(event, data)


class PollingJourney(Journey, FastHttpUser):
    """A user on REST, with a long-poll beside it."""

    network_timeout = POLL_TIMEOUT_S + 10
    connection_timeout = CALL_TIMEOUT_S

    def on_start(self) -> None:
        self._headers = {"Authorization": f"Bearer {self.login.access_token}", "Content-Type": "application/json"}
        self._routes: dict[str, Callable[[dict[str, Any]], tuple[str, str]]] = {
            "feed:page": lambda payload: ("GET", "/v1/feed"),
            "post:create": lambda payload: ("POST", "/v1/posts"),
            "post:like": lambda payload: ("POST", f"/v1/posts/{payload.pop('post_id')}/likes"),
            "user:follow": lambda payload: ("POST", f"/v1/users/{payload.pop('user_id')}/follow"),
            "user:unfollow": lambda payload: ("DELETE", f"/v1/users/{payload.pop('user_id')}/follow"),
            "conversation:list": lambda payload: ("GET", "/v1/conversations"),
            "message:send": lambda payload: (
                "POST",
                f"/v1/conversations/{payload.pop('conversation_id')}/messages",
            ),
        }
        self._polls = gevent.spawn(self._poll_for_ever)
        self.wait_until_all_connected()

    def on_stop(self) -> None:
        self._polls.kill()

    def command(self, namespace: str, name: str, payload: dict[str, Any]) -> dict[str, Any]:
        payload = dict(payload)
        method, path = self._routes[name](payload)
        body = payload if method == "POST" else None
        with self.client.request(
            method, path, json=body, headers=self._headers, name=name, catch_response=True
        ) as response:
            try:
                return data_of(response.json())
            except (CliError, ValueError) as error:
                response.failure(error)
                raise CliError(str(error)) from None

    def _poll_for_ever(self) -> None:
        cursor = ""
        while True:
            path = f"/v1/events?timeout_s={POLL_TIMEOUT_S}&cursor={cursor}"
            with self.client.get(path, headers=self._headers, name="poll", catch_response=True) as response:
                try:
                    data = data_of(response.json())
                except (CliError, ValueError) as error:
                    response.failure(error)
                    gevent.sleep(1)
                    continue
            for event in data["events"]:
                self.measure_push(event["name"], event["data"])
            cursor = data["cursor"]


def data_of(answer: Any) -> dict[str, Any]:
    """The data of an answer; raises CliError."""
    if not isinstance(answer, dict) or not answer.get("ok"):
        raise CliError(str(answer))
    data: dict[str, Any] = answer["data"]
    return data
