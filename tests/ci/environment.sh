# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Sourced by .ci/run and step.sh: where the checks run, and with what. Everything is below CI_WORK, which git ignores.

# A checkout that belongs to somebody else is no reason for git to refuse reading it.
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
CI_ROOT=$(git -C "$(dirname "${BASH_SOURCE[0]}")" rev-parse --show-toplevel)
CI_WORK=${CI_WORK:-$CI_ROOT/.venvs/ci}
CI_LOGS=${CI_LOGS:-$CI_WORK/logs}
# ansible-test insists on this path and resolves symlinks; make's targets run in a clone as a user has it.
CI_TREE=$CI_WORK/tree/ansible_collections/kubenet/vxlan_offload
CI_CHECKOUT=$CI_WORK/checkout
CI_ENVIRONMENTS=$CI_WORK/environments
export CI_ROOT CI_WORK CI_LOGS CI_TREE CI_CHECKOUT CI_ENVIRONMENTS

# Not the user's: a collection installed there would win over the tree. pip's downloads may be shared.
export PIP_CACHE_DIR=${PIP_CACHE_DIR:-${HOME:-/root}/.cache/pip}
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
# Built kernels may be shared with other checkouts; they are keyed by everything that they are made of.
export KERNEL_CACHE=${KERNEL_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/kubenet-vxlan-offload/kernels}
pyenv_root=${PYENV_ROOT:-${HOME:-/root}/.pyenv}
export HOME=$CI_WORK/home
mkdir -p "$HOME"
unset ANSIBLE_CONFIG ANSIBLE_COLLECTIONS_PATH PYTHONPATH PYENV_VERSION
# What is compiled once need not be compiled by each of the thousand processes that the tests start.
unset PYTHONDONTWRITEBYTECODE
export ANSIBLE_NOCOLOR=1 NO_COLOR=1 LC_ALL=C.UTF-8

# pyenv's shims answer for Pythons that they then refuse to run: the real directories instead, after the system's.
PATH=$(printf %s "$PATH" | tr ':' '\n' | grep -v '/shims$' | paste -sd:)
for bin in "$pyenv_root"/versions/*/bin; do
  [ -d "$bin" ] && PATH=$PATH:$bin
done
export PATH

# Prints the path of the first Python of the given versions.
python_of() {
  local version
  for version in "$@"; do
    command -v "python$version" && return
  done
  echo "none of the Pythons $* is on this machine" >&2
  return 1
}

# environment NAME VERSION...: the virtual environment of tests/requirements-NAME.txt, made anew when that file changed.
environment() {
  local name=$1 python list stamp
  shift
  list=$CI_ROOT/tests/requirements-$name.txt
  stamp=$(cksum < "$list")
  [ "$(cat "$CI_ENVIRONMENTS/$name/.stamp" 2>/dev/null)" = "$stamp" ] && return
  python=$(python_of "$@") || return
  echo "making $name with $python"
  "$python" -m venv --clear "$CI_ENVIRONMENTS/$name"
  "$CI_ENVIRONMENTS/$name/bin/pip" install -q -r "$list" 2> >(grep -v "WARNING: Location" >&2)
  echo "$stamp" > "$CI_ENVIRONMENTS/$name/.stamp"
}

# Those of tests/lab/matrix/versions.py: matrix/core-LINE-pyVERSION and matrix/node-VERSION.
matrix_environments() {
  python3 "$CI_ROOT/tests/lab/matrix/environments.py" "$CI_ENVIRONMENTS/matrix"
}

# Puts an environment's tools first.
use() {
  [ -x "$CI_ENVIRONMENTS/$1/bin/python" ] || { echo "no environment $1: run tests/ci/step.sh environments" >&2; return 1; }
  PATH=$CI_ENVIRONMENTS/$1/bin:$PATH
}

# Copies what git knows or would know: the last commit and whatever is not committed yet, but nothing that is ignored.
fresh_tree() {
  rm -rf "$1"
  mkdir -p "$(dirname "$1")"
  git clone -q "$CI_ROOT" "$1" 2> >(grep -v 'source repository is shallow' >&2)
  git -C "$CI_ROOT" ls-files -z --deleted | (cd "$1" && xargs -0 -r rm -f)
  git -C "$CI_ROOT" ls-files -z --cached --others --exclude-standard |
    tar -C "$CI_ROOT" --null -T - --ignore-failed-read -cf - 2>/dev/null | tar -xf - -C "$1"
  git -C "$1" add -A
}

fresh_trees() {
  fresh_tree "$CI_TREE"
  fresh_tree "$CI_CHECKOUT"
}
