#!/usr/bin/env bash
# Builds the images that the container tests use where no official image can be pulled:
#
#   holdfast-local/debian:bookworm       debootstrap's result, from this machine's package mirror
#   holdfast-local/python:3.11-bookworm  that and Debian's Python: a base for the services
#   holdfast-local/mysql-stand-in:10.11  MariaDB 10.11 (NOT MySQL), obeys MYSQL_* and conf.d
#   holdfast-local/kafka:4.1.1           Apache Kafka's own jars on Debian's Java, obeys KAFKA_*
#
#   tools/stand-in-images.sh             build what is missing or whose recipe changed
#   tools/stand-in-images.sh --settings  only print the settings that make the tests and
#                                        docker-compose.yml use them: eval "$(... --settings)"
#
# Needs a running engine (tools/docker-engine.sh start), Debian 12, root, and `make setup`.
set -euo pipefail
cd "$(dirname "$0")/.."

base=holdfast-local/debian:bookworm
python_image=holdfast-local/python:3.11-bookworm
mysql_image=holdfast-local/mysql-stand-in:10.11
kafka_image=holdfast-local/kafka:4.1.1
recipes=deploy/docker/stand-in
label=org.holdfast.recipe

say() { printf '[images] %s\n' "$*"; }
die() {
    printf '[images] cannot build: %s\n' "$1" >&2
    shift
    for line in "$@"; do printf '         %s\n' "$line" >&2; done
    exit 1
}

if [ "${1:-}" = --settings ]; then
    printf 'export %s\n' "HOLDFAST_TEST_MYSQL_IMAGE=$mysql_image" \
        "HOLDFAST_TEST_KAFKA_IMAGE=$kafka_image" "HOLDFAST_MYSQL_IMAGE=$mysql_image" \
        "HOLDFAST_KAFKA_IMAGE=$kafka_image" "HOLDFAST_PYTHON_IMAGE=$python_image" \
        "TESTCONTAINERS_RYUK_DISABLED=true"
    exit
fi

work=$(mktemp -d)
clean_up() {
    if mountpoint -q "$work/base"; then umount "$work/base"; fi
    rm -rf "$work"
}
trap clean_up EXIT

recipe_of() { docker image inspect --format "{{index .Config.Labels \"$label\"}}" "$1" 2>/dev/null; }
digest() { cat "$@" | sha256sum | cut -c1-16; }

# The Debian mirror that this machine itself uses: no address stands in a file of ours.
mirror() {
    local site
    site=$(apt-get indextargets --format '$(SITE)' 'Identifier: Packages' 'Codename: bookworm' \
        'Component: main' 2>/dev/null | head -n 1)
    [ -n "$site" ] || die "this machine has no Debian 12 package source to take the base from." \
        "With Docker Hub reachable no stand-in is needed: unset HOLDFAST_TEST_*_IMAGE."
    printf '%s' "$site"
}

install_debootstrap() {
    command -v debootstrap >/dev/null 2>&1 && return
    say "installing debootstrap"
    { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y install \
        --no-install-recommends debootstrap; } </dev/null >"$work/apt.log" 2>&1 ||
        { tail -n 15 "$work/apt.log" >&2 && die "debootstrap could not be installed."; }
}

build_base() {
    local recipe begun=$SECONDS
    recipe=$(declare -f build_base | digest -)
    if [ "$(recipe_of $base)" = "$recipe" ]; then
        say "$base is there"
        return
    fi
    [ "$(id -u)" = 0 ] || die "debootstrap needs root."
    install_debootstrap
    say "$base: bootstrapping Debian 12"
    local source
    source=$(mirror)
    # Unpacked in memory where that is allowed: half the time, for dpkg waits for the disk a lot.
    mkdir "$work/base"
    mount -t tmpfs -o size=1g tmpfs "$work/base" 2>/dev/null || true
    debootstrap --variant=minbase --include=ca-certificates bookworm "$work/base" "$source" \
        >"$work/debootstrap.log" 2>&1 ||
        { tail -n 15 "$work/debootstrap.log" >&2 && die "debootstrap failed; see above."; }
    # The machine's own trust: its package index may answer with a certificate of its own.
    if [ -r /etc/ssl/certs/ca-certificates.crt ]; then
        cp /etc/ssl/certs/ca-certificates.crt "$work/base/etc/ssl/certs/ca-certificates.crt"
    fi
    rm -rf "$work/base/var/cache/apt/archives"/*.deb "$work/base/var/lib/apt/lists"/*
    # Later packages: no manuals, and no waiting for the disk in a build that starts over anyway.
    printf '%s\n' force-unsafe-io 'path-exclude /usr/share/doc/*' 'path-exclude /usr/share/man/*' \
        >"$work/base/etc/dpkg/dpkg.cfg.d/holdfast"
    tar -C "$work/base" -c . | docker import --change "LABEL $label=$recipe" \
        --change 'ENV LANG=C.UTF-8' - "$base" >/dev/null
    umount "$work/base" 2>/dev/null || true
    rm -rf "$work/base"
    say "$base: built in $((SECONDS - begun)) s"
}

# build NAME RECIPE-FILE [FILE-OR-FOLDER...]: the files are the build's whole context.
build() {
    local image=$1 dockerfile=$recipes/$2 begun=$SECONDS recipe
    shift 2
    local files=()
    for part in "$@"; do if [ -f "$part" ]; then files+=("$part"); fi; done
    recipe=$(recipe_of $base)-$(digest "$dockerfile" "${files[@]}")
    if [ "$(recipe_of "$image")" = "$recipe" ]; then
        say "$image is there"
        return
    fi
    say "$image: building"
    local context
    context=$(mktemp -d -p "$work")
    if [ "$#" -gt 0 ]; then cp -r "$@" "$context"; fi
    # The classic builder: it needs no plugin and no image of its own.
    DOCKER_BUILDKIT=0 docker build --network host --label "$label=$recipe" --tag "$image" \
        --file "$dockerfile" "$context" >"$context.log" 2>&1 ||
        { tail -n 25 "$context.log" >&2 && die "$image failed; its last words are above."; }
    touch "$work/rebuilt"
    say "$image: built in $((SECONDS - begun)) s"
}

fetch_kafka_jars() {
    [ -x .venv/bin/python ] || die ".venv is not there." "Run: make setup"
    .venv/bin/python - <<'PYTHON'
from __future__ import annotations

import shutil
import sys

from holdfast_cli.servers.errors import ServerStartFailed
from holdfast_cli.servers.install import (
    default_cache_dir,
    fetch_kafka_jars,
    install_java_and_maven,
)


def say(line: str) -> None:
    print(f"[images] {line}", file=sys.stderr)


try:
    if shutil.which("mvn") is None:
        install_java_and_maven(say=say)
    print(fetch_kafka_jars(default_cache_dir(), say=say))
except ServerStartFailed as failure:
    sys.exit(str(failure))
PYTHON
}

docker version >/dev/null 2>&1 || die "no Docker engine answers." \
    "Start one: tools/docker-engine.sh start"
jars=$(fetch_kafka_jars) || die "Kafka's jars could not be had."
build_base
# Two at a time: each is half download, half unpacking.
build "$mysql_image" mysql.Dockerfile $recipes/mysql-entrypoint.sh &
mysql_build=$!
build "$kafka_image" kafka.Dockerfile $recipes/kafka-entrypoint.sh "$jars"
build "$python_image" python.Dockerfile
wait "$mysql_build"
# What was replaced goes; the label is inherited, so otherwise the services' build cache would, too.
if [ -e "$work/rebuilt" ]; then
    docker image prune --force --filter "label=$label" >/dev/null
fi
say "all there; to use them: eval \"\$(tools/stand-in-images.sh --settings)\""
