"""`python -m checkout [--check]`: run the service, or only check its configuration."""

from __future__ import annotations

import argparse
import sys

from billing_common.observability.logging import configure_logging
from billing_common.settings import load
from checkout.app import run
from checkout.settings import CheckoutSettings


def main() -> int:
    """Exit status: 0 after a clean stop, 1 when it could not start, 78 for wrong settings."""
    arguments = argparse.ArgumentParser(prog="checkout", description=__doc__)
    arguments.add_argument("--check", action="store_true", help="check the settings and exit")
    options = arguments.parse_args()
    configure_logging("checkout")
    settings = load(CheckoutSettings)
    return 0 if options.check else run(settings)


if __name__ == "__main__":
    sys.exit(main())
