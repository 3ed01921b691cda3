"""The parts of one local stack, whether they run or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from holdfast_cli.background_process import BackgroundProcess
from holdfast_cli.paths import StackPaths
from holdfast_cli.servers import ChildServer, KafkaServer, MariaDbServer
from holdfast_cli.servers.install import KAFKA_VERSION, default_cache_dir
from holdfast_cli.settings import StackSettings
from holdfast_cli.topology import SERVICES, STRIPE_DOUBLE


@dataclass(frozen=True, slots=True)
class Stack:
    """`kafka` and `stripe_double` may exist without being used: settings say whether they are."""

    paths: StackPaths
    settings: StackSettings
    mariadb: MariaDbServer
    kafka: KafkaServer
    stripe_double: BackgroundProcess
    services: Mapping[str, BackgroundProcess]

    @property
    def uses_own_kafka(self) -> bool:
        return self.settings.kafka_bootstrap_servers is None

    @property
    def uses_stripe_double(self) -> bool:
        return self.settings.stripe_account is None

    @property
    def servers(self) -> Mapping[str, ChildServer]:
        """The servers this stack starts, in order."""
        own: dict[str, ChildServer] = {"mariadb": self.mariadb}
        return own | ({"kafka": self.kafka} if self.uses_own_kafka else {})

    @property
    def processes(self) -> Mapping[str, BackgroundProcess]:
        """Our own processes this stack starts, in order."""
        double = {STRIPE_DOUBLE.name: self.stripe_double} if self.uses_stripe_double else {}
        return {**double, **self.services}

    def ready_url(self, name: str) -> str:
        """Where a process of ours says whether it is ready."""
        path = "/_double/health" if name == STRIPE_DOUBLE.name else "/readyz"
        return self.settings.url_of(name) + path

    def log_of(self, name: str) -> Path:
        server = {"mariadb": self.mariadb, "kafka": self.kafka}.get(name)
        return server.log_path if server is not None else self.paths.log_of(name)


def make_stack(paths: StackPaths, settings: StackSettings) -> Stack:
    """The stack of these paths and settings; starts nothing."""

    def process(name: str) -> BackgroundProcess:
        return BackgroundProcess(
            name, log=paths.log_of(name), pid_file=paths.pid_files / f"{name}.pid"
        )

    ports = settings.ports
    return Stack(
        paths=paths,
        settings=settings,
        mariadb=MariaDbServer(paths.data / "mariadb", ports["mariadb"], outlives_parent=True),
        kafka=KafkaServer(
            paths.data / "kafka",
            ports["kafka"],
            ports["kafka-controller"],
            default_cache_dir() / f"kafka-{KAFKA_VERSION}" / "libs",
            outlives_parent=True,
        ),
        stripe_double=process(STRIPE_DOUBLE.name),
        services={spec.name: process(spec.name) for spec in SERVICES},
    )
