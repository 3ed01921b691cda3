"""What the document allows, and what it does not, sent by a machine that knows no manners (F1).

A small number of cases by default; `make fuzz` sends ten thousand and prints what it counted.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from collections import Counter
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as hypothesis_settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks as openapi_checks
from tests.fixtures.backend import KafkaBroker
from tests.fixtures.databases import Database
from tests.integration.api_gateway.gateways import (
    SERVICE,
    Product,
    bearer,
    settings,
    store_operation,
)
from tests.integration.api_gateway.served_gateways import Served, served_gateway

from billing_common.messaging.topics_admin import ensure_topics

pytestmark = [
    pytest.mark.connected,
    pytest.mark.requirement("AUTH-06"),
    pytest.mark.timeout(3600),
]

CASES = int(os.environ.get("HOLDFAST_FUZZ_CASES", "160"))
SEED = int(os.environ.get("HOLDFAST_FUZZ_SEED", "20261122"))
CANARY = "canary-of-acme"
CHECKS = (
    not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_headers_conformance,
    openapi_checks.response_schema_conformance,
)
# Of every ten cases: one is sent by nobody, one with the other kind of token.
WITHOUT_TOKEN, OTHER_TOKEN = 0, 1


class Fuzzer:
    """Sends cases as eve, who has an account of her own and none of ann's things."""

    def __init__(self, served: Served, victims: dict[str, list[str]]) -> None:
        self.served = served
        self.victims = victims
        self.chance = random.Random(SEED)
        self.counts: Counter[str] = Counter()

    def send(self, case: Any) -> None:
        is_internal = case.operation.path.startswith("/internal/")
        self._aim(case)
        draw = self.chance.randrange(10)
        right, wrong = (SERVICE, bearer("eve")) if is_internal else (bearer("eve"), SERVICE)
        token = {} if draw == WITHOUT_TOKEN else wrong if draw == OTHER_TOKEN else right
        self.counts["cases"] += 1
        try:
            # Its own headers lose, or a case could bring a token along.
            case.headers = {
                name: value
                for name, value in (case.headers or {}).items()
                if name.lower() != "authorization"
            }
            case.headers |= token
            answer = case.call(base_url=self.served.url, timeout=30)
        except (UnicodeError, ValueError):
            self.counts["unsendable"] += 1  # no HTTP client puts it on the wire
            return
        self.counts[f"status {answer.status_code}"] += 1
        case.validate_response(answer, checks=CHECKS)
        if draw in (WITHOUT_TOKEN, OTHER_TOKEN):
            self.counts["without the right token"] += 1
            assert answer.status_code in (400, 401, 405), answer.text
        else:
            assert answer.status_code != 401, f"{answer.request.headers} {answer.text}"
        if not is_internal:
            assert CANARY not in answer.text, f"a leak at {case.operation.label}"

    def _aim(self, case: Any) -> None:
        """Often at what exists: random ids would never meet anybody's thing. Never for long."""
        if isinstance((case.query or {}).get("wait"), int) and case.query["wait"] <= 30:
            case.query["wait"] = min(case.query["wait"], 0)
        if isinstance(case.body, dict) and self.chance.randrange(2):
            # No schema says what a safe path is; random ones would all end at that check.
            for name in ("successPath", "cancelPath", "returnPath"):
                if isinstance(case.body.get(name), str):
                    case.body[name] = "/done"
        for container in (case.headers, case.query, case.path_parameters):
            for name in list(container or {}):
                known = self.victims.get(name)
                if known is None:
                    continue
                draw = self.chance.randrange(4)
                if draw == 0:
                    container[name] = self.chance.choice(known)
                elif draw == 1 and container is not case.path_parameters:
                    del container[name]


def make_world(served: Served, database: Database) -> dict[str, list[str]]:
    async def make() -> dict[str, list[str]]:
        async with httpx.AsyncClient(base_url=served.url) as client:
            product = Product(client)
            await product.put_user("ann")
            own = await product.put_user("eve")
            acme = await product.put_workspace("acme", owner="ann", slug=CANARY)
        entity_id = str(acme["billableEntityId"])
        await store_operation(
            database.engine,
            entity_id,
            operation_key="c" * 64,
            client_idempotency_key="key-of-ann",
            status="succeeded",
            response_status=200,
            response_body=json.dumps({"canary": CANARY}).encode(),
        )
        await database.dispose()  # its connections are of this loop
        ids = [entity_id, str(own["billableEntityId"])]
        return {
            "x-billable-entity-id": ids,
            "billableEntityId": ids,
            "x-workspace-slug": [CANARY],
            "workspaceSlug": [CANARY],
            "operation_key": ["c" * 64],
            "operationKey": ["c" * 64],
            "Idempotency-Key": ["key-of-ann"],
            "externalId": ["ann", "eve", "acme"],
        }

    return asyncio.run(make())


def test_nothing_that_the_document_allows_or_forbids_breaks_anything(
    database: Database, kafka_server: KafkaBroker, topic_prefix: str
) -> None:
    asyncio.run(ensure_topics(kafka_server.bootstrap_servers, topic_prefix))
    wanted = settings(
        database_url=database.url,
        kafka=kafka_server.bootstrap_servers,
        topic_prefix=topic_prefix,
        reply_wait_seconds=0.02,  # nobody replies
        GATEWAY_RATE_USER_PER_SECOND=1e6,
        GATEWAY_RATE_SERVICE_PER_SECOND=1e6,
        GATEWAY_RATE_ACCOUNT_PER_SECOND=1e6,
        GATEWAY_RATE_ACCOUNT_WRITES_PER_MINUTE=1e6,
        GATEWAY_RATE_REPLICA_PER_SECOND=1e7,
    )
    with served_gateway(wanted) as served:
        fuzzer = Fuzzer(served, make_world(served, database))
        schema = schemathesis.openapi.from_dict(served.gateway.api.openapi())
        operations = [found.ok() for found in schema.get_all_operations()]
        each = max(CASES // (2 * len(operations)), 1)
        for operation in operations:
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                run_cases(fuzzer, operation, mode, each)
    counted = ", ".join(f"{name}: {count}" for name, count in sorted(fuzzer.counts.items()))
    sys.stdout.write(f"\nfuzz: {counted}; {len(operations)} operations, seed {SEED}\n")
    assert fuzzer.counts["cases"] >= CASES // 2
    assert any(name.startswith("status 2") for name in fuzzer.counts)


def run_cases(fuzzer: Fuzzer, operation: Any, mode: GenerationMode, count: int) -> None:
    """`count` different cases of one kind. A mode that the operation has no case for is counted."""

    @seed(SEED)
    @hypothesis_settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        fuzzer.send(case)

    try:
        send()
    except BaseException as error:
        if "Unsatisfiable" not in type(error).__name__:
            raise
        fuzzer.counts["operations without such cases"] += 1
