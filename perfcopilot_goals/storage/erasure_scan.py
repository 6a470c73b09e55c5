"""The leftovers search: where a text still stands in both schemas and in the files of the local state.

It shows that an erased person is gone. It reads everything, also values that the rest of the program never looks at:
binary columns, and the column values in the planner's statistics.
"""

import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

import sqlalchemy as sa
from psycopg import sql

from perfcopilot_goals.core.erasure import spellings
from perfcopilot_goals.domain.employee import address_of, fold
from perfcopilot_goals.schemas import SCHEMA
from perfcopilot_goals.schemas.tables import sql_table
from perfcopilot_goals.settings import Settings
from perfcopilot_goals.storage.database import DAGSTER_SCHEMA, Database, driver
from perfcopilot_goals.storage.local_files import local_files

_SCHEMAS = [DAGSTER_SCHEMA, SCHEMA]
_EMPLOYEES = sql_table("employees")
_STATISTICS = (
    "select schemaname || '.' || tablename || '.' || attname, "
    "coalesce(most_common_vals::text, '') || coalesce(histogram_bounds::text, '') from pg_stats "
    "where schemaname = any(%s)"
)


def scan_for_leftovers(database: Database, settings: Settings, canaries: Sequence[str]) -> dict[str, list[str]]:
    """The places of each text that still stands somewhere, in any case and also as JSON escapes it.

    A roster's longer id that contains the text is somebody else's: E003 is not found in E0031. Nor is it found in a
    hash.
    """
    if not canaries:
        return {}
    with database.connect("reading the rosters") as conn:
        rows = conn.execute(sa.select(_EMPLOYEES.c.employee_id, _EMPLOYEES.c.asana_user_gid))
        ids = [i for row in rows for i in row if i]
    searches = {canary: _Search(canary, ids) for canary in canaries if canary}
    found: dict[str, list[str]] = {}
    for place, value in _values(database, settings):
        for canary, search in searches.items():
            if place not in found.get(canary, []) and search.hits(value):
                found.setdefault(canary, []).append(place)
    return found


# Dagster's run ids and data versions. One in a few hundred holds a short id such as E003 by chance.
_HASH = re.compile(r"(?<!\w)(?:(?=\w*[a-f])[0-9a-f]{32,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?!\w)")


class _Search:
    """One text to look for, in any case. An e-mail address is compared as in a mapping."""

    def __init__(self, canary: str, ids: Iterable[str]) -> None:
        self._fold = fold if address_of(canary) else str.casefold
        self._spellings = {self._fold(spelling) for spelling in spellings(canary)}
        longer = {self._fold(i) for i in ids if self._fold(canary) in self._fold(i) and len(i) > len(canary)}
        # Longest first: a regular expression takes the first alternative that fits.
        names = "|".join(map(re.escape, sorted(longer, key=len, reverse=True)))
        self._others = re.compile(rf"(?<!\w)(?:{names})(?!\w)") if longer else None

    def hits(self, value: str) -> bool:
        folded = self._fold(value)
        if not any(spelling in folded for spelling in self._spellings):
            return False
        rest = _HASH.sub("", self._others.sub("", folded) if self._others else folded)
        return any(spelling in rest for spelling in self._spellings)


def _values(database: Database, settings: Settings) -> Iterator[tuple[str, str]]:
    with database.connect("searching the database", snapshot=True, maintenance=True) as conn:
        for schema in _SCHEMAS:
            for (_, table), columns in sorted(sa.inspect(conn).get_multi_columns(schema=schema).items()):
                yield from _rows(conn, schema, str(table), [column["name"] for column in columns])
        for column, values in driver(conn).execute(_STATISTICS, [_SCHEMAS]):
            yield f"statistics of {column}", values
    for path in local_files(settings):
        place = str(path.relative_to(settings.home))
        yield place, place
        yield place, path.read_bytes().decode("utf-8", "replace")


def _rows(conn: sa.Connection, schema: str, table: str, columns: list[str]) -> Iterator[tuple[str, str]]:
    copy = sql.SQL("copy {} ({}) to stdout").format(
        sql.Identifier(schema, table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with driver(conn).cursor() as cursor, cursor.copy(copy) as dump:
        for row in dump.rows():
            for column, value in zip(columns, row, strict=True):
                if value is not None:
                    yield f"{schema}.{table}.{column}", _readable(value)


def _readable(value: str) -> str:
    """The value as text. The dump writes a binary one in hexadecimal; it is decoded, and decompressed if need be."""
    if not value.startswith("\\x"):
        return value
    with suppress(ValueError, zlib.error):
        packed = bytes.fromhex(value[2:])
        with suppress(zlib.error):
            packed = zlib.decompress(packed)
        return packed.decode("utf-8", "replace")
    return value
