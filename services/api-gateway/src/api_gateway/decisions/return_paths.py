"""Where may the browser go after the payment? Only to a path of our own product.

The path is appended to the product's public address. Everything that a browser, a proxy or a
framework might read as another host, another scheme or another directory is refused, also when
it is encoded once, twice or in look-alike characters.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final
from urllib.parse import unquote_to_bytes, urlsplit

PATH_LENGTH_MAX: Final = 2048
# More layers of encoding than any honest path has.
_DECODINGS_MAX: Final = 4

_PRINTABLE_ASCII: Final = re.compile(r"[\x21-\x7e]+", re.ASCII)
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})", re.ASCII)
# No browser reads them as a slash; a person, a log viewer or a careless proxy does.
_SLASH_LOOK_ALIKES: Final = frozenset(
    "\u2044\u2215\u2216\u2571\u2572\u29f5\u29f8\u29f9\u27cb\u27cd"
)
_PATH_END: Final = re.compile(r"[?#]")


def path_error(value: str) -> str | None:
    """What is wrong with the path, for a person; None when it is safe."""
    if not 1 <= len(value) <= PATH_LENGTH_MAX:
        return f"must have 1 to {PATH_LENGTH_MAX} characters"
    if not _PRINTABLE_ASCII.fullmatch(value):
        return "must be printable ASCII without spaces; percent-encode anything else"
    if not value.startswith("/"):
        return "must start with /"
    try:
        parts = urlsplit(value)
    except ValueError:
        return "must be a path"
    if parts.scheme or parts.netloc:
        return "must not name a scheme or a host"
    path = _PATH_END.split(value, maxsplit=1)[0]
    return _path_part_error(path) or _rest_error(value[len(path) :])


def _path_part_error(path: str) -> str | None:
    for _ in range(_DECODINGS_MAX):
        error = _layer_error(path)
        if error is not None:
            return error
        if "%" not in path:
            return None
        if _BROKEN_ESCAPE.search(path):
            return "must not contain a broken percent escape"
        try:
            path = unquote_to_bytes(path).decode("utf-8")
        except UnicodeDecodeError:
            return "must be UTF-8 when decoded"
    return "must not be encoded over and over"


def _layer_error(path: str) -> str | None:
    # NFKC turns full-width slashes, dots and their kin into what they look like.
    seen = unicodedata.normalize("NFKC", path)
    if any(unicodedata.category(character).startswith("C") for character in seen):
        return "must not contain control or invisible characters"
    # Before folding: NFKC makes a plain space of every unusual one.
    if any(unicodedata.category(one).startswith("Z") and one != " " for one in path):
        return "must not contain unusual spaces"
    if not _SLASH_LOOK_ALIKES.isdisjoint(seen):
        return "must not contain look-alikes of a slash"
    if "\\" in seen or "//" in seen:
        return "must not contain // or a backslash"
    if any(segment in (".", "..") for segment in seen.split("/")):
        return "must not contain . or .. as a segment"
    return None


def _rest_error(rest: str) -> str | None:
    if "\\" in rest:
        return "must not contain a backslash"
    decoded = unquote_to_bytes(rest)
    if any(byte < 0x20 or byte == 0x7F for byte in decoded):
        return "must not contain control characters"
    return None
