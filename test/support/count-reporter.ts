import type { TestModule } from 'vitest/node';

const mustRunAll = process.env.SAFE_CODER_REQUIRE_VM === '1' && !process.argv.includes('-t');

/** Prints the one closing line that scripts read, and names what was skipped: a test that can't run says so. */
// biome-ignore lint/style/noDefaultExport: vitest loads reporters by their default export
export default class CountReporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const counts = { passed: 0, failed: 0, skipped: 0 };
    for (const module of modules) {
      if (module.errors().length > 0) counts.failed += 1;
      for (const test of module.children.allTests()) {
        const state = test.result().state;
        // Where everything is expected to run, a test that did not is a failure. A filter (-t) skips on purpose.
        const isForbidden = state === 'skipped' && mustRunAll;
        if (isForbidden) counts.failed += 1;
        else if (state === 'passed' || state === 'failed' || state === 'skipped') counts[state] += 1;
        if (state === 'skipped')
          console.log(`${isForbidden ? 'failed, for it was ' : ''}skipped: ${test.fullName}`);
      }
    }
    if (counts.failed > 0) process.exitCode = 1;
    console.log(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  }
}
