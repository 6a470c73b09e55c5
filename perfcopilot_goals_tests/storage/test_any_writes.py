"""Any sequence of writes, also refused and failing ones, compared with a plain dict that does what is promised."""

import datetime as dt

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcopilot_goals.errors import GoalsError, GoalsGuardError, GoalsStoreError
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals_tests.core.examples import one_in
from perfcopilot_goals_tests.storage.examples import MONDAY, RAW, add, empty, gids, raw_goals, write

# A row with one of these names fails in the trap, as on a full disk or by a broken rule.
REFUSED = {"disk": "53100", "rule": "23514"}
TRAP = f"""
create function trap() returns trigger language plpgsql as $$ begin
  if new.name = 'disk' then raise exception 'full' using errcode = '{REFUSED["disk"]}'; end if;
  if new.name = 'rule' then raise exception 'broken' using errcode = '{REFUSED["rule"]}'; end if;
  return new;
end $$;
create trigger trap before insert on perfcopilot_goals.{RAW} for each row execute function trap();
"""
# Whose slice; how many hours after Monday the sync began; the GIDs that Asana has then; the fault, if any.
writes = st.lists(
    st.tuples(
        st.sampled_from(["acme", "globex"]),
        st.integers(0, 3),
        st.lists(st.sampled_from(["1", "2", "3", "4"]), max_size=4, unique=True),
        st.sampled_from([None, None, *REFUSED]),
    ),
    min_size=1,
    max_size=4,
)


@pytest.mark.hypothesis
@pytest.mark.fault("B11", "C27", "E10", "E17", "F7")
def test_after_any_writes_each_slice_is_the_last_accepted_one_and_never_an_older_one(
    fresh_url: str,
) -> None:
    """Each slice is old or new, the other connection's is untouched, deleted goals are gone, and time never goes back.

    Runs a tenth of the usual examples, because each is several transactions of a real Postgres.
    """
    with psycopg.connect(fresh_url) as conn:
        conn.execute(TRAP)
    store = Database(fresh_url)

    @one_in(10)
    @given(writes)
    def write_all(steps: list[tuple[str, int, list[str], str | None]]) -> None:
        empty(fresh_url)
        add(store, "acme", "globex")
        model: dict[str, tuple[int, list[str]]] = {"acme": (0, []), "globex": (0, [])}
        for number, (name, hours, listed, fault) in enumerate(steps):
            moment, old = model[name]
            expected: type[GoalsError] | None = None
            if hours < moment or (old and not listed):
                expected = GoalsGuardError
            elif fault and listed:
                expected = GoalsStoreError
            found = _write(store, name, number, hours, listed, fault)
            assert type(found) is (expected or type(None))
            if expected is None:
                model[name] = (hours, listed)
            assert {name: gids(store, name) for name in model} == {n: sorted(rows) for n, (_, rows) in model.items()}
            assert _moments(fresh_url) == {n: MONDAY + dt.timedelta(hours=h) for n, (h, rows) in model.items() if rows}

    write_all()


def _write(
    store: Database, name: str, number: int, hours: int, listed: list[str], fault: str | None
) -> GoalsError | None:
    """Write the list, with the fault in its last row; returns the error that ended the write, if any."""
    rows = raw_goals(*listed)
    if fault and listed:
        rows.loc[len(listed) - 1, "name"] = fault
    try:
        write(store, rows, name=name, run_id=f"run-{number}", synced_at=MONDAY + dt.timedelta(hours=hours))
    except GoalsError as error:
        return error
    return None


def _moments(url: str) -> dict[str, dt.datetime]:
    """The moment of each slice that has rows."""
    with psycopg.connect(url) as conn:
        rows = conn.execute(f"select distinct connection, synced_at from perfcopilot_goals.{RAW}").fetchall()
    assert len(dict(rows)) == len(rows), "a slice of two moments"
    return {name: moment.astimezone(dt.UTC) for name, moment in rows}
