# SPDX-License-Identifier: GPL-3.0-or-later
#
# The two commands are `make demo` and `make test`; `make help` lists the rest.
# Everything made here lies in .venv and build: `make clean` removes both.

MAKEFLAGS += --no-builtin-rules --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

bin := .venv/bin
collections := $(CURDIR)/build/collections
installed := build/collections/.installed

# What the artifact is made of; directories too, so that a removed file counts as a change. Absolute: `docs` is also a target.
published := COPYING README.md CHANGELOG.md galaxy.yml changelogs docs inventories/bare-metal inventories/openstack meta playbooks plugins roles
sources := $(shell find $(abspath $(wildcard $(published))) -name __pycache__ -prune -o -print)

tiers = PYTHONPATH=tests $(bin)/python -m tiers

export PATH := $(CURDIR)/$(bin):$(PATH)
export ANSIBLE_COLLECTIONS_PATH := $(collections)
export ANSIBLE_HOME := $(CURDIR)/build/ansible

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z -]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: host-packages build ## provision two virtual machines from bare to working RDMA, and show the proof
	@$(bin)/python tools/demo.py

.PHONY: test test-all
test: ## prepare this machine, then run unit, lint, sanity and lab tests
test-all: ## the same, with every scenario of the lab
test-all: scope := --all
test test-all:
	@$(MAKE) host-packages build $(collections)/.others || { echo '0 passed, 1 failed, 0 skipped'; exit 1; }
	@$(tiers) $(scope) unit lint sanity lab

.PHONY: test-unit lint format sanity test-lab
test-unit: build ## run the unit tests, against the installed artifact
	@$(tiers) unit

lint: build $(collections)/.others ## run every linter
	@$(tiers) lint

format: venv ## let ruff format the Python files, and mend what it can
	@ruff check --config=pyproject.toml --fix --exit-zero --quiet
	@ruff format --config=pyproject.toml

sanity: build ## run ansible-test sanity on the installed artifact
	@$(tiers) sanity

test-lab: host-packages build ## run the lab's scenarios that belong to `make test`
	@$(tiers) lab

.PHONY: scenario
scenario: host-packages build ## run one scenario of the lab: make scenario ONLY=site@debian12
	@$(tiers) --only $(ONLY) lab

# The collections that the playbooks for OpenStack and Kubernetes use beside this one, for which linters look too, and the release of the
# package that carries them.
others := openstack.cloud kubernetes.core
carrier := 14.5.0

.PHONY: test-openstack
test-openstack: host-packages build $(collections)/.others ## provision and reimage servers of a small OpenStack; CASES=all for every failure
	@lab/install-host-packages openstack
	@$(bin)/pytest tests/openstack
	@PYTHONPATH=tests $(bin)/python tools/test_openstack.py $(if $(CASES),--cases '$(CASES)') $(if $(NODES),--nodes $(NODES))
.PHONY: test-kubernetes
test-kubernetes: host-packages build $(collections)/.others ## make a cluster of two machines whose pods exchange RDMA, reboot and upgrade it; CASE=control-planes: three control planes; CASE=load-balancer: an endpoint of yours; CASE=mpi: a job of MPI; CASE=exclusive: virtual functions for pods, as far as it goes
	@lab/install-host-packages kubernetes
	@PYTHONPATH=tests $(bin)/python tools/test_kubernetes.py $(if $(KEEP),--keep) $(if $(CASE),--case $(CASE))
$(collections)/.others: | .venv/.installed
	@$(bin)/python tools/collections_of_ansible.py $(carrier) $(collections) $(others)
	@touch $@

.PHONY: bench-fabric
bench-fabric: host-packages build ## measure what one run of the module fabric costs, beside other ways
	@$(bin)/python tools/bench_fabric.py

.PHONY: docs docs-check
docs: build ## write the argument tables of the roles' READMEs
	@$(bin)/python tools/role_readmes.py

docs-check: build ## check documentation only: role READMEs, plugin docs
	@$(bin)/python tools/role_readmes.py --check
	@cd $(collections)/ansible_collections/railhead/cluster && antsibull-docs lint-collection-docs --plugin-docs .

.PHONY: build
build: venv $(installed) ## build the artifact and install it below build/collections
	@:
$(installed): $(sources) | .venv/.installed
	@rm -rf build/artifact
	@ansible-galaxy collection build --output-path build/artifact
	@ansible-galaxy collection install --force --no-deps --offline --collections-path $(collections) build/artifact/*.tar.gz
	@touch $@

.PHONY: venv
venv: .venv/.installed ## make the Python environment of the tests in .venv
	@:
.venv/.installed: requirements-dev.txt tools/make-venv $(wildcard lab/pyproject.toml)
	@tools/make-venv .venv
	@touch $@

.PHONY: host-packages
host-packages: ## install the Debian packages that the lab needs (asks sudo when not root)
	@lab/install-host-packages

.PHONY: clean
clean: ## remove everything that was made here
	rm -rf .ansible .venv build
