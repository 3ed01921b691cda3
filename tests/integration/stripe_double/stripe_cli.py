"""Stripe's own command line, as npm packs it: found or fetched once, run without a way out.

The version and the digest of the program are pinned. It is kept in `.holdfast/`, which git ignores.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

VERSION = "1.52.0"
# Platform of npm's package -> SHA-256 of the program in it.
DIGESTS = {"linux-x64": "a72c2d755d4d7b18760cc1007a7f1859a21d363dc32d1d614cd2aaa0e7b544ea"}
FETCH_SECONDS = 60
RUN_SECONDS = 30
_ROOT = Path(__file__).resolve().parents[3]
_NOWHERE = "http://127.0.0.1:9"


class OutOfReachError(Exception):
    """Why Stripe's CLI cannot be run on this machine."""


@dataclass(frozen=True)
class Run:
    """How one call of the CLI ended."""

    code: int
    output: str


class StripeCli:
    """The program at `path`, run with a home of its own."""

    def __init__(self, path: Path, home: Path) -> None:
        self._path = path
        self._home = home

    def run(self, *words: str) -> Run:
        """Run it to its end. It reaches this machine only: every proxy leads nowhere."""
        done = subprocess.run(
            [str(self._path), *words],
            env={
                "HOME": str(self._home),
                "PATH": os.defpath,
                "STRIPE_CLI_TELEMETRY_OPTOUT": "1",
                "HTTP_PROXY": _NOWHERE,
                "HTTPS_PROXY": _NOWHERE,
                "NO_PROXY": "127.0.0.1",
            },
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
        return Run(done.returncode, done.stdout + done.stderr)

    def triggers(self) -> set[str]:
        """Every event that `stripe trigger` says it supports."""
        words = self.run("trigger", "--help").output.partition("Supported events:")[2].split("\n\n")
        return set(words[0].split())


def find() -> Path:
    """The program, fetched with npm when it is not there yet; else OutOfReachError says why."""
    kept = _ROOT / ".holdfast" / f"stripe-cli-{VERSION}"
    if not kept.exists():
        _fetch(kept)
    for platform, digest in DIGESTS.items():
        program = kept / "node_modules" / "@stripe" / f"cli-{platform}" / "bin" / "stripe"
        if program.exists():
            if hashlib.sha256(program.read_bytes()).hexdigest() != digest:
                raise OutOfReachError(f"{program} is not the program of version {VERSION}")
            return program
    raise OutOfReachError(f"no program with a known digest; known are {', '.join(DIGESTS)}")


def _fetch(kept: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise OutOfReachError("there is no npm to fetch it with")
    kept.parent.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="stripe-cli-", dir=kept.parent))
    options = ("--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--loglevel=error")
    command = [npm, "install", f"--prefix={folder}", *options, f"@stripe/cli@{VERSION}"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False
        )
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["npm said nothing"])[-1]
            raise OutOfReachError(f"npm could not fetch it: {last[:200]}")
        folder.rename(kept)
    except subprocess.TimeoutExpired as error:
        raise OutOfReachError(f"npm did not fetch it within {FETCH_SECONDS} s") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
