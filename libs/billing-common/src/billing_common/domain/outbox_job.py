"""The kinds of work at the provider that must follow a commit; reconciler does it."""

from __future__ import annotations

from typing import Final

EXPIRE_CHECKOUT_SESSION: Final = "expire_checkout_session"
DEACTIVATE_PAYMENT_LINK: Final = "deactivate_payment_link"
