"""An erased person's ids taken out of text that others wrote: log lines, messages, check metadata, sensor cursors.

By exact token: E003 is in "E003: 243" and neither in "E0031" nor in "E003-b". Where such text is kept, and how it is
written back, is the business of `storage`.
"""

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

MARK = "[erased]"

# Where Dagster's events and ticks hold text of ours; what stands elsewhere are its own names, which must stay readable.
_TEXTS = frozenset({"text", "message", "user_message", "description", "stack", "skip_reason"})
_METADATA = frozenset({"metadata", "metadata_entries", "run_config"})
_NAMES = frozenset({"__class__", "__enum__", "label"})
# Metadata that is JSON of ours, so an id may also be a key of it.
_JSON_METADATA = "JsonMetadataEntryData"
# What the sync log calls its figures. An id may be a key beside these, and the log breaks if one of these goes.
_LOG_NAME = re.compile("[a-z_]+")
# Dagster keeps a document that holds a cursor that is JSON, in which there may be JSON again.
_NESTED = 3


class Redaction:
    """Takes these ids of a connection's person out. Those of other people, which may hold one of them, stay whole."""

    def __init__(self, connection: str, ids: Iterable[str], other_ids: Iterable[str] = ()) -> None:
        self._connection = connection
        self._ids = frozenset(ids)
        self._spellings = _all_spellings(self._ids)
        longer = {other for other in _all_spellings(other_ids) if any(i in other for i in self._spellings)}
        # The longest first, as the first alternative that fits is taken.
        tokens = sorted(self._spellings | longer, key=lambda token: (-len(token), token))
        self._token = re.compile(rf"(?<![\w@-])(?<!\w\.)(?:{'|'.join(map(re.escape, tokens))})(?![\w@-]|\.\w)")

    def text(self, text: str) -> str:
        """The text with a mark in place of each id. Text that is JSON as a whole is read as such."""
        container = _parse_container(text)
        if container is not None:
            text = _rewritten(text, container, self._data(container))
        return self._marked(text)

    def masked(self, text: str) -> str:
        """The text with each id starred out, as long in UTF-8 as it was."""
        return self._replace(text, lambda token: "*" * len(token.encode()))

    def event(self, document: str) -> str:
        """An event, a tick or a sensor's state of Dagster's, in JSON, without the ids; what is no JSON, as it is."""
        try:
            value = json.loads(document)
        except ValueError:
            return document
        return _rewritten(document, value, self._event(value, ""))

    def notes(self, value: Any) -> Any:
        """What a sync noted, without the ids; from a list of ids, or a figure for each id, the entry goes."""
        return self._without(value, lambda name: _LOG_NAME.fullmatch(name) is not None)

    def cursor(self, cursor: str) -> str:
        """A sensor's cursor without the person's entries.

        Cursors are of all connections at once. Another one may have an employee with the same id, so only what stands
        under this connection's name is looked at.
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
        """JSON of ours with a mark in place of each id, be it a key or in a value."""
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
        """The value without the entries that are an id's."""
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
    """The text as it is and as JSON writes it, with ASCII only or not, also in JSON within JSON."""
    found = {text}
    for _ in range(_NESTED):
        found |= {json.dumps(form, ensure_ascii=is_ascii)[1:-1] for form in found for is_ascii in (True, False)}
    return found


def _all_spellings(texts: Iterable[str]) -> set[str]:
    return {spelling for text in texts for spelling in spellings(text)}


def _parse_container(text: str) -> dict[str, Any] | list[Any] | None:
    """The object or list that the text is in JSON, if it is one."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None


def _rewritten(document: str, before: Any, after: Any) -> str:
    """What is left of the document; byte for byte as it was where nothing of it went."""
    return document if before == after else json.dumps(after)
