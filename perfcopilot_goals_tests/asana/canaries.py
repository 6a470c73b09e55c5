"""Planted secrets, and `raises`: an expected error must hold none of them, wherever one looks.

Every test of this folder that expects an error uses `raises`. Canaries go into tokens, goals' names and bodies. A
test's own source must not spell them out, because a formatted traceback shows source lines.
"""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from perfcopilot_goals.errors import GoalsError

TOKEN = "1/1201-canary-of-the-token"
GOAL_NAME = "Canary: put Bob on a plan"
BODY = "canary-in-a-body"
SECRETS = (TOKEN, GOAL_NAME, BODY)


@contextmanager
def raises(kind: type[GoalsError], *words: str) -> Iterator[pytest.ExceptionInfo[GoalsError]]:
    """Expect an error of exactly this kind that has each of these words and no secret."""
    with pytest.raises(kind) as caught:
        yield caught
    assert_tells_nothing(caught.value)
    assert type(caught.value) is kind
    said = str(caught.value)
    assert said.startswith(f"{kind.__name__}: ")
    for word in words:
        assert word in said


def assert_tells_nothing(error: BaseException, secrets: tuple[str, ...] = SECRETS) -> None:
    """Assert that no secret is in the error or its causes, as a log, Dagster or a person would see them."""
    shown = ["".join(traceback.format_exception(error))]
    for one in _chain(error):
        shown += [str(one), repr(one), repr(one.args), repr(vars(one)), repr(getattr(one, "__notes__", []))]
    for secret in secrets:
        assert not [text for text in shown if secret in text]


def _chain(error: BaseException) -> Iterator[BaseException]:
    left: list[BaseException | None] = [error]
    while left:
        one = left.pop()
        if one is not None:
            yield one
            left += [one.__cause__, None if one.__suppress_context__ else one.__context__]
