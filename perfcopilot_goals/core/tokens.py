"""What keeps a text from being an Asana token, told by its kind and never by its content.

Where a token is kept and who may read it is `services.tokens`.
"""

import re
import unicodedata
from collections.abc import Iterator

# More than any token has; a header of this length is refused by most servers.
TOKEN_CHARS = 4_096

_BYTE_ORDER_MARK = "\ufeff"
_QUOTES = "\"'`´“”„‟‘’‚‛«»‹›＂＇"
# `$TOKEN`, `${TOKEN}` and `%TOKEN%` are what a file of variables holds where nothing fills them in.
_OPENING, _CLOSING = "<[{($%", ">]})%"
# Letters and symbols without a picture; all else that nobody sees counts as not printable.
_FILLERS = "\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"


def find_token_faults(text: str) -> list[str]:
    """What is wrong with a token that was stripped of white space; empty where it can be sent.

    Each fault is the rest of a sentence that begins with "the token".
    """
    if faults := list(_usual_faults(text)):
        return faults
    if any(character.isspace() for character in text):
        return ["has a blank inside"]
    if len(text) > TOKEN_CHARS:
        return [f"is longer than any token ({TOKEN_CHARS:,} characters)"]
    if not re.fullmatch(r"[\x21-\x7e]+", text):
        return ["has a character that is not plain ASCII"]
    return []


def _usual_faults(text: str) -> Iterator[str]:
    """What people leave around a token when they copy it."""
    if text.startswith(_BYTE_ORDER_MARK):
        yield "begins with a byte-order mark"
    if len(text.splitlines()) > 1:
        yield "has several lines"
    if text[:1] in _QUOTES or text[-1:] in _QUOTES:
        yield "looks quoted"
    if text[:1] in _OPENING or text[-1:] in _CLOSING:
        yield "looks like a placeholder"
    if re.match(r"\W*(authorization\W+)?bearer\b", text, re.IGNORECASE):
        yield "begins with Bearer"
    if re.match(r"\W*(export\s+\w+|ASANA_\w+)\s*=", text):
        yield "begins with the name of a variable"
    if "://" in text:
        yield "is a URL"
    yield from _unseen(text.removeprefix(_BYTE_ORDER_MARK))


def _unseen(text: str) -> Iterator[str]:
    """Characters that nobody sees, by kind and place; white space is not among them."""
    places: dict[str, str] = {}
    for number, character in enumerate(text):
        kind = _kind(character)
        if kind and kind not in places:
            places[kind] = "at its start" if number == 0 else "at its end" if number == len(text) - 1 else "inside"
    return (f"has {kind} {place}" for kind, place in places.items())


def _kind(character: str) -> str:
    category = unicodedata.category(character)
    if character.isspace():
        return ""
    if category == "Cc":
        return "a control character"
    is_seen = character.isprintable() and category[0] != "M" and character not in _FILLERS
    return "" if is_seen else "an invisible character"
