from __future__ import annotations

import shutil

from holdfast_cli.servers.install.apt import first_available, install_packages
from holdfast_cli.servers.install.cache import Say
from holdfast_cli.servers.java import OLDEST_JAVA, find_java, java_version, require_java

_JAVA_PACKAGES = (
    "openjdk-17-jre-headless",
    "openjdk-21-jre-headless",
    "openjdk-25-jre-headless",
)


def install_java_and_maven(say: Say) -> None:
    """Make Java (17 or newer) and Maven available; needs root or sudo when one is missing."""
    missing = []
    if find_java() is None:
        missing.append(first_available(f"Java {OLDEST_JAVA}", _JAVA_PACKAGES, say))
    if shutil.which("mvn") is None:
        missing.append("maven")
    if missing:
        install_packages("Java and Maven", missing, say)
    java = require_java()
    say(f"Java {java_version(java)}: {java}; Maven: {shutil.which('mvn')}")
