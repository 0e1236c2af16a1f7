import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openToolSandbox } from '../support/tool-sandbox.ts';

/** M01: what a model writes into a field is data, for whichever program the tool runs. */
const INJECTIONS = [
  '--pre=./evil.sh',
  '--pre',
  '-e --pre=./evil.sh',
  '--hostname-bin=./evil.sh',
  '--search-zip',
  '-z',
  '--files',
  '-f/etc/passwd',
  '--file=/etc/passwd',
  '--ignore-file=/etc/passwd',
  '--follow',
  '-L',
  '--',
  '-',
  '-exec ./evil.sh ;',
  '-exec',
  '-delete',
  '-fprint canary',
  '-O./evil.sh',
  '--open-files-in-pager=./evil.sh',
  '-c core.fsmonitor=./evil.sh',
  '--exec-path=.',
  '--upload-pack=./evil.sh',
  '$(./evil.sh)',
  '`./evil.sh`',
  '; ./evil.sh',
  '| ./evil.sh',
  '&& ./evil.sh',
  '> canary',
  '\n./evil.sh\n',
  "'; ./evil.sh; '",
  '"; ./evil.sh; "',
  '{./evil.sh,}',
  '!(./evil.sh)',
];

describe.each([true, false])(
  'a search never runs what it was given to search for (with ripgrep: %s)',
  (withRipgrep) => {
    it('in any field, however it looks like an option or a shell command', async () => {
      const { run, root } = await openToolSandbox(
        {
          'evil.sh': `#!/bin/sh\ntouch "${'$'}{0%/*}/canary"\n`,
          '-delete': 'x\n',
          '--pre=.': 'x\n',
          'a.txt': 'text\n',
        },
        { withRipgrep },
      );
      await run('bash', { command: 'chmod +x evil.sh; ./evil.sh; ls canary && rm canary' }).then((result) =>
        expect(result.text).toContain('canary'),
      );
      for (const text of INJECTIONS) {
        await run('grep', { pattern: text, mode: 'content' });
        await run('grep', { pattern: 'x', glob: text });
        await run('grep', { pattern: 'x', path: text });
        await run('grep', { pattern: 'x', type: text });
        await run('glob', { pattern: text });
        await run('glob', { pattern: '*', path: text });
        await run('read', { path: text });
        expect(existsSync(`${root}/canary`), text).toBe(false);
        expect(existsSync(`${root}/-delete`), text).toBe(true);
      }
    });

    it('and finds names and text that look like options', async () => {
      const { run } = await openToolSandbox(
        { '-delete': 'see --pre=cmd\n', '--pre=.': 'x\n', 'd/-rf': 'x\n' },
        { withRipgrep },
      );
      expect((await run('grep', { pattern: '--pre=cmd', mode: 'content' })).text).toContain(
        '-delete:1:see --pre=cmd',
      );
      expect((await run('grep', { pattern: 'see', path: '-delete', mode: 'content' })).text).toContain(
        '-delete:1:see',
      );
      expect((await run('glob', { pattern: '--pre*' })).text).toContain('--pre=.');
      expect((await run('glob', { pattern: '-rf', path: 'd' })).text).toContain('d/-rf');
      expect((await run('read', { path: '--pre=.' })).text).toBe('1\tx');
    });
  },
);

describe('configuration in the workspace', () => {
  it('makes no search run a program', async () => {
    // The guest's environment is not the agent's to choose; should it ever be, the file it names is not read.
    const { run, root } = await openToolSandbox(
      {
        'evil.sh': '#!/bin/sh\ntouch canary; cat\n',
        '.ripgreprc': '--pre=./evil.sh\n',
        'a.txt': 'text\n',
      },
      { env: { RIPGREP_CONFIG_PATH: '.ripgreprc' } },
    );
    await run('bash', { command: 'chmod +x evil.sh' });
    expect((await run('grep', { pattern: 'text' })).text).toContain('a.txt');
    expect(existsSync(`${root}/canary`)).toBe(false);
    await run('bash', { command: 'rg text' });
    expect(existsSync(`${root}/canary`), 'the trap works when rg is run by hand').toBe(true);
  });
});
