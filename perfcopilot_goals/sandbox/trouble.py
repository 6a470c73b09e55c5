"""The trouble that `sandbox --fault-percent` makes: some calls fail, as any service's do now and then.

Trouble of one's own is any `Fault`: a function of the request and the regular response that returns what goes out in
its place. Tests have many.
"""

import random

from perfcopilot_goals.sandbox.exchange import Fault, Raw, Request, Response, error_response


def now_and_then(share: float) -> Fault:
    """That share of all calls fails: by the call's number with a 503 or a body cut in half, always the same ones."""
    unavailable = error_response(503, "Something went wrong")

    def trouble(request: Request, response: Response) -> Response | Raw:
        # A refusal for haste stays one: the share is of what would have been answered.
        if response.status != 200 or random.Random(request.number).random() >= share:
            return response
        if request.number % 2:
            return Raw(response.status, [response.head() + response.body[: len(response.body) // 2]])
        return unavailable

    return trouble
