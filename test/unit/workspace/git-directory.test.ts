import { describe, expect, test } from 'vitest';
import {
  type GitTreatment,
  GUEST_GIT_SETTINGS,
  sanitiseGitFile,
  treatGitPath,
} from '../../../src/workspace/git-directory.ts';

const FILES: [path: string, treatment: GitTreatment][] = [
  ['HEAD', 'text'],
  ['config', 'config'],
  ['config.worktree', 'config'],
  ['config.bak', 'config'],
  ['modules/a/b/config', 'config'],
  ['index', 'copy'],
  ['packed-refs', 'copy'],
  ['index.lock', 'drop'],
  ['config.lock', 'drop'],
  ['refs/heads/main', 'copy'],
  ['refs/heads/main.lock', 'drop'],
  ['refs/heads/config', 'copy'],
  ['refs/heads/hooks', 'copy'],
  ['logs/HEAD', 'text'],
  ['logs/refs/heads/config', 'text'],
  ['objects/pack/pack-1.pack', 'copy'],
  ['objects/info/commit-graph', 'copy'],
  ['objects/info/alternates', 'drop'],
  ['modules/x/objects/info/alternates', 'drop'],
  ['lfs/objects/ab/cd/abcd', 'copy'],
  ['FETCH_HEAD', 'text'],
  ['credentials', 'drop'],
  ['anything-else', 'text'],
];

describe('a path in .git', () => {
  test.each(FILES)('%s: %s', (path, treatment) => {
    expect(treatGitPath(path, 'file')).toBe(treatment);
  });

  test.each(['hooks', 'worktrees', 'modules/x/hooks'])('%s is a folder that stays on the host', (path) => {
    expect(treatGitPath(path, 'directory')).toBe('drop');
  });

  test.each(['objects', 'refs/heads/hooks', 'modules', 'logs/refs/heads/feature.lock'])(
    '%s is a folder that comes along',
    (path) => {
      expect(treatGitPath(path, 'directory')).toBe('copy');
    },
  );

  test('comes along as a link, unless it stands for configuration', () => {
    expect(treatGitPath('HEAD', 'symlink')).toBe('copy');
    expect(treatGitPath('config', 'symlink')).toBe('drop');
  });
});

describe('a file of .git in the guest', () => {
  test('keeps every byte of text that quotes no credential', () => {
    const bytes = Buffer.from([0x66, 0xff, 0x00, 0x0d, 0x0a, 0xc3, 0xa9]);
    expect(sanitiseGitFile('text', bytes, [])).toEqual(bytes);
  });

  test('gets the settings that spare git a first full read', () => {
    const clean = sanitiseGitFile('config', Buffer.from('[core]\n\tbare = false\n'), GUEST_GIT_SETTINGS);
    expect(clean.toString()).toBe(
      '[core]\n\tbare = "false"\n\ttrustctime = "false"\n\tcheckstat = "minimal"\n',
    );
  });
});
