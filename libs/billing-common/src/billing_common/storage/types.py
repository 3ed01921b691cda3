"""Column types that keep what they are given: identifiers byte for byte, times in UTC.

Nothing here folds case, drops a trailing space or a time zone in silence. A value that does not
fit raises ValueError before it reaches the server.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Dialect
from sqlalchemy.dialects import mysql
from sqlalchemy.types import VARBINARY, LargeBinary, TypeDecorator, TypeEngine

TEXT_COLLATION = "utf8mb4_unicode_ci"


class ExactText(TypeDecorator[str]):
    """str in Python, VARBINARY(`length_bytes`) in the server: equal only when every byte is.

    For identifiers from outside (Stripe ids, client keys, event ids, slugs). The server compares
    bytes, so `cus_A`, `cus_a` and `cus_A ` are three values.
    """

    impl = VARBINARY
    cache_ok = True

    def __init__(self, length_bytes: int) -> None:
        super().__init__(length_bytes)
        self.length_bytes = length_bytes

    @property
    def python_type(self) -> type[str]:
        """The type of a value in Python."""
        return str

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:
        """UTF-8 bytes. Raises ValueError for another type, lone surrogates, or too many bytes."""
        del dialect
        if value is None:
            return None
        encoded = _encode(value)
        if len(encoded) > self.length_bytes:
            raise ValueError(f"text of {len(encoded)} bytes in a column of {self.length_bytes}")
        return encoded

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        """The text. Raises UnicodeDecodeError (a ValueError) when the bytes are not UTF-8."""
        del dialect
        return None if value is None else bytes(value).decode("utf-8")


class ExactDocument(TypeDecorator[str]):
    """A long str kept byte for byte (MEDIUMBLOB, 16 MiB): its hash still matches after reading.

    Not a JSON column: MySQL reorders the keys of those.
    """

    impl = LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """MEDIUMBLOB on both engines."""
        return dialect.type_descriptor(mysql.MEDIUMBLOB())

    @property
    def python_type(self) -> type[str]:
        """The type of a value in Python."""
        return str

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:
        """UTF-8 bytes. Raises ValueError for another type or lone surrogates."""
        del dialect
        return None if value is None else _encode(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        """The text. Raises UnicodeDecodeError (a ValueError) when the bytes are not UTF-8."""
        del dialect
        return None if value is None else bytes(value).decode("utf-8")


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, stored as DATETIME(6) in UTC. A naive one raises ValueError.

    DATETIME itself drops the offset without a word, which moves the instant.
    """

    impl = mysql.DATETIME
    cache_ok = True

    def __init__(self) -> None:
        super().__init__(fsp=6)

    def process_bind_param(self, value: Any, dialect: Dialect) -> datetime | None:
        """The same instant in UTC, without its offset."""
        del dialect
        if value is None:
            return None
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise ValueError("a time must be an aware datetime")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """The instant, aware, in UTC."""
        del dialect
        return value.replace(tzinfo=UTC) if isinstance(value, datetime) else None


def human_text(length_characters: int) -> mysql.VARCHAR:
    """Words for people, compared as people do (case-insensitive). Never a key."""
    return mysql.VARCHAR(length_characters, charset="utf8mb4", collation=TEXT_COLLATION)


def long_human_text() -> mysql.TEXT:
    """Words for people, up to 64 KiB."""
    return mysql.TEXT(charset="utf8mb4", collation=TEXT_COLLATION)


def word_of(*words: str) -> mysql.ENUM:
    """One of a closed list of lower-case words.

    ENUM, because adding a word at the end is instant on both engines; ascii_bin, because
    `Pending` is not `pending`. An unknown word raises LookupError before it reaches the server.
    """
    return mysql.ENUM(*words, charset="ascii", collation="ascii_bin", validate_strings=True)


def json_document() -> JSON:
    """A JSON value that nobody hashes: engines may reorder keys. Python None is SQL NULL."""
    return JSON(none_as_null=True)


def _encode(value: Any) -> bytes:
    if not isinstance(value, str):
        raise ValueError(f"exact text must be str, not {type(value).__name__}")  # noqa: TRY004 - SQLAlchemy callers treat a bad value alike
    return value.encode("utf-8")
