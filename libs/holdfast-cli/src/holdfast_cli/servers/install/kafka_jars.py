from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import tempfile
from importlib.resources import files
from pathlib import Path

from holdfast_cli.servers.errors import ServerStartFailed
from holdfast_cli.servers.install.cache import Say, locked

KAFKA_VERSION = "4.1.1"
_NAME = "Apache Kafka"
_FETCH_SECONDS = 600
_PLUGIN_VERSION = "2.8"  # named, so that a run today is a run tomorrow

# slf4j-simple writes the server's log to stderr, which is its log file here.
_POM = """<project><modelVersion>4.0.0</modelVersion>
 <groupId>local</groupId><artifactId>kafka-run</artifactId><version>1</version>
 <dependencies>
  <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
   <version>{version}</version></dependency>
  <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId>
   <version>1.7.36</version></dependency>
 </dependencies></project>
"""


def fetch_kafka_jars(cache_dir: Path, version: str = KAFKA_VERSION, *, say: Say) -> Path:
    """The folder with Apache Kafka's own jars and what they need, fetched once through Maven.

    Maven checks the repository's checksums; a version with a list of SHA-256 sums beside this
    module (the default has one) is checked against it at every call, and fetched again if a jar
    was damaged.
    """
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise ServerStartFailed(_NAME, f"{version!r} is no Kafka version", "use one like 4.1.1")
    home = cache_dir / f"kafka-{version}"
    with locked(home):
        libs = home / "libs"
        if libs.is_dir() and not _differences(libs, version):
            say(f"Apache Kafka {version}: {libs} (cached)")
            return libs
        say(f"fetching Apache Kafka {version} through Maven (about 45 MB, once per user)")
        shutil.rmtree(libs, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=home, prefix="partial-") as partial:
            fetched = _copy_dependencies(Path(partial), version)
            wrong = _differences(fetched, version)
            if wrong:
                raise ServerStartFailed(
                    _NAME,
                    f"these files are not what was expected: {', '.join(wrong[:5])}",
                    "remove them from Maven's local repository (~/.m2) and try again; "
                    "do not go on with them if that does not help",
                )
            fetched.rename(libs)
        say(f"Apache Kafka {version}: {len(list(libs.glob('*.jar')))} jars in {libs}")
        return libs


def _copy_dependencies(folder: Path, version: str) -> Path:
    maven = shutil.which("mvn")
    if maven is None:
        raise ServerStartFailed(
            _NAME, "Maven is needed to fetch it", "apt-get install maven (as root)"
        )
    pom = folder / "pom.xml"
    pom.write_text(_POM.format(version=version), encoding="utf-8")
    libs = folder / "libs"
    command = [
        maven,
        "--quiet",
        "--batch-mode",
        "--strict-checksums",
        f"--file={pom}",
        f"org.apache.maven.plugins:maven-dependency-plugin:{_PLUGIN_VERSION}:copy-dependencies",
        "-DincludeScope=runtime",
        f"-DoutputDirectory={libs}",
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_FETCH_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise ServerStartFailed(
            _NAME, f"Maven did not end within {_FETCH_SECONDS} seconds", "look at the network"
        ) from None
    if done.returncode != 0 or not (libs / f"kafka_2.13-{version}.jar").exists():
        raise ServerStartFailed(
            _NAME,
            f"Maven could not fetch version {version}: {_first_words(done.stdout + done.stderr)}",
            "check that Maven reaches its repository (a mirror or proxy goes into "
            "~/.m2/settings.xml), or set KAFKA_BOOTSTRAP_SERVERS to a running broker",
        )
    return libs


def _first_words(output: str) -> str:
    """Maven's reason is in its first error line; pages of advice follow."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", output)
    errors = [line for line in plain.splitlines() if line.startswith("[ERROR]")]
    return (errors[0] if errors else plain.strip())[:800]


def _differences(libs: Path, version: str) -> list[str]:
    """Names of files that are missing, unexpected or changed, by the list of ``version``."""
    expected = _expected_sums(version)
    if not expected:
        return [] if (libs / f"kafka_2.13-{version}.jar").exists() else ["kafka_2.13"]
    found = {path.name: path for path in libs.iterdir()}
    wrong = set(expected) ^ set(found)
    for name in set(expected) & set(found):
        with found[name].open("rb") as jar:
            if hashlib.file_digest(jar, "sha256").hexdigest() != expected[name]:
                wrong.add(name)
    return sorted(wrong)


def _expected_sums(version: str) -> dict[str, str]:
    listing = files(__package__ or __name__).joinpath(f"kafka-{version}.sha256")
    if not listing.is_file():
        return {}
    lines = listing.read_text(encoding="ascii").splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}
