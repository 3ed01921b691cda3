from __future__ import annotations


class ServerStartFailed(Exception):  # noqa: N818 - a sentence: "server start failed"
    """A server or one of its parts could not be had; says why and what a person can do about it.

    ``name`` is the server ("MariaDB"), ``reason`` one sentence, ``way_out`` one or more lines.
    """

    code = "server_start_failed"

    def __init__(self, name: str, reason: str, way_out: str) -> None:
        super().__init__(f"{name}: {reason}\n  Way out: {way_out}")
        self.name = name
        self.reason = reason
        self.way_out = way_out
