"""Exit status 0 when the service in this container is ready, else 1 and the reason.

Standard library only: it starts in a moment, and it runs every few seconds.
"""

from __future__ import annotations

import http.client
import os
import sys


def main() -> int:
    """Ask HTTP_PORT for HOLDFAST_HEALTH_PATH (/readyz), expect HOLDFAST_HEALTH_STATUS (200)."""
    path = os.environ.get("HOLDFAST_HEALTH_PATH", "/readyz")
    expected = int(os.environ.get("HOLDFAST_HEALTH_STATUS", "200"))
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["HTTP_PORT"]), timeout=3)
    try:
        connection.request("GET", path)
        found = connection.getresponse().status
    except OSError as failure:
        sys.stdout.write(f"{path}: {failure}\n")
        return 1
    finally:
        connection.close()
    sys.stdout.write(f"{path}: {found}\n")
    return 0 if found == expected else 1


if __name__ == "__main__":
    sys.exit(main())
