from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast_cli.servers import ServerStartFailed
from holdfast_cli.servers.install import KAFKA_VERSION, fetch_kafka_jars

# Stands in for Maven: puts one file where the real one would put Kafka's main jar.
_MAVEN = """#!/bin/sh
for argument in "$@"; do
  case "$argument" in -DoutputDirectory=*) folder="${argument#*=}" ;; esac
done
mkdir -p "$folder" && echo "not Kafka" > "$folder/kafka_2.13-VERSION.jar"
"""


@pytest.fixture
def maven(tmp_path, monkeypatch):
    def install(text: str) -> None:
        program = tmp_path / "bin/mvn"
        program.parent.mkdir()
        program.write_text(text)
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}/usr/bin{os.pathsep}/bin")

    return install


def test_jars_with_other_sums_are_refused_and_not_kept(tmp_path, maven):
    maven(_MAVEN.replace("VERSION", KAFKA_VERSION))
    with pytest.raises(ServerStartFailed, match="not what was expected"):
        fetch_kafka_jars(tmp_path / "cache", say=lambda line: None)
    assert list((tmp_path / "cache").rglob("*.jar")) == []


def test_mavens_first_error_is_shown(tmp_path, maven):
    maven("#!/bin/sh\necho '[ERROR] repository out of reach'; echo '[ERROR] advice'; exit 1\n")
    with pytest.raises(ServerStartFailed) as refusal:
        fetch_kafka_jars(tmp_path / "cache", say=lambda line: None)
    assert "repository out of reach" in refusal.value.reason
    assert "advice" not in refusal.value.reason
    assert "KAFKA_BOOTSTRAP_SERVERS" in refusal.value.way_out


def test_a_version_that_is_none_is_refused(tmp_path):
    with pytest.raises(ServerStartFailed, match="no Kafka version"):
        fetch_kafka_jars(tmp_path, "4.1.1/../..", say=lambda line: None)
    assert list(Path(tmp_path).iterdir()) == []
