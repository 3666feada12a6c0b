# Mirante without Docker. `make` alone lists what there is.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
UP ?=
PARTS ?=

.PHONY: help up test test-setup lint bench bench-metrics fuzz

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

up: ## Build and start the stack and the demo (flags: make up UP="--port-offset 100")
	cargo run --release --locked -- up $(UP)

lint: ## Format, clippy, house rules
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

test-setup: ## What the tests need beside Rust: PostgreSQL, promtool, amtool, Node, Python, real components built with Go
	tests/setup.sh

test: test-setup ## Set up what the tests need, then run every test
	cargo build --locked --bin mirante
	cargo test --workspace --locked --no-fail-fast

bench: ## The figures of docs/BENCHMARKS.md, printed anew
	cargo build --release --locked --bin mirante
	cargo bench --workspace --locked --benches

bench-metrics: ## Debian's Prometheus and mirante on the same data: queries, writing, memory, blocks (PARTS="queries write")
	tests/prometheus.sh
	cargo build --release --locked --bin mirante
	cargo bench --locked -p tests --bench metrics -- $(PARTS)

fuzz: ## A minute for each decoder and parser (needs a nightly toolchain and cargo-fuzz)
	fuzz/run.sh
