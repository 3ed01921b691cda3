#!/bin/bash
# Starts one Apache Kafka node as the official image does: every KAFKA_<NAME> variable becomes a
# server property (lower case; _ is a dot, __ an underscore, ___ a dash), CLUSTER_ID formats the
# storage on first start, KAFKA_HEAP_OPTS and KAFKA_OPTS go to Java.
set -euo pipefail

properties=/opt/kafka/config/server.properties
env | sed -n '
    /^KAFKA_\(HEAP_OPTS\|OPTS\|JVM_[A-Z_]*\|LOG4J_[A-Z_]*\|GC_[A-Z_]*\|JMX_[A-Z_]*\)=/d
    s/^KAFKA_\([A-Z0-9_]*=.*\)/\1/p' | while IFS='=' read -r name value; do
    name=$(printf '%s' "$name" | sed 's/___/-/g; s/__/@/g; s/_/./g; s/@/_/g' | tr '[:upper:]' '[:lower:]')
    printf '%s=%s\n' "$name" "$value"
done >"$properties"

# shellcheck disable=SC2206  # options are words
java=(java ${KAFKA_HEAP_OPTS:--Xmx256m -Xms64m} -XX:+UseSerialGC -XX:TieredStopAtLevel=1
    -Djava.awt.headless=true -Dorg.slf4j.simpleLogger.defaultLogLevel=warn ${KAFKA_OPTS:-}
    -cp '/opt/kafka/libs/*')
if [ -z "${CLUSTER_ID:-}" ]; then
    echo "CLUSTER_ID is not set: the storage cannot be formatted." >&2
    exit 1
fi
"${java[@]}" kafka.tools.StorageTool format --ignore-formatted -t "$CLUSTER_ID" -c "$properties"
exec "${java[@]}" kafka.Kafka "$properties"
