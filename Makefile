# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV := $(CURDIR)/.venv
TREE := $(VENV)/tree
BIN := $(VENV)/bin
PYTHON ?= python3
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
export ANSIBLE_COLLECTIONS_PATH := $(TREE)
export ANSIBLE_PIPELINING := True
export ANSIBLE_NOCOWS := 1
export PYTHONPATH := $(TREE)

.PHONY: help demo test test-properties test-lab test-fleet test-faults faults-table test-boot boot-table test-longrun long-run test-judge judge-long judge-replay test-report test-privileges test-matrix kernel-lab kernel-lab-short kernel-lab-table kernels matrix-table dist bench bench-report diagnose packages venv clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

demo: venv packages ## Show the failure, diagnose, apply, verify and revert it on a fleet of network namespaces
	@lab/demo.sh

RUN := $(SUDO) env PATH="$(BIN):$$PATH" PYTHONPATH="$(TREE)" ANSIBLE_COLLECTIONS_PATH="$(TREE)"
MATRIX ?= $(VENV)/matrix

test: venv packages ## Everything fast: reasoning, parsers, plans (seconds)
	@$(RUN) $(BIN)/pytest -q -p no:cacheprovider tests/unit

test-properties: venv ## What one lying node can cost the controller: 50 MB, a million rules, rules that fork (minutes)
	@$(RUN) $(BIN)/pytest -q -rP -p no:cacheprovider tests/limits

# Each folder below tests/lab is a tier of its own.
test-lab: venv packages $(VENV)/.reader ## Packets are the judge: every scenario and remedy in namespaces (minutes)
	@$(RUN) $(BIN)/pytest -q -p no:cacheprovider tests/lab/test_*.py

test-fleet: venv packages $(VENV)/.fleet ## Batches, kubespray, AWX, ansible-runner, ansible-pull on lab nodes (minutes)
	@$(RUN) $(BIN)/pytest -q -p no:cacheprovider tests/lab/fleet

test-faults: venv packages $(VENV)/.faults ## Kill, fill, lock and lose: every fault ends in before or after, and docs/faults.md says so (minutes)
	@$(RUN) $(BIN)/pytest -q -p no:cacheprovider tests/lab/faults

faults-table: venv packages $(VENV)/.faults ## The same, and write the table of docs/faults.md from it
	@$(RUN) FAULTS_WRITE=1 $(BIN)/pytest -q -p no:cacheprovider tests/lab/faults

test-boot: venv packages ## Reboots, new devices, syncs and flushes on lab nodes that boot a real systemd (minutes)
	@lab/packages.sh tests/lab/boot/packages.txt
	@$(RUN) $(BIN)/pytest -q -p no:cacheprovider tests/lab/boot

boot-table: venv packages ## The same, and write what was measured into docs/survival.md
	@lab/packages.sh tests/lab/boot/packages.txt
	@$(RUN) BOOT_WRITE=1 $(BIN)/pytest -q -p no:cacheprovider tests/lab/boot

LONG_RUN_SECONDS ?= 3600
LONG_RUN_SEED ?= 1
LONG_RUN = $(RUN) LONG_RUN_SEED="$(LONG_RUN_SEED)" LONG_RUN_SECONDS="$(1)" LONG_RUN_SCENARIOS="$(2)" $(BIN)/pytest -q -p no:cacheprovider tests/lab/longrun
# In short on half of the nodes: most of its time are the runs of the playbook.
SHORT_RUN = pre_fix_kube_proxy fixed_kube_proxy_calico_first flannel_0_20_1 nft_kube_proxy_calico_registered_last calico_3_29_notrack

test-longrun: venv packages ## The long run in short: 10 nodes, 20 seconds of traffic, syncs, refreshes, new devices, apply again, revert (minutes)
	@$(call LONG_RUN,20,$(SHORT_RUN))

long-run: venv packages ## 20 nodes for LONG_RUN_SECONDS=3600: no lost query outside of the promised windows, nothing left behind
	@$(call LONG_RUN,$(LONG_RUN_SECONDS),$(LONG_RUN_SCENARIOS))

# How many rule sets, and the first worker's seed. The long run is cut into pieces, each with seeds of its own.
JUDGE_RULE_SETS ?= 2000
JUDGE_SEED ?= 6
JUDGE_LONG ?= 50000
JUDGE := $(RUN) $(BIN)/python tests/lab/judge

test-judge: venv packages ## The kernel as the judge: random rule sets in the real kernel against the walk (minutes; JUDGE_RULE_SETS, JUDGE_SEED)
	@$(RUN) JUDGE_RULE_SETS=$(JUDGE_RULE_SETS) JUDGE_SEED=$(JUDGE_SEED) $(BIN)/pytest -q -p no:cacheprovider tests/lab/judge

judge-long: venv packages ## The same with 50,000 rule sets (long; JUDGE_LONG, JUDGE_SEED)
	@$(JUDGE)/long.py $(JUDGE_LONG) $(JUDGE_SEED)

judge-replay: venv packages ## Judge one rule set again, as a failure prints it: make judge-replay RULE_SET=file.json
	@$(JUDGE)/replay.py "$(RULE_SET)"

test-report: venv $(VENV)/.report ## The report's page in a real Chromium: click, filter, compare, print, axe-core, 10,000 hosts (minutes)
	@$(RUN) $(BIN)/pytest -q -p no:cacheprovider tests/report

test-privileges: venv packages ## What a user without rights can do, and what each remedy needs of root (a minute)
	@$(SUDO) lab/packages.sh tests/lab/privileges/packages.txt
	@$(RUN) $(BIN)/pytest -q -p no:cacheprovider tests/lab/privileges

test-matrix: venv packages ## Every module under each ansible-core and each Python that nodes have (minutes); one core: ONLY=2.15-py3.9
	@$(RUN) PYENV_ROOT="$${PYENV_ROOT:-$$HOME/.pyenv}" MATRIX_ENVIRONMENTS="$(MATRIX)" $(BIN)/pytest -q -p no:cacheprovider tests/lab/matrix $(if $(ONLY),-k "$(ONLY)")

# Built kernels are kept outside of the checkout where there is a place for it.
KERNEL_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/kubenet-vxlan-offload/kernels
KERNELS := $(VENV)/kernels
KERNEL_LAB = $(RUN) KERNEL_LAB_KERNELS="$(KERNELS)" $(BIN)/pytest -q -p no:cacheprovider tests/lab/kernel

kernel-lab: venv packages kernels $(VENV)/.reader ## The collection under real kernels with each defect and with none, in User Mode Linux (Debian 12; 12 to 20 minutes)
	@$(KERNEL_LAB)

kernel-lab-short: venv packages kernels $(VENV)/.reader ## The same with two remedies by ansible-playbook instead of sixteen, as in CI (minutes)
	@$(subst KERNEL_LAB_KERNELS,KERNEL_LAB_SHORT=1 KERNEL_LAB_KERNELS,$(KERNEL_LAB))

kernel-lab-table: venv packages kernels $(VENV)/.reader ## The same, and write docs/kernel-lab.md from it
	@$(subst KERNEL_LAB_KERNELS,KERNEL_LAB_WRITE=1 KERNEL_LAB_KERNELS,$(KERNEL_LAB))

kernels: packages ## Build the kernels of the kernel lab, or take them from KERNEL_CACHE
	@lab/packages.sh lab/kernel/packages.txt
	@KERNEL_CACHE="$(KERNEL_CACHE)" lab/kernel/build.sh $(KERNELS) >/dev/null

matrix-table: venv ## Write the table of the last make test-matrix into the README
	@$(BIN)/python tests/lab/matrix/table.py $(MATRIX)/results.json README.md

dist: $(VENV)/.dist ## Build the last commit's tarball into dist/, the same bytes each time
	@PATH="$(BIN):$$PATH" $(BIN)/python scripts/build_collection.py dist

bench: venv packages ## Measure node_info and the diagnose playbook against ansible ping
	@$(RUN) $(BIN)/python tests/bench/run.py

bench-report: venv $(VENV)/.report ## Measure 10,000 saved nodes: diagnosis, fleet.json, page, memory, and the page in Chromium
	@$(RUN) $(BIN)/python tests/bench/report.py

diagnose: venv ## Diagnose a real fleet, read-only: make diagnose INVENTORY=hosts.ini [ARGS='-b -K']
	@test -n "$(INVENTORY)" || { echo "say which inventory: make diagnose INVENTORY=hosts.ini" >&2; exit 2; }
	@test -e "$(INVENTORY)" || { echo "no inventory at $(INVENTORY)" >&2; exit 2; }
	@$(BIN)/ansible-playbook -i "$(INVENTORY)" --forks $(or $(FORKS),50) $(ARGS) playbooks/diagnose.yml

packages: ## Install the distribution's packages that the lab needs, or print the line that does
	@lab/packages.sh

venv: $(VENV)/.ready $(TREE)/ansible_collections/kubenet/vxlan_offload ## Make the virtual environment in the checkout

$(VENV)/.ready: tests/requirements-controller.txt
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || lab/packages.sh
	@echo "making a virtual environment in .venv"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/pip install -q --disable-pip-version-check -r tests/requirements-controller.txt
	@touch $@

$(VENV)/.reader: $(VENV)/.ready tests/requirements-reader.txt | packages
	@$(BIN)/pip install -q --disable-pip-version-check setuptools wheel
	@$(BIN)/pip install -q --disable-pip-version-check --no-build-isolation -r tests/requirements-reader.txt
	@touch $@

$(VENV)/.faults: $(VENV)/.ready tests/lab/faults/packages.txt
	@lab/packages.sh tests/lab/faults/packages.txt

$(VENV)/.dist: $(VENV)/.ready tests/requirements-dist.txt
	@$(BIN)/pip install -q --disable-pip-version-check -r tests/requirements-dist.txt
	@touch $@

$(VENV)/.report: $(VENV)/.ready tests/requirements-report.txt tests/report/packages.txt tests/report/npm.txt tests/report/package-lock.json
	@lab/packages.sh tests/report/packages.txt
	@command -v npm >/dev/null || lab/packages.sh tests/report/npm.txt
	@$(BIN)/pip install -q --disable-pip-version-check -r tests/requirements-report.txt
	@mkdir -p $(VENV)/report && cp tests/report/package.json tests/report/package-lock.json $(VENV)/report/
	@cd $(VENV)/report && npm ci --silent --ignore-scripts --no-audit --no-fund
	@touch $@

$(VENV)/.fleet: $(VENV)/.ready tests/requirements-fleet.txt tests/lab/fleet/awx_collection.py awx/execution-environment.yml
	@$(BIN)/pip install -q --disable-pip-version-check -r tests/requirements-fleet.txt
	@$(BIN)/python tests/lab/fleet/awx_collection.py $(VENV)/awx
	@$(BIN)/python tests/lab/fleet/awx_image.py
	@touch $@

$(TREE)/ansible_collections/kubenet/vxlan_offload: $(VENV)/.ready
	@mkdir -p $(dir $@) && ln -sfn $(CURDIR) $@

clean: ## Remove what make has made in the checkout
	rm -rf $(VENV)
