from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from holdfast_cli.servers.engine_options import engine_options
from holdfast_cli.servers.errors import ServerStartFailed
from holdfast_cli.servers.sql_server import SqlServer, run_as_options

_SBIN = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"


def find_mariadbd() -> Path | None:
    """The server binary; Debian puts it in a folder that ordinary users have not on their PATH."""
    found = shutil.which("mariadbd") or shutil.which("mariadbd", path=_SBIN)
    return Path(found) if found else None


def find_install_program() -> Path | None:
    """The script that makes the data files; it needs my_print_defaults of the client package."""
    if shutil.which("my_print_defaults") is None:
        return None
    found = shutil.which("mariadb-install-db")
    return Path(found) if found else None


def mariadb_version(binary: Path) -> str:
    shown = subprocess.run(
        [binary, "--no-defaults", "--version"],
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    )
    match = re.search(r"Ver (\d+\.\d+\.\d+)", shown.stdout)
    return match.group(1) if match else "of unknown version"


class MariaDbServer(SqlServer):
    name = "MariaDB"

    @property
    def description(self) -> str:
        return f"MariaDB {mariadb_version(self._binary())} (child process)"

    def _binary(self) -> Path:
        binary = find_mariadbd()
        if binary is None:
            raise self._missing("mariadbd")
        return binary

    def _missing(self, program: str) -> ServerStartFailed:
        return ServerStartFailed(
            self.name,
            f"the program {program} is not installed",
            "apt-get install mariadb-server-core mariadb-client-core (as root)",
        )

    def _initialise_command(self, files_dir: Path) -> list[str]:
        program = find_install_program()
        if program is None:
            raise self._missing("mariadb-install-db or my_print_defaults")
        return [
            str(program),
            "--no-defaults",
            f"--datadir={files_dir}",
            "--auth-root-authentication-method=socket",
            "--skip-name-resolve",
            "--skip-test-db",
            *run_as_options(),
        ]

    def _command(self) -> list[str]:
        return [
            str(self._binary()),
            "--no-defaults",
            f"--datadir={self._files_dir}",
            f"--port={self.port}",
            f"--socket={self.socket_path}",
            f"--pid-file={self.data_dir / 'mariadbd.pid'}",
            f"--init-file={self._init_file}",
            *engine_options(innodb_log_file_size="48M", log_warnings="2"),
            *run_as_options(),
        ]
