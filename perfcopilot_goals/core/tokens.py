"""What is wrong with a text that should be an Asana token. It names the kind of fault, never the content.

`services.tokens` says where a token is kept and who may read it.
"""

import re
import unicodedata
from collections.abc import Iterator

# Longer than any token. Most servers refuse a header of this length.
TOKEN_CHARS = 4_096

_BYTE_ORDER_MARK = "\ufeff"
_QUOTES = "\"'`´“”„‟‘’‚‛«»‹›＂＇"
# A file of variables holds `$TOKEN`, `${TOKEN}` or `%TOKEN%` if nothing filled them in.
_OPENING, _CLOSING = "<[{($%", ">]})%"
# Letters and symbols that show nothing. Python counts all other invisible characters as not printable.
_FILLERS = "\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"


def find_token_faults(text: str) -> list[str]:
    """What is wrong with a stripped token, each as the end of a sentence on "the token"; empty if it can be sent."""
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
    """What people often copy along with a token."""
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
    """Invisible characters, by kind and place. White space is not among them."""
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
