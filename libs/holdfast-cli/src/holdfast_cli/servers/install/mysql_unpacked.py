from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from holdfast_cli.servers.errors import ServerStartFailed
from holdfast_cli.servers.install.cache import Say, locked
from holdfast_cli.servers.install.debian_mirror import debian_mirror
from holdfast_cli.servers.mysql import mysql_version

_NAME = "MySQL"
_SUITE = "sid"  # the only Debian suite that carries Oracle's MySQL server
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_STEP_SECONDS = 600
# Dependencies of the packaging, not of the server program.
_NOT_NEEDED = re.compile(r"perl|libperl|libc-gconv|openssl-provider|gcc-\d+-base|libgdbm|libdb5")


def fetch_mysql(cache_dir: Path, *, say: Say) -> Path:
    """A folder with an unpacked MySQL server and every library it needs, fetched once.

    The packages come from Debian's unstable suite, on the mirror that this machine uses, signed by
    Debian's key. They are unpacked, not installed: apt works on files of its own in ``cache_dir``,
    so the machine's packages and lists stay as they are, and no root is needed.
    """
    home = cache_dir / "mysql"
    with locked(home):
        root = home / "root"
        if (home / "complete").exists():
            say(f"MySQL {mysql_version(root)}: {root} (cached)")
            return root
        _require_tools()
        mirror = debian_mirror(_NAME)
        say("fetching MySQL from Debian unstable, unpacked only (about 60 MB, once per user)")
        shutil.rmtree(root, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=home, prefix="partial-") as partial:
            unpacked = _fetch_and_unpack(Path(partial), mirror, say)
            unpacked.rename(root)
        version = mysql_version(root)
        if not version[0].isdigit():
            raise ServerStartFailed(
                _NAME,
                "the unpacked server does not run on this machine",
                f"remove {home} and try again; Debian unstable may be in between two states",
            )
        (home / "complete").write_text(version, encoding="ascii")
        say(f"MySQL {version}: {root}")
        return root


def _fetch_and_unpack(folder: Path, mirror: str, say: Say) -> Path:
    options = _private_apt(folder, mirror)
    _run(["apt-get", *options, "update", "-q"], folder)
    packages = _packages(options, folder)
    say(f"fetching {len(packages)} packages")
    debs = folder / "debs"
    debs.mkdir()
    _run(["apt-get", *options, "download", "-q", *packages], debs)
    root = folder / "root"
    for deb in sorted(debs.glob("*.deb")):
        _run(["dpkg", "-x", str(deb), str(root)], folder)
    return root


def _private_apt(folder: Path, mirror: str) -> list[str]:
    """apt options that keep every file apt reads as a list or writes inside ``folder``."""
    apt = folder / "apt"
    for part in ("lists/partial", "cache/archives/partial", "sources.list.d", "preferences.d"):
        (apt / part).mkdir(parents=True)
    (apt / "sources.list").write_text(
        f"deb [signed-by={_KEYRING}] {mirror} {_SUITE} main\n", encoding="utf-8"
    )
    (apt / "status").touch()
    settings = {
        "Dir::Etc::sourcelist": apt / "sources.list",
        "Dir::Etc::sourceparts": apt / "sources.list.d",
        "Dir::Etc::preferences": apt / "preferences",
        "Dir::Etc::preferencesparts": apt / "preferences.d",
        "Dir::State::lists": apt / "lists",
        "Dir::State::status": apt / "status",
        "Dir::Cache": apt / "cache",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
    }
    if os.geteuid() == 0:
        settings["APT::Sandbox::User"] = "root"  # the folder is private, apt's own user is shut out
    return [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]


def _packages(options: Sequence[str], folder: Path) -> list[str]:
    listed = _run(
        [
            "apt-cache",
            *options,
            "depends",
            "--recurse",
            *(
                f"--no-{kind}"
                for kind in (
                    "recommends",
                    "suggests",
                    "conflicts",
                    "breaks",
                    "replaces",
                    "enhances",
                )
            ),
            "mysql-server-core",
        ],
        folder,
    )
    names = {line for line in listed.splitlines() if re.match(r"\w", line)}
    return sorted(name for name in names if not _NOT_NEEDED.match(name))


def _require_tools() -> None:
    missing = [tool for tool in ("apt-get", "apt-cache", "dpkg") if shutil.which(tool) is None]
    if not _KEYRING.exists():
        missing.append(str(_KEYRING))
    if missing:
        raise ServerStartFailed(
            _NAME,
            f"fetching it needs {', '.join(missing)}",
            "run it on Debian with the package debian-archive-keyring, or through Docker",
        )


def _run(command: Sequence[str], folder: Path) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=_STEP_SECONDS,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
    except subprocess.TimeoutExpired:
        reason = f"{command[0]} did not end within {_STEP_SECONDS} seconds"
        raise ServerStartFailed(_NAME, reason, "look at the network, then try again") from None
    if done.returncode != 0:
        raise ServerStartFailed(
            _NAME,
            f"{command[0]} failed: {(done.stderr or done.stdout).strip()[-800:]}",
            "check that this machine's Debian mirror can be reached, then try again",
        )
    return done.stdout
