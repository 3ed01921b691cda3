from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from holdfast_cli.servers.errors import ServerStartFailed


@dataclass(frozen=True, slots=True)
class AptSource:
    """One "deb" entry: a base address and what is taken from there."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]


def debian_mirror(name: str, etc: Path = Path("/etc")) -> str:
    """The address from which this machine gets Debian itself, read from its own apt sources.

    Raises ServerStartFailed when the machine is not Debian or has no such source.
    """
    release = _os_release(etc / "os-release")
    if release.get("ID") != "debian":
        raise ServerStartFailed(
            name,
            "its packages are taken from Debian, and this machine is not Debian",
            "run it on Debian, or through Docker",
        )
    codename = release.get("VERSION_CODENAME", "")
    for source in apt_sources(etc / "apt"):
        if "main" in source.components and codename in source.suites:
            return source.uri
    raise ServerStartFailed(
        name,
        f"no apt source of this machine offers Debian's suite {codename!r}",
        f"look at {etc / 'apt'}: sources.list and sources.list.d",
    )


def apt_sources(apt_dir: Path) -> Iterator[AptSource]:
    """Every enabled "deb" source, from one-line files and from deb822 ``.sources`` files."""
    parts = apt_dir / "sources.list.d"
    for path in [apt_dir / "sources.list", *sorted(parts.glob("*.list"))]:
        if path.is_file():
            yield from _one_line_sources(path.read_text(encoding="utf-8"))
    for path in sorted(parts.glob("*.sources")):
        yield from _deb822_sources(path.read_text(encoding="utf-8"))


def _one_line_sources(text: str) -> Iterator[AptSource]:
    for raw in text.splitlines():
        line = re.sub(r"\[[^\]]*\]", " ", raw.split("#", 1)[0])  # options are in brackets
        fields = line.split()
        if len(fields) >= 3 and fields[0] == "deb":
            yield AptSource(fields[1], (fields[2],), tuple(fields[3:]))


def _deb822_sources(text: str) -> Iterator[AptSource]:
    without_comments = re.sub(r"(?m)^#.*\n?", "", text)
    for stanza in re.split(r"\n\s*\n", without_comments):
        unfolded = re.sub(r"\n[ \t]+", " ", stanza)
        fields = {
            key.strip().lower(): value.split()
            for key, separator, value in (line.partition(":") for line in unfolded.splitlines())
            if separator
        }
        if "deb" not in fields.get("types", []) or fields.get("enabled") == ["no"]:
            continue
        for uri in fields.get("uris", []):
            suites = tuple(fields.get("suites", []))
            yield AptSource(uri, suites, tuple(fields.get("components", [])))


def _os_release(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {key: value.strip().strip("\"'") for key, _, value in pairs}
