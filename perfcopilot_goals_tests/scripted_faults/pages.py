"""Lists that mislead: pages in a circle, without end, too short, with a row twice, with a next page elsewhere.

A fault that remembers something serves one list at a time: make a new one for each sandbox.
"""

import itertools
import json
from collections.abc import Callable
from typing import Any

from perfcopilot_goals.sandbox.exchange import Fault, Json, Request, Response, json_response
from perfcopilot_goals_tests.scripted_faults.responses import edit, with_json


def edit_rows(change: Callable[[Json], Any]) -> Fault:
    """The regular list with every row passed through `change`."""
    return edit(lambda body: {**body, "data": [change(row) for row in body["data"]]})


def foreign_next_page(base_url: str) -> Fault:
    """`next_page.uri` leads to another host; offset and path stay true."""

    def change(body: Any) -> Any:
        following = body.get("next_page")
        return body if not following else {**body, "next_page": {**following, "uri": base_url + following["path"]}}

    return edit(change)


def loop_offsets(period: int = 1) -> Fault:
    """Pages in a circle: after `period` offsets, the next page is the first of them again."""
    used: list[str] = []

    def fault(request: Request, response: Response) -> Response:
        if (offset := request.query.get("offset")) is not None:
            used.append(offset)
        return _followed_by(request, response, used[-period]) if len(used) >= period else response

    return fault


def endless_pages() -> Fault:
    """Every page is empty and names another one, with an offset never seen before."""
    numbers = itertools.count(1)
    return lambda request, _: _followed_by(request, json_response({"data": []}), f"further-{next(numbers)}")


def short_pages(rows: int = 0) -> Fault:
    """Each regular page comes as two: its first `rows` rows, none by default, then the rest. Nothing is lost."""
    rests: dict[str, Response] = {}
    numbers = itertools.count(1)

    def fault(request: Request, response: Response) -> Response:
        if (rest := rests.get(request.query.get("offset", ""))) is not None:
            return rest
        if response.status != 200:
            return response
        body = json.loads(response.body)
        offset = f"rest-{next(numbers)}"
        rests[offset] = with_json(response, {**body, "data": body["data"][rows:]})
        return _followed_by(request, with_json(response, {**body, "data": body["data"][:rows]}), offset)

    return fault


def repeat_last_row(**changes: Any) -> Fault:
    """Each page after the first begins with the last row of the page before it, `changes` applied."""
    last: list[Json] = []

    def fault(request: Request, response: Response) -> Response:
        body = json.loads(response.body)
        rows = body["data"]
        if last and "offset" in request.query:
            rows = [{**last.pop(), **changes}, *rows]
        last[:] = rows[-1:]
        return with_json(response, {**body, "data": rows})

    return fault


def _followed_by(request: Request, response: Response, offset: str) -> Response:
    return with_json(response, {**json.loads(response.body), "next_page": request.next_page(offset)})


def pages_of(rows: list[Any], sizes: list[int]) -> Fault:
    """The list in pages of these sizes (0 to 100), and the rest in one more."""
    ends = [0]
    for size in sizes:
        ends.append(min(ends[-1] + size, len(rows)))
    ends.append(len(rows))

    def fault(request: Request, _: Response) -> Response:
        page = int(request.query.get("offset", "0"))
        following = request.next_page(str(page + 1)) if page + 2 < len(ends) else None
        return json_response({"data": rows[ends[page] : ends[page + 1]], "next_page": following})

    return fault
