"""Is it the event that is wrong, or the world? Decides between going on without it and waiting."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

from billing_common.domain.errors import TransientError
from billing_common.storage.database_errors import error_number, is_value_refused
from projection.decisions.event import RefusalCode, Refused


def refusal_of(error: Exception) -> Refused | None:
    """What to record for the event whose projecting raised `error`; None: try again later.

    Total. Only names and numbers go into the message: the error's own text quotes the input.
    """
    if isinstance(error, TransientError):
        return None
    if is_value_refused(error):
        return Refused(RefusalCode.STORE_REFUSED, f"{type(error).__name__} {error_number(error)}")
    if isinstance(error, DBAPIError):
        # A missing grant or a full disk refuses every event: waiting keeps them in order.
        return None
    return Refused(RefusalCode.DEFECT, type(error).__name__)
