# Apache Kafka itself, from its own jars (folder libs of the build context) on Debian's Java: stands
# in for apache/kafka where no image can be pulled. It takes CLUSTER_ID and the KAFKA_ variables of
# the official image.
FROM holdfast-local/debian:bookworm
LABEL org.holdfast.stand-in="Apache Kafka from its published jars, not the official image"
RUN apt-get -q update \
    && DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends \
        openjdk-17-jre-headless \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 1000 --home-dir /opt/kafka appuser \
    && install -d -o appuser -g appuser /opt/kafka/config /var/lib/kafka/data
COPY libs /opt/kafka/libs
COPY kafka-entrypoint.sh /etc/kafka/docker/run
USER appuser
EXPOSE 9092
CMD ["/etc/kafka/docker/run"]
