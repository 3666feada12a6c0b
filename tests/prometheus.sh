#!/usr/bin/env bash
# Brings Debian's Prometheus where it may, as a program and not as a service. Elsewhere, and where that fails, it says so,
# and what needs it is skipped in plain sight. With CI=true that is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/packages.sh

if ! command -v prometheus >/dev/null && may_install; then
  echo "setup: installing Debian's prometheus"
  install_without_services prometheus=prometheus || true
fi
if ! command -v prometheus >/dev/null; then
  echo "setup: missing: prometheus (Debian: apt-get install prometheus)" >&2
  [ "${CI:-}" != true ]
fi
