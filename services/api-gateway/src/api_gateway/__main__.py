"""`python -m api_gateway [--check]`: run the service, or only check its configuration."""

from __future__ import annotations

import argparse
import sys

from api_gateway.app import check, run
from api_gateway.settings import GatewaySettings
from billing_common.observability.logging import configure_logging
from billing_common.settings import load


def main() -> int:
    """Exit status: 0 after a clean stop, 1 when it could not start, 78 for wrong settings."""
    arguments = argparse.ArgumentParser(prog="api_gateway", description=__doc__)
    arguments.add_argument("--check", action="store_true", help="check the settings and exit")
    options = arguments.parse_args()
    configure_logging("api-gateway")
    settings = load(GatewaySettings)
    return check(settings) if options.check else run(settings)


if __name__ == "__main__":
    sys.exit(main())
