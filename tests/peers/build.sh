#!/usr/bin/env bash
# Builds the real components that tests/tests/peers/ starts, from their Go modules, in the versions of tests/peers/versions.
# Each is built once a machine, into ${XDG_CACHE_HOME:-~/.cache}/mirante/peers/PROGRAM-VERSION/PROGRAM.
#
#   tests/peers/build.sh             all of them
#   tests/peers/build.sh NAME…       some: otelcol telemetrygen prometheus alertmanager k6 pyrra
#
# Exit status 3: there is no Go.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
store="${XDG_CACHE_HOME:-$HOME/.cache}/mirante/peers"
flags=(-trimpath -buildvcs=false -ldflags "-s -w")

version() { awk -v name="$1" '$1 == name { print $2 }' "$here/versions"; }
place() { echo "$store/$1-$(version "$1")/$1"; }

# Their go.mod files speak for themselves: no workspace, no flags of the user's.
export CGO_ENABLED=0 GOWORK=off GOFLAGS=

# The folder of a module's source, downloaded and held against Go's checksum database.
module() { # path@version
  (cd "$scratch" && go mod download -json "$1") | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p'
}

# A copy that can be written to. The archives lack the web front ends that their releases embed: an empty page stands in.
copy_with_page() { # path@version, folder of the front end
  local source
  source="$(module "$1")"
  rm -rf "$scratch/source"
  cp -r "$source" "$scratch/source"
  chmod -R u+w "$scratch/source"
  mkdir -p "$scratch/source/$2"
  echo '<!doctype html><title>no front end in this build</title>' >"$scratch/source/$2/index.html"
  cd "$scratch/source"
}

build_otelcol() {
  cd "$scratch"
  go run -trimpath "go.opentelemetry.io/collector/cmd/builder@v$(version otelcol)" \
    --config "$here/otelcol.yaml" --skip-compilation >&2
  cd otelcol
  go build "${flags[@]}" -o "$out/otelcol" .
}

build_telemetrygen() {
  cd "$here/telemetrygen"
  go build "${flags[@]}" -o "$out/" github.com/open-telemetry/opentelemetry-collector-contrib/cmd/telemetrygen
}

# Prometheus 3.14.0 is module version v0.314.0. Our files name addresses alone: no service discovery is linked in.
build_prometheus() {
  local tag
  tag="$(version prometheus | sed 's/^3\.\([0-9]*\)\./v0.3\1./')"
  cd "$(module "github.com/prometheus/prometheus@$tag")"
  go build "${flags[@]}" -tags remove_all_sd -o "$out/" ./cmd/prometheus ./cmd/promtool
}

build_alertmanager() {
  copy_with_page "github.com/prometheus/alertmanager@v$(version alertmanager)" ui/app/dist
  go build "${flags[@]}" -o "$out/" ./cmd/alertmanager ./cmd/amtool
}

build_k6() {
  cd "$(module "go.k6.io/k6/v2@v$(version k6)")"
  go build "${flags[@]}" -o "$out/k6" .
}

build_pyrra() {
  copy_with_page "github.com/pyrra-dev/pyrra@v$(version pyrra)" ui/build
  go build "${flags[@]}" -o "$out/pyrra" .
}

programs_of() {
  case "$1" in
    prometheus) echo prometheus promtool ;;
    alertmanager) echo alertmanager amtool ;;
    otelcol | telemetrygen | k6 | pyrra) echo "$1" ;;
    *) echo "$0: no recipe for $1" >&2; exit 2 ;;
  esac
}

is_there() {
  local program
  for program in $(programs_of "$1"); do
    [ -x "${MIRANTE_PEERS_DIR:-/nowhere}/$program" ] || [ -x "$(place "$program")" ] || return 1
  done
}

scratch="" # made when there is something to build
clean() {
  [ -z "$scratch" ] || { chmod -R u+w "$scratch"; rm -rf "$scratch"; }
}
trap clean EXIT

[ "$#" != 0 ] || set -- otelcol telemetrygen prometheus alertmanager k6 pyrra
failed=()
for component in "$@"; do
  programs="$(programs_of "$component")"
  ! is_there "$component" || continue
  command -v go >/dev/null || exit 3
  if [ -z "$scratch" ]; then
    mkdir -p "$store"
    # Not below /tmp, which may be small. What Go compiles on the way is thrown away: some gigabytes.
    scratch="$(mktemp -d "$store/building.XXXXXX")"
    export GOCACHE="$scratch/cache"
  fi
  echo "peers: building $component $(version "$component") (once a machine, minutes)"
  began="$SECONDS"
  out="$scratch/out"
  rm -rf "$out"
  mkdir "$out"
  # Not as a condition: within one, the shell would go on after an error.
  set +e
  (set -e; "build_$component") 2>"$scratch/log"
  status=$?
  set -e
  if [ "$status" = 0 ]; then
    for program in $programs; do
      mkdir -p "$(dirname "$(place "$program")")"
      mv "$out/$program" "$(place "$program")"
    done
    echo "peers: $component is built, $((SECONDS - began)) s"
  else
    tail -n 20 "$scratch/log" >&2
    echo "peers: $component could not be built" >&2
    failed+=("$component")
  fi
done
[ "${#failed[@]}" = 0 ]
