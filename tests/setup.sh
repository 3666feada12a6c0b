#!/usr/bin/env bash
# Brings what the tests need beside Rust. Installs packages only where it may (Debian, as root); elsewhere it says what
# is missing, and the tests that need it are skipped in plain sight. With CI=true a missing tool is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

target="${CARGO_TARGET_DIR:-target}"
missing=()

source tests/packages.sh

postgres_bin() { compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null; }

if ! postgres_bin && may_install; then
  echo "setup: installing PostgreSQL"
  # The server is started by the tests in a folder of their own; Debian's own cluster is not wanted.
  mkdir -p /etc/postgresql-common
  [ -f /etc/postgresql-common/createcluster.conf ] ||
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
  install postgresql
fi
postgres_bin || missing+=("PostgreSQL server (initdb, postgres): the database tests of users and albums")

# promtool and amtool check rules, configurations and routes.
if ! command -v promtool >/dev/null && may_install; then
  echo "setup: installing promtool"
  install_without_services prometheus=prometheus || true
fi
command -v promtool >/dev/null || missing+=("promtool (Debian: prometheus): rules, their unit tests, PromQL in dashboards")

if ! command -v amtool >/dev/null && may_install; then
  echo "setup: installing amtool"
  install_without_services prometheus-alertmanager=prometheus-alertmanager || true
fi
command -v amtool >/dev/null || missing+=("amtool (Debian: prometheus-alertmanager): the routes of notifications")

# Reads scripts for k6, to find out whether k6 could.
command -v node >/dev/null || { may_install && install nodejs; } || true
command -v node >/dev/null || missing+=("Node.js: the syntax of k6's scripts")

# A Python of its own with OpenTelemetry's SDK: a foreign client for the receivers.
venv="$target/test-python"
wanted="$(sha256sum tests/python/requirements.txt | cut -d' ' -f1)"
if [ "$(cat "$venv/.requirements" 2>/dev/null || true)" != "$wanted" ]; then
  python3 -c 'import venv, ensurepip' 2>/dev/null || { may_install && install python3 python3-venv; } || true
  if python3 -c 'import venv, ensurepip' 2>/dev/null; then
    echo "setup: Python packages of tests/python/requirements.txt"
    rm -rf "$venv"
    if python3 -m venv "$venv" &&
      "$venv/bin/pip" install --quiet --disable-pip-version-check -r tests/python/requirements.txt; then
      echo "$wanted" >"$venv/.requirements"
    fi
  fi
fi
[ -f "$venv/.requirements" ] || missing+=("Python 3 with venv and its packages: the foreign OpenTelemetry client")

# The real components that tests/tests/peers/ starts. They take minutes to build, but once a machine.
if ! tests/peers/build.sh; then
  missing+=("Go, or what it needs to build the real components (tests/peers/README.md): tests/tests/peers/")
fi

for entry in "${missing[@]}"; do
  echo "setup: missing: $entry" >&2
done
if [ "${#missing[@]}" != 0 ] && [ "${CI:-}" = true ]; then
  exit 1
fi
