# Debian's own Python on a bootstrapped Debian: stands in for python:3.11-slim-bookworm where no
# image can be pulled. The build runs on the host's network, with the host's package sources.
FROM holdfast-local/debian:bookworm
LABEL org.holdfast.stand-in="Debian's Python 3.11, not the official image"
RUN apt-get -q update \
    && DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends \
        python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
