# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Sourced by .ci/run: runs a step, keeps its log and counts. A step that runs pytest counts as pytest's cases.

passed=0 failed=0 skipped=0 started=$SECONDS broken=

# count LOG WORD: the number before WORD in the last summary line of pytest, 0 without one.
count() {
  grep -E '^(=+ )?[0-9]+ (passed|failed|error|skipped).* in [0-9.]+s' "$1" | tail -n 1 |
    grep -oE "[0-9]+ $2" | grep -oE '[0-9]+' || echo 0
}

tally() {
  local step=$1 log=$CI_LOGS/$1.log begun=$SECONDS code=0 good bad
  timeout -k 30 "${CI_STEP_SECONDS:-2700}" tests/ci/step.sh "$step" > "$log" 2>&1 < /dev/null || code=$?
  good=$(count "$log" passed)
  bad=$(($(count "$log" failed) + $(count "$log" error)))
  skipped=$((skipped + $(count "$log" skipped)))
  [ "$good" != 0 ] || [ "$code" != 0 ] || good=1
  [ "$bad" != 0 ] || [ "$code" = 0 ] || bad=1
  case $code in
    0) verdict=ok ;;
    124 | 137) verdict='TIMED OUT' broken="$broken $step" ;;
    *) verdict=FAILED broken="$broken $step" ;;
  esac
  passed=$((passed + good)) failed=$((failed + bad))
  # At once: lines of two lanes do not mix.
  printf '%s\n' "$(
    printf '%-14s %-9s %4d s  %s\n' "$step" "$verdict" $((SECONDS - begun)) "$([ "$good" -lt 2 ] || echo "$good cases")"
    [ "$code" = 0 ] || { echo "--- last lines of $log"; tail -n 60 "$log"; echo "---"; }
  )"
}

tally_all() {
  local step
  for step in "$@"; do
    tally "$step"
  done
}

# take QUEUE: prints the first line of a file and removes it.
take() {
  (
    flock 9
    head -n 1 "$1"
    sed -i 1d "$1"
  ) 9> "$1.lock"
}

# tally_lanes LANES WAITING STEP...: that many lanes side by side, each takes the next step when it is done with one; beside them one more
# lane for WAITING alone, which mostly waits. STEP+STEP: one after the other.
# shellcheck disable=SC2030,SC2031 # a lane's own numbers are lost with its subshell, on purpose: they come by its file
tally_lanes() {
  local number=$1 waiting=$2 lane good bad left names steps
  shift 2
  printf '%s\n' "$@" > "$CI_LOGS/queue"
  printf '%s\n' "$waiting" > "$CI_LOGS/queue-waiting"
  for lane in $(seq "$number") waiting; do
    rm -f "$CI_LOGS/lane-$lane"
    (
      passed=0 failed=0 skipped=0 broken=
      queue=$CI_LOGS/queue
      [ "$lane" != waiting ] || queue=$CI_LOGS/queue-waiting
      while steps=$(take "$queue") && [ -n "$steps" ]; do
        # shellcheck disable=SC2086 # names of steps
        tally_all ${steps//+/ }
      done
      echo "$passed $failed $skipped $broken" > "$CI_LOGS/lane-$lane"
    ) &
  done
  wait
  for lane in $(seq "$number") waiting; do
    # A lane that was killed has left no numbers.
    read -r good bad left names < "$CI_LOGS/lane-$lane" || { good=0 bad=1 left=0 names=lane-$lane; }
    passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + left)) broken="$broken${names:+ $names}"
  done
}

tally_end() {
  [ -z "$broken" ] || echo "failed:$broken (one again: tests/ci/step.sh NAME)"
  [ "$skipped" = 0 ] || echo "$skipped skipped, see above"
  printf '%d passed, %d failed in %d s\n' "$passed" "$failed" $((SECONDS - started))
  [ "$failed" = 0 ] && [ -z "$broken" ]
}
