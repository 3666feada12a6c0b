#!/usr/bin/env bash
# Brings Debian's Prometheus and node_exporter where it may, as programs and not as services. Elsewhere, and where that
# fails, it says so, and what needs them is skipped in plain sight. With CI=true that is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/packages.sh

missing=no
for program in prometheus prometheus-node-exporter; do
  if ! command -v "$program" >/dev/null && may_install; then
    echo "setup: installing Debian's $program"
    install_without_services "$program=$program" || true
  fi
  if ! command -v "$program" >/dev/null; then
    echo "setup: missing: $program (Debian: apt-get install $program)" >&2
    missing=yes
  fi
done
[ "$missing" = no ] || [ "${CI:-}" != true ]
