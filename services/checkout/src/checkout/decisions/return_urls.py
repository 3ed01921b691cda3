"""Where the provider sends the customer back to: only ever our own site."""

from __future__ import annotations

from typing import Protocol

from billing_common.domain.errors import PoisonError


class ReturnPaths(Protocol):
    """Where a customer goes after paying, and after turning back: paths on our own site."""

    @property
    def success_path(self) -> str:
        """After paying."""
        ...

    @property
    def cancel_path(self) -> str:
        """After turning back."""
        ...


class ReturnPathInvalid(PoisonError):  # noqa: N818 - exceptions are facts here
    """A path that could leave our own site. api-gateway refuses those; this command is damaged."""

    code = "return_path_invalid"


def absolute_url(public_url: str, path: str) -> str:
    """`path` on our own site. Raises ReturnPathInvalid for what a browser could read otherwise."""
    if (
        not path.startswith("/")
        or path.startswith("//")
        or "\\" in path
        or not path.isascii()
        or not path.isprintable()
    ):
        raise ReturnPathInvalid("a return path starts with one slash and stays on our site")
    return public_url.rstrip("/") + path
