#!/usr/bin/env bash
# Proves docker-compose.yml and the images: builds them, starts the whole stack as a project of its
# own (random secrets, free ports), waits until every service is healthy, buys one subscription end
# to end, and removes everything again.
#
#   tools/compose-check.sh          needs an engine (tools/docker-engine.sh start) and `make setup`
#
# Where no image can be pulled: eval "$(tools/stand-in-images.sh --settings)" first.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
export COMPOSE_PROJECT_NAME=holdfast-check-$$
healthy_seconds=120

say() { printf '[compose] %s\n' "$*"; }
die() {
    printf '[compose] failed: %s\n' "$1" >&2
    exit 1
}

if docker compose version >/dev/null 2>&1; then
    compose=(docker compose)
else
    if ! command -v docker-compose >/dev/null 2>&1; then
        [ "$(id -u)" = 0 ] || die "there is no docker compose; install your system's package for it."
        say "installing docker-compose"
        { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y install \
            --no-install-recommends docker-compose; } </dev/null >"$work/apt.log" 2>&1 ||
            { tail -n 15 "$work/apt.log" >&2 && die "docker-compose could not be installed."; }
    fi
    compose=(docker-compose)
    # The old client builds through the engine itself.
    export DOCKER_BUILDKIT=0 COMPOSE_DOCKER_CLI_BUILD=0
fi
compose+=(--env-file "$work/env")

clean_up() {
    "${compose[@]}" down --volumes --timeout 20 >"$work/down.log" 2>&1 || cat "$work/down.log" >&2
    rm -rf "$work"
}

tools/compose-env.sh "$work/env" >/dev/null
for name in GATEWAY INGEST CHECKOUT PROJECTION RECONCILER STRIPE_DOUBLE DATABASE KAFKA; do
    port=$(.venv/bin/python -c 'from holdfast_cli.servers import free_port; print(free_port())')
    export "HOLDFAST_${name}_PORT=$port"
done
# A build on the engine's own network may not reach the package index on a restricted machine.
export HOLDFAST_BUILD_NETWORK=${HOLDFAST_BUILD_NETWORK:-host}
trap clean_up EXIT

say "$("${compose[@]}" version 2>/dev/null | head -n 1), on Docker $(docker version --format '{{.Server.Version}}')"
begun=$SECONDS
"${compose[@]}" build >"$work/build.log" 2>&1 || { tail -n 30 "$work/build.log" >&2 && die "the build"; }
say "images built in $((SECONDS - begun)) s"

begun=$SECONDS
"${compose[@]}" up --detach >"$work/up.log" 2>&1 || {
    tail -n 30 "$work/up.log" >&2
    "${compose[@]}" logs --tail 15 >&2 || true
    die "the start"
}
services=$("${compose[@]}" config --services | grep -Ev '^(accounts|migrations|grants|topics)$')
for service in $services; do
    container=$("${compose[@]}" ps -q "$service")
    until [ "$(docker inspect --format '{{.State.Health.Status}}' "$container")" = healthy ]; do
        if ((SECONDS - begun > healthy_seconds)); then
            docker logs --tail 20 "$container" >&2
            die "$service is not healthy after $healthy_seconds s; its last lines are above"
        fi
        sleep 0.5
    done
done
say "all healthy after $((SECONDS - begun)) s: $(echo "$services" | tr '\n' ' ')"

.venv/bin/python tools/compose_purchase.py "$work/env" | sed "/^The stack stays up/,\$d" || {
    "${compose[@]}" logs --tail 25 >&2
    die "the purchase"
}
say "one subscription bought through the containers"
