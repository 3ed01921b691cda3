"""Deliveries that wait until later ones went before them."""

from __future__ import annotations


class HeldBack:
    """Per delivery: its endpoint, and how many others must go to that endpoint first."""

    def __init__(self) -> None:
        self._places: dict[str, tuple[str, int]] = {}

    def add(self, delivery_id: str, endpoint_id: str, places: int) -> None:
        """Hold one back."""
        self._places[delivery_id] = (endpoint_id, places)

    def remove(self, delivery_id: str) -> bool:
        """It goes now. Whether it was still held back."""
        return self._places.pop(delivery_id, None) is not None

    def one_went(self, endpoint_id: str, delivery_id: str) -> list[str]:
        """Another one went to this endpoint: which ones may go now."""
        freed = []
        for held, (endpoint, places) in list(self._places.items()):
            if endpoint != endpoint_id or held == delivery_id:
                continue
            if places > 1:
                self._places[held] = (endpoint, places - 1)
            else:
                del self._places[held]
                freed.append(held)
        return freed

    def clear(self) -> None:
        """Nothing waits."""
        self._places.clear()
