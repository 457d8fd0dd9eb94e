"""Dead letters: bodies that a gateway signed and that were no event when they came, read with more patience."""

import re

REPLACEMENT = "\\ufffd"
"""Unicode's own sign for "something stood here that cannot be read". Nothing is guessed in its place."""
_ESCAPES = re.compile(
    r"""
    (?P<pair>\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})  # one character beyond the first plane
    | (?P<bad>\\u[dD][89a-fA-F][0-9a-fA-F]{2} | \\u0000)                  # half of one, and NUL: PostgreSQL has neither
    | (?P<other>\\.)
    """,
    re.VERBOSE | re.DOTALL,
)
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def readable_text(body: bytes) -> str:
    """The body as text that PostgreSQL can try to read as JSON.

    A byte order mark is passed over, UTF-16 that says so is read as such, and what is no text, no character or NUL
    becomes the replacement character. Digits and everything else stay as they are.
    """
    encoding = "utf-16" if body.startswith(_UTF_16) else "utf-8-sig"
    text = body.decode(encoding, errors="replace").replace("\x00", "\ufffd")
    return _ESCAPES.sub(lambda found: REPLACEMENT if found["bad"] else found[0], text)
