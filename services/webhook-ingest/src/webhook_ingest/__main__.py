"""`python -m webhook_ingest [--check]`: run the service, or only check its configuration."""

from __future__ import annotations

import argparse
import sys

from billing_common.observability.logging import configure_logging
from billing_common.settings import load
from webhook_ingest.app import run
from webhook_ingest.settings import IngestSettings


def main() -> int:
    """Exit status: 0 after a clean stop, 1 when the port is taken, 78 for wrong settings."""
    arguments = argparse.ArgumentParser(prog="webhook_ingest", description=__doc__)
    arguments.add_argument("--check", action="store_true", help="check the settings and exit")
    options = arguments.parse_args()
    configure_logging("webhook-ingest")
    settings = load(IngestSettings)
    return 0 if options.check else run(settings)


if __name__ == "__main__":
    sys.exit(main())
