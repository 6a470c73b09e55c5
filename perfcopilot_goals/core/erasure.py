"""Takes an erased person's ids out of texts about syncs: log lines, messages, check metadata, sensor cursors.

An id is found as an exact token: E003 is in "E003: 243", but not in "E0031" or "E003-b". `storage` finds these texts
and writes them back.
"""

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

MARK = "[erased]"

# Where Dagster's events and ticks hold our text. Anything else is Dagster's own names, which must stay readable.
_TEXTS = frozenset({"text", "message", "user_message", "description", "stack", "skip_reason"})
_METADATA = frozenset({"metadata", "metadata_entries", "run_config"})
_NAMES = frozenset({"__class__", "__enum__", "label"})
# Metadata that is our own JSON, so an id may also be one of its keys.
_JSON_METADATA = "JsonMetadataEntryData"
# The sync log's own names. An id may be a key beside them, but removing one of them would break the log.
_LOG_NAME = re.compile("[a-z_]+")
# Dagster stores a JSON document with a cursor in it. The cursor is JSON too, and may hold JSON again.
_NESTED = 3


# In the sync log: digests of slices, and the digest of the roster that a slice was made from.
_SLICE_DIGEST, _ROSTER_DIGEST = "sha256", "employees"


def without_digests(value: Any) -> Any:
    """What a sync recorded, without digests.

    A digest of a slice does not say who is in it. But with the other rows at hand somebody could guess the person's,
    and see by the digest whether the guess is right.
    """
    if isinstance(value, list):
        return [without_digests(item) for item in value]
    if not isinstance(value, dict):
        return value
    others = {name: without_digests(item) for name, item in value.items()}
    if isinstance(value.get(_ROSTER_DIGEST), str):
        others[_ROSTER_DIGEST] = MARK
    return others | ({_SLICE_DIGEST: None} if _SLICE_DIGEST in value else {})


class Redaction:
    """Takes one person's ids out of a connection's texts. Other people's ids stay whole, even if they contain one."""

    def __init__(self, connection: str, ids: Iterable[str], other_ids: Iterable[str] = ()) -> None:
        self._connection = connection
        self._ids = frozenset(ids)
        self._spellings = _all_spellings(self._ids)
        longer = {other for other in _all_spellings(other_ids) if any(i in other for i in self._spellings)}
        # The longest first: a regular expression takes the first alternative that fits.
        tokens = sorted(self._spellings | longer, key=lambda token: (-len(token), token))
        self._token = re.compile(rf"(?<![\w@-])(?<!\w\.)(?:{'|'.join(map(re.escape, tokens))})(?![\w@-]|\.\w)")

    def text(self, text: str) -> str:
        """The text with a mark in place of each id. If the whole text is JSON, it is read as JSON."""
        container = _parse_container(text)
        if container is not None:
            text = _rewritten(text, container, self._data(container))
        return self._marked(text)

    def masked(self, text: str) -> str:
        """The text with each id replaced by stars. Its length in UTF-8 stays the same."""
        return self._replace(text, lambda token: "*" * len(token.encode()))

    def event(self, document: str) -> str:
        """A Dagster event, tick or sensor state, in JSON, without the ids. What is not JSON stays as it is."""
        try:
            value = json.loads(document)
        except ValueError:
            return document
        return _rewritten(document, value, self._event(value, ""))

    def notes(self, value: Any) -> Any:
        """A sync's counts or receipt without the ids and without digests.

        From a list of ids, or a count by id, the person's entry is removed.
        """
        return self._without(without_digests(value), lambda name: _LOG_NAME.fullmatch(name) is not None)

    def cursor(self, cursor: str) -> str:
        """A sensor's cursor without the person's entries.

        A cursor covers all connections. Another connection may have an employee with the same id, so only the part
        under this connection's name is changed.
        """
        container = _parse_container(cursor)
        return cursor if container is None else _rewritten(cursor, container, self._of_connection(container))

    def _event(self, value: Any, key: str) -> Any:
        if isinstance(value, dict):
            if value.get("__class__") == _JSON_METADATA:
                return value | {"data": self._data(value.get("data"))}
            below = {name: "text" if key == "text" or name in _METADATA else name for name in value}
            return {
                name: item if name in _NAMES and isinstance(item, str) else self._event(item, below[name])
                for name, item in value.items()
            }
        if isinstance(value, list):
            return [self._event(item, key) for item in value]
        if not isinstance(value, str):
            return value
        if key == "cursor":
            return self.cursor(value)
        return self.text(value) if key in _TEXTS else value

    def _data(self, value: Any) -> Any:
        """Our own JSON with a mark in place of each id, in keys and in values."""
        if isinstance(value, dict):
            return {self._marked(name): self._data(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self._data(item) for item in value]
        return self.text(value) if isinstance(value, str) else value

    def _of_connection(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                name: self._without(item) if name == self._connection else self._of_connection(item)
                for name, item in value.items()
            }
        if isinstance(value, list):
            return [self._of_connection(item) for item in value]
        return self.cursor(value) if isinstance(value, str) else value

    def _without(self, value: Any, is_kept: Callable[[str], bool] = lambda _: False) -> Any:
        """The value without the entries that belong to an id."""
        if isinstance(value, dict):
            return {
                name: self._without(item, is_kept)
                for name, item in value.items()
                if name not in self._ids or is_kept(name)
            }
        if isinstance(value, list):
            return [self._without(item, is_kept) for item in value if not (isinstance(item, str) and item in self._ids)]
        return self.text(value) if isinstance(value, str) else value

    def _marked(self, text: str) -> str:
        return self._replace(text, lambda _: MARK)

    def _replace(self, text: str, mark: Callable[[str], str]) -> str:
        return self._token.sub(lambda found: mark(found[0]) if found[0] in self._spellings else found[0], text)


def spellings(text: str) -> set[str]:
    """The text as it is, and as JSON may write it: with ASCII only or not, and in JSON within JSON."""
    found = {text}
    for _ in range(_NESTED):
        found |= {json.dumps(form, ensure_ascii=is_ascii)[1:-1] for form in found for is_ascii in (True, False)}
    return found


def _all_spellings(texts: Iterable[str]) -> set[str]:
    return {spelling for text in texts for spelling in spellings(text)}


def _parse_container(text: str) -> dict[str, Any] | list[Any] | None:
    """The text's JSON object or list; None if it is neither."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None


def _rewritten(document: str, before: Any, after: Any) -> str:
    """The changed document as JSON. If nothing changed, the document byte for byte as it was."""
    return document if before == after else json.dumps(after)
