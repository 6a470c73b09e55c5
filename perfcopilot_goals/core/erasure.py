"""An erased person's ids taken out of text that others wrote: log lines, messages, the metadata of checks.

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
_METADATA = frozenset({"metadata", "metadata_entries"})
_NAMES = frozenset({"__class__", "__enum__", "label"})


class Redaction:
    """Takes these ids out. Those of other people, which may hold one of them, are left whole."""

    def __init__(self, ids: Iterable[str], other_ids: Iterable[str] = ()) -> None:
        self._ids = frozenset(ids)
        longer = {other for other in other_ids if any(i in other for i in self._ids)} - self._ids
        # The longest first, as the first alternative that fits is taken.
        tokens = sorted(self._ids | longer, key=lambda token: (-len(token), token))
        self._token = re.compile(rf"(?<![\w@-])(?<!\w\.)(?:{'|'.join(map(re.escape, tokens))})(?![\w@-]|\.\w)")

    def text(self, text: str) -> str:
        """The text with a mark in place of each id."""
        return self._replace(text, lambda _: MARK)

    def masked(self, text: str) -> str:
        """The text with each id starred out, as long in UTF-8 as it was."""
        return self._replace(text, lambda token: "*" * len(token.encode()))

    def event(self, document: str) -> str:
        """An event or a tick of Dagster's, in JSON, without the ids; what is no JSON, as it is."""
        try:
            value = json.loads(document)
        except ValueError:
            return document
        redacted = self._event(value, "")
        return document if redacted == value else json.dumps(redacted)

    def notes(self, value: Any) -> Any:
        """What a sync noted, without the ids; from a list of ids they are gone."""
        if isinstance(value, dict):
            return {key: self.notes(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.notes(item) for item in value if not (isinstance(item, str) and item in self._ids)]
        return self.text(value) if isinstance(value, str) else value

    def _event(self, value: Any, key: str) -> Any:
        if isinstance(value, dict):
            below = {name: "text" if key == "text" or name in _METADATA else name for name in value}
            return {name: item if name in _NAMES else self._event(item, below[name]) for name, item in value.items()}
        if isinstance(value, list):
            return [self._event(item, key) for item in value]
        return self.text(value) if isinstance(value, str) and key in _TEXTS else value

    def _replace(self, text: str, mark: Callable[[str], str]) -> str:
        return self._token.sub(lambda found: mark(found[0]) if found[0] in self._ids else found[0], text)
