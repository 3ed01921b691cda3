# One image per service from this one file; build from the repository's root:
#
#   docker build -f deploy/docker/service.Dockerfile --build-arg SERVICE=checkout -t holdfast/checkout .
#
# SERVICE     a folder of services/, or stripe-double, or billing-common (the jobs: migrations, topics)
# BASE_IMAGE  a Debian with Python 3.11 or newer as python3; where Docker Hub cannot be reached:
#             holdfast-local/python:3.11-bookworm of tools/stand-in-images.sh
# Another package index: PIP_INDEX_URL and UV_DEFAULT_INDEX as build arguments (they stay in the
# build stages); its certificate: deploy/docker/certificates. No secret is needed to build.
ARG BASE_IMAGE=python:3.11-slim-bookworm

# What all services stand on, once: uv, and the libraries of billing-common.
FROM ${BASE_IMAGE} AS libraries
WORKDIR /build
ARG PIP_INDEX_URL
ARG UV_DEFAULT_INDEX
COPY deploy/docker/certificates certificates
RUN find /etc/ssl/certs/ca-certificates.crt certificates -name '*.crt' -exec cat {} + > ca.pem
ENV PIP_CERT=/build/ca.pem SSL_CERT_FILE=/build/ca.pem UV_NO_CACHE=1 UV_LINK_MODE=copy \
    UV_COMPILE_BYTECODE=1 UV_CONSTRAINT=/build/requirements/dev.txt \
    UV_BUILD_CONSTRAINT=/build/requirements/dev.txt
COPY requirements requirements
COPY libs/billing-common/pyproject.toml billing-common/pyproject.toml
# The pins are constraints, so that each image gets its own part of them; uv checks their hashes.
# A build argument that is handed on without a value is empty, which is no address: unset it.
RUN set -eu; \
    if [ -z "${PIP_INDEX_URL:-}" ]; then unset PIP_INDEX_URL; fi; \
    if [ -z "${UV_DEFAULT_INDEX:-}" ]; then unset UV_DEFAULT_INDEX; fi; \
    python3 -m venv tools; \
    tools/bin/pip install --quiet --disable-pip-version-check --no-cache-dir --require-hashes \
        --requirement requirements/bootstrap.txt; \
    python3 -m venv --without-pip /opt/holdfast; \
    tools/bin/uv pip install --quiet --python /opt/holdfast/bin/python -r billing-common/pyproject.toml

FROM libraries AS service
COPY libs libs
COPY services services
ARG SERVICE
# What this service adds to the libraries goes to /build/added. The loop fails on what has no pin.
RUN set -eu; \
    if [ -z "${UV_DEFAULT_INDEX:-}" ]; then unset UV_DEFAULT_INDEX; fi; \
    case "$SERVICE" in \
        stripe-double | billing-common) set -- "./libs/$SERVICE" ;; \
        *) set -- ./libs/billing-common "./services/$SERVICE" ;; \
    esac; \
    touch before; \
    tools/bin/uv pip install --quiet --python /opt/holdfast/bin/python "$@"; \
    tools/bin/uv pip freeze --python /opt/holdfast/bin/python | grep -v ' @ file:' > installed.txt; \
    while read -r pin; do \
        grep -qi "^$pin\( \|$\)" requirements/dev.txt || { echo "no pin for $pin" >&2; exit 1; }; \
    done < installed.txt; \
    printf '#!/bin/sh\nexec python -m %s "$@"\n' "$(echo "$SERVICE" | tr - _)" \
        > /opt/holdfast/bin/start; \
    chmod 0755 /opt/holdfast/bin/start; \
    mkdir added; \
    (cd /opt/holdfast && find . -type f -cnewer /build/before -print0 | tar -c --null -T -) \
        | tar -x -C added

FROM ${BASE_IMAGE}
RUN groupadd --system --gid 10001 holdfast \
    && useradd --system --uid 10001 --gid holdfast --no-create-home --shell /usr/sbin/nologin holdfast \
    && install -d -o holdfast -g holdfast /data
COPY --from=libraries /opt/holdfast /opt/holdfast
COPY deploy/docker/healthcheck.py /opt/holdfast/healthcheck.py
COPY --from=service /build/added /opt/holdfast
ENV PATH=/opt/holdfast/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    HTTP_HOST=0.0.0.0 HTTP_PORT=8080
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=4s --start-period=60s --retries=3 \
    CMD ["python", "/opt/holdfast/healthcheck.py"]
ENTRYPOINT ["/opt/holdfast/bin/start"]
