"""A clock whose waits take no time, and clients that are closed when the test ends."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from perfcopilot_goals.asana.client import AsanaClient
from perfcopilot_goals.sandbox import Sandbox
from perfcopilot_goals_tests.asana.canaries import TOKEN
from perfcopilot_goals_tests.clock import FakeClock

Connect = Callable[..., AsanaClient]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def connect(clock: FakeClock) -> Iterator[Connect]:
    """A client of a sandbox, or of a base URL. Its token is the canary, and it is hardly paced."""
    clients: list[AsanaClient] = []

    def connect(asana: Sandbox | str, **options: Any) -> AsanaClient:
        base_url = asana if isinstance(asana, str) else asana.base_url
        settings: dict[str, Any] = {"clock": clock, "jitter": lambda: 0.5, "requests_per_minute": 100_000} | options
        clients.append(AsanaClient(base_url, TOKEN, **settings))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()
