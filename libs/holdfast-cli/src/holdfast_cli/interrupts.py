"""Ctrl-C, SIGTERM and SIGHUP as one exception, and a way to put them off for a moment."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def stop_signals_raise() -> Iterator[None]:
    """Inside, SIGTERM and SIGHUP raise KeyboardInterrupt as Ctrl-C does (main thread only)."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    previous = {number: signal.signal(number, interrupt) for number in _STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def stop_signals_put_off() -> Iterator[None]:
    """Inside, a stop signal is only remembered; it is delivered when the block has ended.

    For the few milliseconds between starting a process and having written down its pid, and for
    cleaning up. (Handlers, unlike a signal mask, are not inherited by started programs.)
    """
    remembered: list[int] = []

    def remember(number: int, _frame: FrameType | None) -> None:
        remembered.append(number)

    previous = {number: signal.signal(number, remember) for number in _STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        if remembered:
            signal.raise_signal(remembered[0])
