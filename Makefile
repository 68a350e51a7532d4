# The two commands a newcomer needs are `make run` and `make test`; each does its own set-up (see scripts/setup).
PY := .venv/bin/python

.PHONY: run test check bench crash oracles audit fuzz lock clean

run:  ## the demo: proxy, shop and stand-in platforms; prints what to open
	@scripts/setup run
	@.venv/bin/firsthand demo $(ARGS)

test:  ## every test, as CI runs them
	@scripts/setup test
	$(PY) -m pytest $(ARGS)

check:  ## format, lint, types; prints the script's sizes
	@scripts/setup test
	.venv/bin/ruff format --check proxy tests scripts
	.venv/bin/ruff check proxy tests scripts
	.venv/bin/mypy
	$(PY) scripts/script_size.py

bench:  ## the figures we claim (docs/performance.md)
	@scripts/setup test
	$(PY) -m tests.bench

crash:  ## kill -9 under load while platforms misbehave, many times; prints what was lost
	@scripts/setup test
	$(PY) -m tests.crash --kills 200 $(ARGS)

audit:  ## are our packages pinned, licensed, alive and without known holes? (needs the network for the last)
	@scripts/setup test
	$(PY) scripts/audit.py

fuzz:  ## coverage-guided fuzzing, SECONDS (60) for each of TARGETS (all); prints inputs tried and faults found
	scripts/fuzz --seconds $(or $(SECONDS),60) $(TARGETS)

oracles:  ## official SDKs judge our payloads, in an environment of their own
	scripts/oracles

lock:  ## resolve the dependencies anew and write requirements/*.txt with hashes
	scripts/lock

clean:
	rm -rf .venv npm/node_modules npm/dist proxy/static/built build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
