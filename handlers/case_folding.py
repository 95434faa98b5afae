"""The one comparison without regard to case, of usernames and e-mail addresses.

PostgreSQL's `lower` and Python's differ (final sigma, dotted I), and PostgreSQL's depends on the database's locale. So
SQL stores and compares what this module made.
"""

from __future__ import annotations

import unicodedata


def folded(text: str) -> str:
    """One form for all texts that are the same without regard to case, by Unicode's canonical caseless matching."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())
