"""The trouble that `sandbox --fault-percent` makes: some calls fail, as any service's do now and then.

For other trouble write a `Fault`: a function that takes the request and the regular response, and returns what goes out
in its place. The tests have many.
"""

import random

from perfcopilot_goals.sandbox.exchange import Fault, Raw, Request, Response, error_response


def now_and_then(share: float) -> Fault:
    """This share of all calls fails, with a 503 or with a body cut in half. By number, it is always the same calls."""
    unavailable = error_response(503, "Something went wrong")

    def trouble(request: Request, response: Response) -> Response | Raw:
        # Only calls that would succeed can fail here: a 429 stays a 429.
        if response.status != 200 or random.Random(request.number).random() >= share:
            return response
        if request.number % 2:
            return Raw(response.status, [response.head() + response.body[: len(response.body) // 2]])
        return unavailable

    return trouble
