#!/usr/bin/env bash
# A Docker engine for this machine's tests, when it has none.
#
#   tools/docker-engine.sh start    use the engine that answers; else install Debian's docker.io and
#                                   start one by hand as root. Exit 0: an engine answers.
#                                   Exit 1: none could be started, and the reason is printed.
#   tools/docker-engine.sh stop     stop the engine that `start` started; others are left alone
#   tools/docker-engine.sh status   which engine answers, and whether it is ours (exit 1: none)
#
# Images stay in $XDG_CACHE_HOME (~/.cache)/holdfast/docker-engine, so that a second
# run need not build them again. With DOCKER_HOST set, that engine is the only one looked at.
# For the Makefile: `tools/docker-engine.sh start && tools/stand-in-images.sh && pytest ...`,
# and `tools/docker-engine.sh stop` at the end, whatever happened.
set -euo pipefail

cache=${XDG_CACHE_HOME:-$HOME/.cache}/holdfast/docker-engine
pid_file=$cache/dockerd.pid
log=$cache/dockerd.log
start_seconds=${HOLDFAST_DOCKER_START_SECONDS:-30}

say() { printf '[docker] %s\n' "$*"; }
die() {
    printf '[docker] no engine: %s\n' "$1" >&2
    shift
    for line in "$@"; do printf '         %s\n' "$line" >&2; done
    exit 1
}

engine_version() { timeout 10 docker version --format '{{.Server.Version}}' 2>/dev/null; }
answers() { command -v docker >/dev/null 2>&1 && [ -n "$(engine_version)" ]; }

our_pid() {
    local pid
    pid=$(cat "$pid_file" 2>/dev/null) || return 1
    # The number may belong to another process by now.
    tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -q "^[^ ]*dockerd .*$cache" && echo "$pid"
}

describe() {
    docker info --format 'Docker {{.ServerVersion}}, {{.Driver}}, on {{.OperatingSystem}}' 2>/dev/null
}

install_engine() {
    command -v dockerd >/dev/null 2>&1 && command -v docker >/dev/null 2>&1 && return
    [ "$(id -u)" = 0 ] || die "docker.io is not installed and this user is not root." \
        "Run as root: apt-get install docker.io; then add yourself to the group docker."
    command -v apt-get >/dev/null 2>&1 || die "docker is not installed and there is no apt-get." \
        "Install Docker as your system does it, then run this again."
    say "installing docker.io"
    local apt_log
    apt_log=$(mktemp)
    if ! { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y install \
        --no-install-recommends docker.io; } </dev/null >"$apt_log" 2>&1; then
        tail -n 15 "$apt_log" >&2
        rm -f "$apt_log"
        die "docker.io could not be installed; apt-get's last words are above."
    fi
    rm -f "$apt_log"
}

# Starts dockerd with the given options and waits for its answer; 1 when it ended or said nothing.
try_start() {
    mkdir -p "$cache/data" "$cache/exec"
    printf '\n--- dockerd %s\n' "$*" >>"$log"
    # No engine runs under this folder (our_pid said so), so what is left there is stale.
    rm -f "$pid_file" "$cache/exec/containerd/containerd.pid"
    setsid dockerd --data-root "$cache/data" --exec-root "$cache/exec" --pidfile "$pid_file" \
        --host unix:///var/run/docker.sock --log-level warn "$@" </dev/null >>"$log" 2>&1 &
    local child=$! waited=0
    while ((waited < start_seconds * 4)); do
        answers && return 0
        kill -0 "$child" 2>/dev/null || return 1
        sleep 0.25
        waited=$((waited + 1))
    done
    end_process "$child"
    return 1
}

end_process() {
    local pid=$1 waited=0
    kill -TERM "$pid" 2>/dev/null || return 0
    while kill -0 "$pid" 2>/dev/null; do
        if ((waited == 80)); then kill -KILL "$pid" 2>/dev/null || true; fi
        if ((waited > 100)); then return 1; fi
        sleep 0.25
        waited=$((waited + 1))
    done
}

start() {
    if answers; then
        say "using $(describe)"
        return
    fi
    [ -z "${DOCKER_HOST:-}" ] || die "DOCKER_HOST=$DOCKER_HOST does not answer." \
        "Start that engine, or unset DOCKER_HOST."
    install_engine
    if [ -d /run/systemd/system ]; then
        systemctl start docker >/dev/null 2>&1 || true
        if answers; then
            say "using $(describe), started by systemd"
            return
        fi
    fi
    [ "$(id -u)" = 0 ] || die "the installed engine does not answer and this user is not root." \
        "Run as root: systemctl start docker (or: dockerd)"
    mkdir -p "$cache"
    : >"$log"
    # From the full engine down to what a restricted machine allows: another storage driver, then
    # published ports through docker's own proxy only, then containers on the machine's network.
    local options
    for options in "" "--storage-driver=vfs" "--iptables=false --ip6tables=false" \
        "--iptables=false --ip6tables=false --storage-driver=vfs" \
        "--iptables=false --ip6tables=false --bridge=none --storage-driver=vfs"; do
        # shellcheck disable=SC2086  # the word splitting is wanted
        if try_start $options; then
            say "started $(describe)${options:+ with $options}"
            return
        fi
    done
    tail -n 12 "$log" >&2
    die "dockerd could not be started; its last words are above, all of them in $log." \
        "The tests marked 'containers' cannot run on this machine."
}

stop() {
    local pid
    if ! pid=$(our_pid); then
        say "none of ours runs"
        return
    fi
    end_process "$pid" || die "dockerd (pid $pid) does not end; see $log"
    # dockerd leaves these behind.
    ip link delete docker0 2>/dev/null || true
    umount "$cache"/exec/netns/* 2>/dev/null || true
    rm -f "$pid_file"
    say "stopped (pid $pid)"
}

status() {
    if ! answers; then
        say "no engine answers"
        return 1
    fi
    local pid
    if pid=$(our_pid); then say "ours (pid $pid): $(describe)"; else say "the machine's: $(describe)"; fi
}

case ${1:-} in
start | stop | status) "$1" ;;
*) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0" && exit 2 ;;
esac
