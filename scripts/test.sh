#!/bin/sh
# npm test: makes a fresh machine ready, checks the sources, then runs every kind of test. The last line counts them all.
# With arguments, only those of vitest: `npm test -- test/unit/ledger`.
set -eu
cd "$(dirname "$0")/.."
scripts/bootstrap.sh test
PATH=$PWD/node_modules/.bin:$PATH
export PATH
# Faces print differently under CI; tests set what they need themselves.
unset CI

if [ $# -gt 0 ]; then exec vitest run "$@"; fi

step() { printf '\n== %s\n' "$1"; }
log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0 failed=0 skipped=0

# Adds the last line of the form "N passed, N failed[, N skipped]" of the log to the totals.
add_counts() {
  line=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1)
  if [ -z "$line" ]; then echo "$1 printed no count"; failed=$((failed + 1)); return; fi
  passed=$((passed + $(echo "$line" | sed -E 's/^([0-9]+) passed.*/\1/')))
  failed=$((failed + $(echo "$line" | sed -E 's/.* ([0-9]+) failed.*/\1/')))
  case $line in *skipped*) skipped=$((skipped + $(echo "$line" | sed -E 's/.* ([0-9]+) skipped.*/\1/'))) ;; esac
}

# Runs a command, shows and keeps its output; its failure counts as one when it printed no failure itself.
run() {
  name=$1
  shift
  before=$failed
  status=0
  { "$@" 2>&1 && echo ok >"$log.status" || echo bad >"$log.status"; } | tee "$log"
  [ "$(cat "$log.status")" = ok ] || status=1
  rm -f "$log.status"
  add_counts "$name"
  if [ $status -ne 0 ] && [ $failed -eq $before ]; then failed=$((failed + 1)); fi
}

step "format and lint"
biome ci . || failed=$((failed + 1))
step "types"
tsc -p tsconfig.json --noEmit || failed=$((failed + 1))
step "unused code"
knip --no-progress || failed=$((failed + 1))
step "guest agent: build with warnings as errors, tests under sanitizers"
run "the guest agent's tests" make -s -C guest test
step "guest agent: fuzzing for ${FUZZ_SECONDS:-20} s"
if make -s -C guest fuzz FUZZ_SECONDS="${FUZZ_SECONDS:-20}" >"$log" 2>&1; then
  grep -E '^(Done|stat::number_of_executed_units)' "$log" || true
else
  tail -n 60 "$log"
  failed=$((failed + 1))
fi
step "program"
run "vitest" vitest run

printf '\n%s passed, %s failed, %s skipped\n' $passed $failed $skipped
[ $failed -eq 0 ]
