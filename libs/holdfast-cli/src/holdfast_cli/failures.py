"""What can go wrong for the person at the keyboard: a sentence, and the way out."""

from __future__ import annotations


class StackFailure(Exception):  # noqa: N818 - not a bug: the stack failed, and here is why
    """The command cannot go on.

    `message` says what happened in one sentence; `way_out` says what to do, one line each.
    `log_lines` are the last lines of the log that explains it, oldest first.
    """

    def __init__(
        self,
        message: str,
        *,
        way_out: tuple[str, ...] = (),
        log_lines: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.way_out = way_out
        self.log_lines = log_lines
