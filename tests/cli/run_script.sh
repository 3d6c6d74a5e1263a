#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs one test of the program: tests/cli/run_script.sh SCRIPT PROGRAM SOURCE_ROOT. CTest calls it.
# The script (bash -eu) starts in an empty folder of its own and finds
#   SCINTIGEN         the program              SCINTIGEN_SOURCE  the project's root
#   SCINTIGEN_TEST_DATA  a folder of real scans, if there is one
# and the functions below. Exit status 77 = skipped (say why on stdout first).
set -eu
script=$1
export SCINTIGEN=$2 SCINTIGEN_SOURCE=$3
if [ -z "${SCINTIGEN_TEST_DATA:-}" ] && [ -d "$SCINTIGEN_SOURCE/../shared/data" ]; then
  SCINTIGEN_TEST_DATA=$(cd "$SCINTIGEN_SOURCE/../shared/data" && pwd)
fi
export SCINTIGEN_TEST_DATA=${SCINTIGEN_TEST_DATA:-}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

fail() {
  echo "$script: $*" >&2
  exit 1
}

# made_up_scans FOLDER PEOPLE: a simulated cohort, three slices a level, two scans a person; quick, not pretty.
made_up_scans() {
  works "$SCINTIGEN" simulate --participants "$2" --slices-per-level 3 --spect-iterations 1 --out "$1"
}

# works COMMAND...: exit status 0.
works() {
  local status=0
  "$@" >works.out 2>works.err || status=$?
  [ "$status" = 0 ] || fail "expected exit status 0, found $status: $*"$'\n'"$(cat works.err)"
}

# refuses TEXT COMMAND...: exit status 2, nothing on stdout, one line on stderr that holds TEXT.
refuses() {
  local text=$1 status=0
  shift
  "$@" >refuses.out 2>refuses.err || status=$?
  [ "$status" = 2 ] || fail "expected exit status 2, found $status: $*"$'\n'"$(cat refuses.err)"
  # A warning about this machine (no bfloat16 instructions) may stand before it.
  [ "$(grep -vc '^warning: this CPU ' refuses.err)" = 1 ] || fail "expected one line: $*"$'\n'"$(cat refuses.err)"
  grep -qF -- "$text" refuses.err || fail "expected '$text': $*"$'\n'"$(cat refuses.err)"
  [ ! -s refuses.out ] || fail "expected nothing on stdout: $*"$'\n'"$(head -n 5 refuses.out)"
}

# tensors CHECKPOINT: a sum over what follows the header, whose metadata holds the time.
tensors() { tail -c +$((9 + $(od -An -t u8 -N 8 "$1"))) "$1" | sha256sum; }

# has TEXT FILE
has() {
  grep -qF -- "$1" "$2" || fail "expected '$1' in $2, found"$'\n'"$(head -n 40 "$2")"
}

# shellcheck source=/dev/null
. "$script"
