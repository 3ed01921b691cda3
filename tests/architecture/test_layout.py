"""One anatomy, small files, and a README that says what a service owns."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from tests.architecture.source_tree import ROOT, SERVICES, production_modules, tracked_files

LINES_MAX = 450
# The room that every service has, and the doors of which it has one.
ALWAYS = {"__init__", "__main__", "app", "settings", "handlers", "decisions"}
DOORS = {"routes", "subscribers", "jobs"}
# webhook-ingest has no database.
REPOSITORY = {"repository"}

README_WORDS = (
    re.compile(r"\bowns\b", re.I),
    re.compile(r"does not own", re.I),
    re.compile(r"^## .*invariants", re.I | re.M),
    re.compile(r"^## .*failure and retry", re.I | re.M),
    re.compile(r"^## .*limits", re.I | re.M),
)


def _folder(service: str) -> Path:
    return ROOT / "services" / service.replace("_", "-")


def _rooms(service: str) -> set[str]:
    package = _folder(service) / "src" / service
    return {path.stem for path in package.iterdir() if path.suffix == ".py" or path.is_dir()} - {
        "__pycache__"
    }


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_the_same_rooms(service: str) -> None:
    rooms = _rooms(service)
    expected = ALWAYS | (set() if service == "webhook_ingest" else REPOSITORY)
    assert expected <= rooms
    assert rooms - expected <= DOORS
    assert rooms & DOORS, "a service has an entrypoint"
    assert (_folder(service) / "src" / service / "py.typed").exists()


@pytest.mark.parametrize("service", SERVICES)
def test_a_readme_says_what_the_service_owns_and_how_it_fails(service: str) -> None:
    text = (_folder(service) / "README.md").read_text()
    missing = [words.pattern for words in README_WORDS if words.search(text) is None]
    assert missing == []


def test_files_are_small() -> None:
    long = {
        module.place: count
        for module in production_modules()
        if (count := len(module.path.read_text().splitlines())) > LINES_MAX
    }
    assert long == {}


def test_every_module_says_what_it_is() -> None:
    silent = [
        module.place
        for module in production_modules()
        if module.is_below("billing_common", *SERVICES) and not ast.get_docstring(module.tree)
    ]
    assert silent == []


UNFINISHED = re.compile(r"\b(TO" + "DO|FIX" + r"ME|XXX)\b|raise NotImplemented" + "Error")


def test_nothing_is_left_to_be_done_in_a_comment() -> None:
    left = [
        f"{module.place}:{number}"
        for module in production_modules()
        for number, line in enumerate(module.path.read_text().splitlines(), start=1)
        if UNFINISHED.search(line)
    ]
    assert left == []


# Built from pieces, so that this file does not contain them. Where somebody works, and where
# somebody's machine gets its packages, is nobody else's business and works nowhere else.
PRIVATE = re.compile(
    "|".join(
        [
            r"(?<![\w$}])/wo" + "rk/",
            "/home/[a-z]+/",
            r"(?<![\w$}])/ro" + r"ot/(?!\.m2)",
            "/Us" + "ers/[a-z]+/",
            "--(extra-)?index" + "-url",
            "--find" + "-links http",
            r"\[\[tool\.uv\.ind" + r"ex\]\]",
            "arti" + "factory",
            "dev" + r"pi\b",
            r"\.int" + r"ernal\b(?!/)",
        ]
    )
)
TEXT = {".py", ".md", ".toml", ".yaml", ".yml", ".txt", ".sql", ".sh", ".cnf", ".in", ".mako", ""}


def test_no_tracked_file_names_a_machine_or_its_package_source() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in tracked_files()
        if path.suffix in TEXT
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1)
        if PRIVATE.search(line)
    ]
    assert found == []
