from __future__ import annotations

import base64
import subprocess
import uuid
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from holdfast_cli.servers.blocking import run_blocking
from holdfast_cli.servers.child_server import ChildServer
from holdfast_cli.servers.errors import ServerStartFailed
from holdfast_cli.servers.java import require_java
from holdfast_cli.servers.ports import LOOPBACK, answers_on

_FORMAT_SECONDS = 60
_JVM_OPTIONS = (
    "-Xms64m",
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    "-XX:MaxDirectMemorySize=64m",
    "-XX:MaxMetaspaceSize=128m",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
)


class KafkaServer(ChildServer):
    """Apache Kafka, one KRaft node that is broker and controller, from jars in ``libs_dir``."""

    name = "Apache Kafka"

    def __init__(
        self,
        data_dir: Path,
        port: int,
        controller_port: int,
        libs_dir: Path,
        *,
        outlives_parent: bool = False,
    ) -> None:
        super().__init__(data_dir, (port, controller_port), outlives_parent=outlives_parent)
        self.port = port
        self.controller_port = controller_port
        self.libs_dir = libs_dir.resolve()
        self._records_dir = self.data_dir / "records"
        self._settings_path = self.data_dir / "server.properties"

    @property
    def bootstrap_servers(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    @property
    def description(self) -> str:
        return f"Apache Kafka {self._version()} (child process from Maven jars)"

    def _version(self) -> str:
        found = sorted(self.libs_dir.glob("kafka_2.13-*.jar"))
        if not found:
            raise ServerStartFailed(
                self.name,
                f"no Kafka jars in {self.libs_dir}",
                "fetch them again: remove that folder and rerun",
            )
        return found[-1].stem.removeprefix("kafka_2.13-")

    def _initialise(self) -> None:
        self._version()
        settings = _server_properties(self.port, self.controller_port, self._records_dir)
        self._settings_path.write_text(settings, encoding="utf-8")
        if (self._records_dir / "meta.properties").exists():
            return
        done = subprocess.run(
            [
                *self._java("kafka.tools.StorageTool"),
                "format",
                "--ignore-formatted",
                "-t",
                _new_cluster_id(),
                "-c",
                str(self._settings_path),
            ],
            capture_output=True,
            text=True,
            timeout=_FORMAT_SECONDS,
            check=False,
        )
        with self.log_path.open("a", encoding="utf-8") as log:
            log.write(done.stdout + done.stderr)
        if done.returncode != 0:
            raise ServerStartFailed(
                self.name,
                f"could not format its storage: {(done.stdout + done.stderr).strip()[-800:]}",
                f"check the free space and the rights on {self.data_dir}",
            )

    def _command(self) -> list[str]:
        return [*self._java("kafka.Kafka"), str(self._settings_path)]

    def _java(self, main_class: str) -> list[str]:
        java = require_java()
        return [str(java), *_JVM_OPTIONS, "-cp", f"{self.libs_dir}/*", main_class]

    def _is_ready(self) -> bool:
        if not answers_on(self.port):
            return False
        try:
            return run_blocking(self._sees_itself, timeout_seconds=10)
        except (KafkaError, OSError, TimeoutError):
            return False

    async def _sees_itself(self) -> bool:
        """An open port is not enough: the broker must be registered and in its own metadata."""
        admin = AIOKafkaAdminClient(
            bootstrap_servers=self.bootstrap_servers, request_timeout_ms=5000
        )
        try:
            await admin.start()
            cluster = await admin.describe_cluster()
        finally:
            await admin.close()
        return any(broker["port"] == self.port for broker in cluster["brokers"])


def _new_cluster_id() -> str:
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode("ascii").rstrip("=")
        if not text.startswith("-"):  # would read as an option on the command line
            return text


def _server_properties(port: int, controller_port: int, records_dir: Path) -> str:
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller_port}",
        "listeners": f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": str(records_dir),
        "auto.create.topics.enable": "false",
        "num.partitions": "3",
        "num.network.threads": "2",
        "num.io.threads": "2",
        "background.threads": "2",
        # A broker that was killed is let in again when its old session is over.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        # One node: every internal topic has one copy.
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        "log.segment.bytes": "16777216",
        "log.cleaner.dedupe.buffer.size": "2097152",
        "log.cleaner.threads": "1",
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())
