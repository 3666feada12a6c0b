#!/usr/bin/env bash
# Runs every fuzz target, or those that are named, for a minute each (FUZZ_SECONDS), beginning with what is in fuzz/seeds.
# Stops at the first finding, which lies below fuzz/artifacts then; mended, it belongs to the seeds, which
# `cargo test -p tests --test fuzz_seeds` runs with any compiler.
set -euo pipefail
cd "$(dirname "$0")"
if ! cargo +nightly fuzz --version > /dev/null 2>&1; then
    echo "fuzzing needs a nightly toolchain and cargo-fuzz:" >&2
    echo "hint: rustup toolchain install nightly && cargo install cargo-fuzz" >&2
    exit 2
fi
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(cargo +nightly fuzz list)
for target in "${targets[@]}"; do
    echo "== $target"
    mkdir -p "corpus/$target"
    seeds=()
    [ ! -d "seeds/$target" ] || seeds=("seeds/$target")
    cargo +nightly fuzz run "$target" "corpus/$target" "${seeds[@]}" -- -max_total_time="${FUZZ_SECONDS:-60}" -rss_limit_mb=2048
done
