"""How ids are listed for people, in errors and checks alike."""

from collections.abc import Sequence

IDS_SHOWN = 10


def show_ids(ids: Sequence[str], count: int | None = None) -> str:
    """The first ten ids, and `… and N more` if there are more. `count` is how many there are, if not all are given."""
    count = len(ids) if count is None else count
    more = [f"… and {count - IDS_SHOWN:,} more"] if ids and count > IDS_SHOWN else []
    return ", ".join([*ids[:IDS_SHOWN], *more])
