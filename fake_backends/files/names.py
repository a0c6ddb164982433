"""File names for names that come from outside: hosts, volume groups, pools, images, volumes, shares.

A name may hold anything: path separators, dots, control characters, any script, 300 of them. Its file name
holds only characters that every file system and shell takes as they are, has at most `LENGTH_MAX` of them,
never begins with a dot, and belongs to this name alone. Short ones can be turned back (`true_name`).
"""

from __future__ import annotations

from hashlib import sha256
from urllib.parse import quote, unquote

from harness.errors import InvalidArgument

LENGTH_MAX = 160
"""Well below the 255 bytes of a file name: owners add endings."""
_AS_THEY_ARE = "@:+,"
"""Beside letters, digits and ``_.-~``."""
_CUT = "="
"""Stands in front of the digest of a name that is too long. As a part of a name it is encoded."""


def safe_name(name: str) -> str:
    """The file name for any string: percent-encoded, and cut with a digest where that is too long."""
    encoded = quote(name, safe=_AS_THEY_ARE, errors="surrogatepass") or "%"
    if encoded.startswith("."):
        encoded = "%2E" + encoded[1:]
    if len(encoded) <= LENGTH_MAX:
        return encoded
    digest = sha256(name.encode(errors="surrogatepass")).hexdigest()
    return encoded[: LENGTH_MAX - len(digest) - 1] + _CUT + digest


def true_name(file_name: str) -> str | None:
    """The name that `safe_name` made this of; None where it had to cut it."""
    if _CUT in file_name:
        return None
    return "" if file_name == "%" else unquote(file_name, errors="surrogatepass")


def check_text(text: str) -> str:
    """The text itself. InvalidArgument for half of a surrogate pair, which no record in UTF-8 can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidArgument(f"{text!r} cannot be encoded in UTF-8") from None
    return text
