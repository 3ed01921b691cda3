from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from holdfast_cli.servers.errors import ServerStartFailed

OLDEST_JAVA = 17


def find_java() -> Path | None:
    """``$JAVA_HOME/bin/java`` when set, else the one on PATH; None when there is none or it is
    older than Kafka needs."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=str(Path(home) / "bin")) if home else None
    found = found or shutil.which("java")
    if found is None or java_version(Path(found)) < OLDEST_JAVA:
        return None
    return Path(found)


def require_java() -> Path:
    java = find_java()
    if java is None:
        raise ServerStartFailed(
            "Java",
            f"no Java {OLDEST_JAVA} or newer was found",
            "apt-get install openjdk-17-jre-headless (as root), or set JAVA_HOME",
        )
    return java


def java_version(java: Path) -> int:
    """The major version, 0 when it cannot be told."""
    shown = subprocess.run(
        [java, "-version"], capture_output=True, text=True, check=False, timeout=30
    )
    match = re.search(r'version "(\d+)', shown.stderr)
    return int(match.group(1)) if match else 0
