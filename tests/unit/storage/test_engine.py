"""What an error of the database says, wherever it is printed."""

from __future__ import annotations

from billing_common.storage.engine import make_engine


def test_errors_do_not_quote_parameters() -> None:
    engine = make_engine("mysql+asyncmy://u:p@127.0.0.1:1/x")
    assert engine.sync_engine.hide_parameters
