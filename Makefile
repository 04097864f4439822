# Two commands do everything: `make demo` shows a computation over real data, `make test` runs every test. Both install
# what they need. Builds are kept outside the checkout, so that the second run starts at once.

CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/millstream
export CARGO_TARGET_DIR ?= $(CACHE)/target
MILLSTREAM = $(CARGO_TARGET_DIR)/release/millstream

.PHONY: demo test test-unit test-sql test-whole test-cluster test-docs check setup build clean-cache

demo: setup
	@scripts/demo

test: setup test-unit test-whole test-cluster test-docs
	@echo "all suites passed"

# The libraries' own tests: operators and their semantics cases, formats, connectors, planners, whole jobs in one process.
test-unit: setup
	cargo test --workspace --exclude millstream-tests --locked --lib --bins --tests

# The binary as a person would run it: examples, their answers compared with sqlite's, exit codes; and what documents say.
test-whole: setup
	cargo build --locked --workspace
	cargo test --locked --workspace --test whole

# Clusters of real processes on loopback: the same answers, and what happens when parts of them fail.
test-cluster: setup
	cargo build --locked --workspace
	cargo test --locked --workspace --test cluster

# What the other suites have of SQL, alone: plans, semantics cases, queries end to end.
test-sql: setup
	cargo test --locked -p millstream-planner --lib sql
	cargo build --locked --workspace
	cargo test --locked --workspace --test whole -- sql nexmark flights

test-docs: setup
	cargo test --workspace --locked --doc

# What CI checks before it tests.
check: setup
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

build: setup
	cargo build --release --locked -p millstream

setup:
	@scripts/setup

clean-cache:
	rm -rf "$(CACHE)"
