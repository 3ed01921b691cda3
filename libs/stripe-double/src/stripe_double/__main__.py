"""`python -m stripe_double`: the double as a server."""

from __future__ import annotations

import argparse
import contextlib
import sqlite3
import sys
from pathlib import Path

import structlog
from pydantic import ValidationError

from stripe_double import API_VERSION
from stripe_double.double import StripeDouble
from stripe_double.server import run
from stripe_double.settings import Settings

log = structlog.get_logger("stripe_double")


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m stripe_double",
        description=f"A stateful Stripe double, API version {API_VERSION}. Each option may also be "
        "given as an environment variable STRIPE_DOUBLE_<NAME>.",
    )
    parser.add_argument("--host", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, help="port; 0 takes a free one (12111)")
    parser.add_argument("--data-dir", type=Path, help="keep the world here (default: memory)")
    parser.add_argument("--api-keys", help="accepted keys, comma separated (sk_test_...)")
    parser.add_argument("--seed", help="the same seed gives the same ids")
    parser.add_argument(
        "--control", action="store_const", const=True, help="serve /_double/ (loopback only)"
    )
    parser.add_argument("--webhook-url", help="endpoint that gets every event")
    parser.add_argument("--webhook-secrets", help="its whsec_..., or two during a rotation")
    parser.add_argument("--check", action="store_true", help="check the settings and exit")
    return parser


def main() -> int:
    """Exit code: 0 served until a signal, 2 wrong settings or an address in use."""
    arguments = vars(_arguments().parse_args())
    check_only = arguments.pop("check")
    structlog.configure(
        processors=[
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.add_log_level,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(20),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        settings = Settings(**{name: v for name, v in arguments.items() if v is not None})
    except ValidationError as error:
        for problem in error.errors():
            name = "_".join(str(part) for part in problem["loc"]).upper() or "SETTINGS"
            log.error("settings.invalid", name=f"STRIPE_DOUBLE_{name}", problem=problem["msg"])
        return 2
    if check_only:
        return 0
    try:
        double = StripeDouble(settings)
        with contextlib.suppress(KeyboardInterrupt):
            run(double, on_ready=lambda url: log.info("double.listening", url=url))
    except OSError as error:
        log.error("double.cannot_listen", host=settings.host, port=settings.port, reason=str(error))
        return 2
    except sqlite3.OperationalError as error:
        log.error("double.cannot_open_data", data_dir=str(settings.data_dir), reason=str(error))
        return 2
    log.info("double.stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
