import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { jsonLines, runCli } from '../support/cli.ts';
import { temporaryFolder } from '../support/temp.ts';
import { testCacheHome, vmOrSkip } from '../support/vm.ts';

describe('doctor --prove', () => {
  beforeEach(vmOrSkip);

  it('tries every level that can be had here, and says of each wall whether it held', {
    timeout: 240_000,
  }, async () => {
    const home = temporaryFolder();
    const result = await runCli(
      ['doctor', '--prove', '--json', '--cpus', '1', '--memory', '512M', '--disk', '1G'],
      {
        home,
        cwd: home,
        env: {
          XDG_CACHE_HOME: testCacheHome(),
          XDG_STATE_HOME: join(home, 'state'),
          XDG_CONFIG_HOME: join(home, 'config'),
          SAFE_CODER_HOME: '',
        },
      },
    );
    const rows = jsonLines(result.stdout);
    expect(rows.filter(({ held }) => held === false)).toEqual([]);
    const held = (level: string) => rows.filter((row) => row.level === level && row.held === true).length;
    expect(held('vm')).toBeGreaterThanOrEqual(14);
    // A container's absence is a row that says why; its presence is proved.
    expect(
      held('container') >= 14 || rows.some(({ level, name }) => level === 'container' && name === 'start'),
    ).toBe(true);
    expect(result.code, result.stderr).toBe(0);
  });
});
