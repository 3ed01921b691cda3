"""Where the local stack keeps its state: everything is under one folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from holdfast_cli.failures import StackFailure

_MARKER = Path("libs/holdfast-cli/pyproject.toml")


@dataclass(frozen=True, slots=True)
class StackPaths:
    """`checkout` is the repository; `home` holds data, logs, pid files and secrets."""

    checkout: Path
    home: Path

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def pid_files(self) -> Path:
        return self.home / "run"

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def secrets_file(self) -> Path:
        return self.home / "secrets.json"

    @property
    def lock_file(self) -> Path:
        return self.home / "lock"

    @property
    def grants_file(self) -> Path:
        return self.checkout / "deploy" / "mysql" / "grants.sql"

    def log_of(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def create(self) -> None:
        """Make the folders; only their owner may look inside (0700)."""
        self.home.mkdir(parents=True, exist_ok=True)
        self.home.chmod(0o700)
        for folder in (self.logs, self.pid_files, self.data):
            folder.mkdir(exist_ok=True)


def find_checkout() -> Path:
    """The repository this package is installed from, else one around the current folder."""
    for folder in (Path(__file__).resolve(), Path.cwd() / "here"):
        for candidate in folder.parents:
            if (candidate / _MARKER).is_file():
                return candidate
    raise StackFailure(
        "This command works inside a Holdfast checkout, and none was found.",
        way_out=("cd into the cloned repository and run it there.",),
    )


def stack_paths(environ: Mapping[str, str]) -> StackPaths:
    """The paths for this run; HOLDFAST_HOME moves the state elsewhere."""
    checkout = find_checkout()
    chosen = environ.get("HOLDFAST_HOME")
    home = Path(chosen).expanduser().absolute() if chosen else checkout / ".holdfast"
    return StackPaths(checkout=checkout, home=home)
