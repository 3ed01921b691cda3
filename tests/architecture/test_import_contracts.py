"""The import contracts of pyproject.toml hold, cover everything, and would notice a breach."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from tests.architecture.source_tree import ROOT, SERVICES

LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")


def _settings() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"][
        "importlinter"
    ]
    return found


def _lint(checkout: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    sources = [str(path) for path in sorted(checkout.glob("*/*/src"))]
    return subprocess.run(
        [str(LINT_IMPORTS), "--cache-dir", str(cache)],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sources)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources and the contracts, to be broken on purpose."""
    target = tmp_path_factory.mktemp("copy")
    shutil.copy(ROOT / "pyproject.toml", target)
    for source in (*ROOT.glob("libs/*/src"), *ROOT.glob("services/*/src")):
        shutil.copytree(
            source, target / source.relative_to(ROOT), ignore=shutil.ignore_patterns("__pycache__")
        )
    return target


@pytest.mark.requirement("SCOPE-12")
def test_all_contracts_are_kept(copy: Path, tmp_path: Path) -> None:
    """No service imports another, no lower layer a higher one, no cycle."""
    result = _lint(copy, tmp_path)
    assert result.returncode == 0, result.stdout


BREACHES = [
    ("services/checkout/src/checkout/settings.py", "import projection.settings", "Services never"),
    (
        "libs/billing-common/src/billing_common/domain/money.py",
        "import billing_common.contracts.topics",
        "billing_common: process",
    ),
    (
        "services/reconciler/src/reconciler/decisions/scopes.py",
        "import reconciler.repository.runs",
        "Inside a service",
    ),
    ("libs/billing-common/src/billing_common/domain/money.py", "import asyncio", "functional core"),
    ("services/projection/src/projection/handlers/truth.py", "import stripe", "Stripe SDK"),
    (
        "services/api-gateway/src/api_gateway/routes/plans.py",
        "import billing_common.storage.engine",
        "Entrypoints",
    ),
    (
        "services/checkout/src/checkout/handlers/claim.py",
        "import billing_common.testing",
        "test helpers",
    ),
]


def test_breaches_are_noticed(copy: Path, tmp_path: Path) -> None:
    """All at once, so that the graph is built once more and not seven times."""
    originals = {path: (copy / path).read_text() for path, _, _ in BREACHES}
    drawer = copy / "services/checkout/src/checkout/utils.py"
    try:
        for path, line, _ in BREACHES:
            (copy / path).write_text((copy / path).read_text() + f"\n{line}\n")
        drawer.write_text('"""A module outside every layer."""\n')
        result = _lint(copy, tmp_path)
    finally:
        for path, text in originals.items():
            (copy / path).write_text(text)
        drawer.unlink(missing_ok=True)

    assert result.returncode == 1
    broken = [line for line in result.stdout.splitlines() if line.endswith("BROKEN")]
    for _, line, contract in BREACHES:
        assert any(contract in name for name in broken), f"{line}: {result.stdout}"
    assert "checkout.utils" in result.stdout


def test_the_contracts_cover_every_package() -> None:
    settings = _settings()
    packages = {path.name for path in ROOT.glob("*/*/src/*") if (path / "__init__.py").exists()}
    assert set(settings["root_packages"]) == packages
    contracts = {contract["id"]: contract for contract in settings["contracts"]}
    assert contracts["common-layers"]["exhaustive"]
    assert contracts["service-layers"]["exhaustive"]
    assert set(contracts["service-layers"]["containers"]) == set(SERVICES)
    assert set(contracts["acyclic"]["ancestors"]) == packages
    assert {"billing_common.domain", *(f"{name}.decisions" for name in SERVICES)} == set(
        contracts["pure-core"]["source_modules"]
    )
