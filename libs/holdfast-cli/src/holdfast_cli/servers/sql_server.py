from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import subprocess
import tempfile
from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

import asyncmy
from asyncmy.errors import MySQLError

from holdfast_cli.servers.blocking import run_blocking
from holdfast_cli.servers.child_server import ChildServer
from holdfast_cli.servers.errors import ServerStartFailed
from holdfast_cli.servers.ports import LOOPBACK, answers_on

_LONGEST_SOCKET_PATH_BYTES = 100
_INITIALISE_SECONDS = 120


class SqlServer(ChildServer):
    """What MariaDB and MySQL have in common: an administrator with a password of its own.

    The password is made once per data folder and kept in ``admin-password`` (mode 0600), because
    every account of the machine can reach the port.
    """

    admin_user: ClassVar[str] = "holdfast_admin"

    def __init__(
        self,
        data_dir: Path,
        port: int,
        *,
        socket_dir: Path | None = None,
        outlives_parent: bool = False,
    ) -> None:
        super().__init__(data_dir, (port,), outlives_parent=outlives_parent)
        self.port = port
        self.socket_path = _socket_path(socket_dir or self.data_dir)
        self._files_dir = self.data_dir / "data"

    @property
    def admin_password(self) -> str:
        """The administrator's password; only there after the first ``start()``."""
        return (self.data_dir / "admin-password").read_text(encoding="ascii")

    def admin_url(self, database: str = "") -> str:
        """SQLAlchemy URL of the administrator, e.g. to create databases and users."""
        return self.url(self.admin_user, self.admin_password, database)

    def url(self, user: str, password: str, database: str) -> str:
        return (
            f"mysql+asyncmy://{user}:{password}@{LOOPBACK}:{self.port}/{database}?charset=utf8mb4"
        )

    @abstractmethod
    def _initialise_command(self, files_dir: Path) -> list[str]:
        """The command that fills an empty ``files_dir``."""

    def _initialise(self) -> None:
        self._write_admin_account()
        self.socket_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._files_dir.exists():
            return
        unfinished = self.data_dir / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        done = subprocess.run(
            self._initialise_command(unfinished),
            capture_output=True,
            text=True,
            timeout=_INITIALISE_SECONDS,
            check=False,
        )
        with self.log_path.open("a", encoding="utf-8") as log:
            log.write(done.stdout + done.stderr)
        if done.returncode != 0:
            raise ServerStartFailed(
                self.name,
                f"could not make its data files: {(done.stdout + done.stderr).strip()[-800:]}",
                f"check the free space and the rights on {self.data_dir}",
            )
        unfinished.rename(self._files_dir)

    def _write_admin_account(self) -> None:
        password_path = self.data_dir / "admin-password"
        if not password_path.exists():
            _write_private(password_path, secrets.token_urlsafe(24))
        account = f"'{self.admin_user}'@'{LOOPBACK}'"
        password = self.admin_password
        # One statement a line: the engines read an init file that way. Repeated at every start.
        statements = [
            f"CREATE USER IF NOT EXISTS {account} IDENTIFIED BY '{password}';",
            f"GRANT ALL PRIVILEGES ON *.* TO {account} WITH GRANT OPTION;",
            *self._close_open_accounts(password),
        ]
        _write_private(self._init_file, "\n".join(statements) + "\n")

    def _close_open_accounts(self, password: str) -> list[str]:
        """Statements that give the engine's own accounts no empty password."""
        return []

    @property
    def _init_file(self) -> Path:
        return self.data_dir / "init.sql"

    def _is_ready(self) -> bool:
        if not answers_on(self.port):
            return False
        try:
            run_blocking(self._ping, timeout_seconds=5)
        except (MySQLError, OSError, TimeoutError):
            return False
        return True

    async def _ping(self) -> None:
        connection = await asyncmy.connect(
            host=LOOPBACK,
            port=self.port,
            user=self.admin_user,
            password=self.admin_password,
            connect_timeout=3,
        )
        try:
            async with connection.cursor() as cursor:
                await cursor.execute("SELECT 1")
        finally:
            connection.close()


def run_as_options() -> list[str]:
    """Both engines refuse to run as root unless told so."""
    return ["--user=root"] if os.geteuid() == 0 else []


def _socket_path(folder: Path) -> Path:
    path = folder.resolve() / "sql.sock"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH_BYTES:
        return path
    short = hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"holdfast-{os.geteuid()}-{short}" / "sql.sock"


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
