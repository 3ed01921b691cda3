"""The migration job: repeatable, safe to start many times, loud, forward only, in the wheel."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from tests.fixtures.databases import Database

from billing_common.storage import migrate
from billing_common.storage.migrate import current, current_revision, head, upgrade_database
from billing_common.storage.tables import metadata

pytestmark = pytest.mark.requirement("DATA-06")
ROOT = Path(__file__).parents[2]
BASELINE = "20261122180015"
_SQL = re.compile(r'op\.execute\(\s*"""(.*?)"""', re.DOTALL)


@pytest.mark.connected
async def test_many_jobs_at_once_apply_each_revision_once(each_empty_database: Database) -> None:
    answers = await asyncio.gather(
        *(_run_job(each_empty_database.url) for _ in range(3)),
    )
    assert [code for code, _ in answers] == [0, 0, 0]
    applied = [line for _, output in answers for line in output.splitlines() if "applied" in line]
    counts = sorted(int(line.split()[0]) for line in applied)
    every = len(list(_revisions().walk_revisions()))
    assert counts == [0, 0, every]
    assert await current_revision(each_empty_database.url) == head()


@pytest.mark.connected
async def test_a_job_that_died_half_way_is_repeated(each_empty_database: Database) -> None:
    """DDL commits by itself: what a revision made is there, and no revision is recorded for it.

    Every revision is repeated over all that they made together, but for one table.
    """
    await upgrade_database(each_empty_database.url)
    every = tuple(revision.revision for revision in _revisions().walk_revisions())[::-1]
    async with each_empty_database.engine.begin() as connection:
        await connection.execute(text("DROP TABLE billing_relay_leases"))
        await connection.execute(
            text("UPDATE alembic_version SET version_num = :first"), {"first": every[0]}
        )
    assert await upgrade_database(each_empty_database.url) == every[1:]
    assert await upgrade_database(each_empty_database.url) == ()
    async with each_empty_database.engine.connect() as connection:
        found = await connection.run_sync(lambda one: inspect(one).get_table_names())
    assert set(found) == {*metadata.tables, "alembic_version"}


@pytest.mark.connected
async def test_the_synchronous_doors_work_without_a_loop(empty_database: Database) -> None:
    url = empty_database.url
    assert await asyncio.to_thread(current, url) is None
    await asyncio.to_thread(migrate.upgrade, url)
    assert await asyncio.to_thread(current, url) == head()


async def test_the_synchronous_doors_say_what_to_await_inside_a_loop() -> None:
    with pytest.raises(RuntimeError, match="upgrade_database"):
        migrate.upgrade("mysql+asyncmy://nobody@localhost/none")
    with pytest.raises(RuntimeError, match="current_revision"):
        migrate.current("mysql+asyncmy://nobody@localhost/none")


def test_a_job_without_a_url_says_which_setting_is_missing() -> None:
    environment = {k: v for k, v in os.environ.items() if k != "BILLING_DATABASE_URL"}
    done = subprocess.run(
        [sys.executable, "-m", "billing_common.storage.migrate", "--url-from-env"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "BILLING_DATABASE_URL" in done.stderr


def test_revisions_are_one_line_named_by_time_and_forward_only() -> None:
    revisions = list(_revisions().walk_revisions())
    assert len(_revisions().get_heads()) == 1
    for revision in revisions:
        assert revision.revision.isdigit()
        assert len(revision.revision) == 14
        assert Path(revision.path).name.startswith(f"{revision.revision}_")
        assert revision.doc
        with pytest.raises(RuntimeError):
            revision.module.downgrade()
        assert not isinstance(revision.down_revision, tuple), "history does not branch"
        if revision.down_revision:
            assert revision.down_revision < revision.revision


def test_a_revision_creates_or_alters_online_one_thing_at_a_time() -> None:
    """The baseline creates families of tables; whatever comes later is one online statement."""
    for revision in _revisions().walk_revisions():
        statements = _SQL.findall(Path(revision.path).read_text())
        assert statements, revision.path
        if revision.revision <= BASELINE:
            assert all(sql.lstrip().startswith("CREATE TABLE IF NOT EXISTS") for sql in statements)
            continue
        assert len(statements) == 1, f"{revision.revision}: one statement a revision"
        if "ALTER TABLE" in statements[0].upper():
            assert "ALGORITHM=" in statements[0].upper(), f"{revision.revision}: state it"


@pytest.mark.slow
def test_the_wheel_carries_the_migrations(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "uv", "build", "--wheel", "--no-build-isolation", "--offline"]
    subprocess.run(
        [*build, "--out-dir", str(tmp_path), str(ROOT / "libs" / "billing-common")],
        check=True,
        capture_output=True,
        timeout=120,
    )
    (wheel,) = tmp_path.glob("*.whl")
    carried = set(zipfile.ZipFile(wheel).namelist())
    folder = migrate.MIGRATIONS_FOLDER
    for file in (*folder.glob("*.py"), folder / "script.py.mako", *folder.glob("versions/*.py")):
        assert f"billing_common/storage/migrations/{file.relative_to(folder)}" in carried


def _revisions() -> ScriptDirectory:
    return ScriptDirectory(str(migrate.MIGRATIONS_FOLDER))


async def _run_job(url: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "billing_common.storage.migrate",
        "--url-from-env",
        env={**os.environ, "BILLING_DATABASE_URL": url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), timeout=120)
    return process.returncode or 0, output.decode()
