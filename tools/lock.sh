#!/bin/sh
# Re-pins every dependency with hashes. `uv.lock` is not kept: it records registry addresses.
set -eu
cd "$(dirname "$0")/.."
members=$(sed -n 's/^name = "\(.*\)"/\1/p' libs/*/pyproject.toml services/*/pyproject.toml)
omit=""
for member in $members; do omit="$omit --no-emit-package $member"; done
# shellcheck disable=SC2086  # the word splitting is wanted
uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
    --no-header --no-annotate $omit "$@" \
    requirements/dev.in libs/*/pyproject.toml services/*/pyproject.toml -o requirements/dev.txt
# What pip itself installs first (tools/bootstrap.sh): uv, at the very pin of dev.txt.
awk '/^[a-z]/ { wanted = /^uv==/ } wanted' requirements/dev.txt >requirements/bootstrap.txt
