from __future__ import annotations

import re
import subprocess
from pathlib import Path

from holdfast_cli.servers.engine_options import engine_options
from holdfast_cli.servers.errors import ServerStartFailed
from holdfast_cli.servers.sql_server import SqlServer, run_as_options


class MySqlServer(SqlServer):
    """Oracle's MySQL from an unpacked folder (see install.mysql_unpacked), run with the C library
    of that folder because it is newer than the machine's."""

    name = "MySQL"

    def __init__(
        self,
        data_dir: Path,
        port: int,
        root_dir: Path,
        *,
        socket_dir: Path | None = None,
        outlives_parent: bool = False,
    ) -> None:
        super().__init__(data_dir, port, socket_dir=socket_dir, outlives_parent=outlives_parent)
        self.root_dir = root_dir.resolve()

    @property
    def description(self) -> str:
        return f"MySQL {mysql_version(self.root_dir)} (child process from unpacked packages)"

    def _program(self) -> list[str]:
        if not (self.root_dir / "usr/sbin/mysqld").exists():
            raise ServerStartFailed(
                self.name,
                f"no mysqld in {self.root_dir}",
                "fetch it again: remove that folder and rerun",
            )
        share = self.root_dir / "usr/share/mysql"
        return [
            *mysqld_command(self.root_dir),
            "--no-defaults",
            f"--basedir={self.root_dir / 'usr'}",
            f"--lc-messages-dir={share}",
            f"--character-sets-dir={share / 'charsets'}",
            f"--plugin-dir={self.root_dir / 'usr/lib/mysql/plugin'}",
        ]

    def _initialise_command(self, files_dir: Path) -> list[str]:
        return [
            *self._program(),
            "--initialize-insecure",
            f"--datadir={files_dir}",
            *run_as_options(),
        ]

    def _close_open_accounts(self, password: str) -> list[str]:
        # --initialize-insecure leaves root@localhost without a password.
        return [f"ALTER USER 'root'@'localhost' IDENTIFIED BY '{password}';"]

    def _command(self) -> list[str]:
        return [
            *self._program(),
            f"--datadir={self._files_dir}",
            f"--port={self.port}",
            f"--socket={self.socket_path}",
            f"--pid-file={self.data_dir / 'mysqld.pid'}",
            f"--init-file={self._init_file}",
            *engine_options(mysqlx="OFF", secure_file_priv="NULL", innodb_redo_log_capacity="96M"),
            *run_as_options(),
        ]


def mysqld_command(root_dir: Path) -> list[str]:
    """mysqld through the unpacked folder's own loader and libraries."""
    folders = [*root_dir.glob("usr/lib/*-linux-gnu"), *root_dir.glob("lib/*-linux-gnu")]
    loaders = [*root_dir.glob("usr/lib64/ld-linux-*.so.*"), *root_dir.glob("usr/lib/ld-linux-*")]
    if not loaders:
        raise ServerStartFailed(
            "MySQL", f"no program loader in {root_dir}", "remove that folder and fetch it again"
        )
    libraries = ":".join(str(folder) for folder in folders)
    return [str(loaders[0]), "--library-path", libraries, str(root_dir / "usr/sbin/mysqld")]


def mysql_version(root_dir: Path) -> str:
    shown = subprocess.run(
        [*mysqld_command(root_dir), "--no-defaults", "--version"],
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    )
    match = re.search(r"Ver (\d+\.\d+\.\d+)", shown.stdout)
    return match.group(1) if match else "of unknown version"
