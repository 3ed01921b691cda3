#!/usr/bin/env bash
# Everything that runs in containers, from a machine with no engine at all:
#
#   tools/container-tests.sh          what CI runs
#     1. an engine is started when none answers, and stopped at the end if it was started here
#     2. stand-in images, unless HOLDFAST_TEST_MYSQL_IMAGE and HOLDFAST_TEST_KAFKA_IMAGE are set
#        (to mysql:8.4 and apache/kafka:4.1.1 where they can be pulled)
#     3. the tests marked `containers`
#     4. integration tests that elsewhere use child processes: the same tests, servers in containers
#     5. tools/compose-check.sh: docker-compose.yml, and one purchase through it
#
# Fails when the engine cannot be started, when an image cannot be built, and when no test ran.
set -euo pipefail
cd "$(dirname "$0")/.."

stop_engine=no
if ! tools/docker-engine.sh status >/dev/null 2>&1; then stop_engine=yes; fi
clean_up() {
    if [ "$stop_engine" = yes ]; then tools/docker-engine.sh stop; fi
}
trap clean_up EXIT

tools/docker-engine.sh start
if [ -z "${HOLDFAST_TEST_MYSQL_IMAGE:-}" ] || [ -z "${HOLDFAST_TEST_KAFKA_IMAGE:-}" ]; then
    tools/stand-in-images.sh
    eval "$(tools/stand-in-images.sh --settings)"
fi

HOLDFAST_REQUIRE_KINDS=containers .venv/bin/python -m pytest -m containers "$@"
HOLDFAST_TEST_BACKEND=containers HOLDFAST_REQUIRE_KINDS=connected .venv/bin/python -m pytest \
    -m "connected and not mysql" tests/integration/servers/test_fixtures.py \
    tests/integration/storage tests/integration/checkout/test_happy_path.py \
    tests/integration/messaging/test_broker_restart.py "$@"
tools/compose-check.sh
