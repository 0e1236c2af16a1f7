#!/bin/sh
# Runs every suite against both builds of the agent and adds the counts up: run.sh BUILD SUITE...
# The last line is "N passed, N failed, N skipped"; the exit code is 1 when a suite failed or did not finish.
build=$1
shift
log=$build/test.log
: >"$log"
broken=0
run() {
	timeout 300 "$@" 2>&1 | tee -a "$log"
	tail -n 1 "$log" | grep -q ' 0 failed' || broken=$((broken + 1))
}
run "$build/codec-test" vectors/frames.tsv
for agent in safe-coder-guest sanitized-guest; do
	echo "# $agent" | tee -a "$log"
	for suite in "$@"; do
		run "$build/agent-test" "$build/$agent" "$suite"
	done
done
awk -v broken="$broken" '
	/: [0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ { passed += $2; failed += $4; skipped += $6 }
	END {
		if (broken > 0 && failed == 0) failed = broken
		printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
		exit failed > 0
	}' "$log"
