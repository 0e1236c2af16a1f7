import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { SafeCoderError } from '../../../src/base/errors.ts';
import type { HostPath } from '../../../src/base/path-bytes.ts';
import { makePrivateDirectory, resolveDirectories } from '../../../src/config/directories.ts';
import { findApiKey, findBaseUrl, knownSecrets } from '../../../src/config/keys.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { parseDuration, parseSize, showDuration, showSize } from '../../../src/config/quantities.ts';
import { temporaryFolder } from '../../support/temp.ts';

function caught(run: () => unknown): SafeCoderError {
  try {
    run();
  } catch (error) {
    return error as SafeCoderError;
  }
  throw new Error('nothing was thrown');
}

function setUp(files: {
  user?: string;
  project?: string;
  environment?: Record<string, string>;
  flags?: Record<string, unknown>;
}) {
  const folder = temporaryFolder();
  if (files.user !== undefined) writeFileSync(join(folder, 'user.jsonc'), files.user);
  if (files.project !== undefined) writeFileSync(join(folder, '.safe-coder.jsonc'), files.project);
  return () =>
    loadConfig({
      userFile: join(folder, 'user.jsonc') as HostPath,
      userFileIsRequired: false,
      project: folder,
      environment: files.environment ?? {},
      flags: files.flags ?? {},
    });
}

describe('settings', () => {
  it('have defaults and say so', () => {
    const { settings, origin } = setUp({})();
    expect(settings.isolation).toBe('vm');
    expect(settings.network).toBe('none');
    expect(origin.network).toBe('default');
  });

  it('let flags win over environment, project and user file, each over the one before', () => {
    const sources = {
      user: '{"cpus": 8, "memory": "4G", "disk": "6G", /* note */ "pids": 2000,}',
      project: '{"cpus": 4, "memory": "3G", "disk": "5G"}',
    };
    const loaded = setUp({
      ...sources,
      environment: { SAFE_CODER_CPUS: '3', SAFE_CODER_MEMORY: '2500M' },
      flags: { cpus: '1' },
    })();
    expect(loaded.settings).toMatchObject({ cpus: 1, memory: 2500 * 2 ** 20, disk: 5 * 2 ** 30, pids: 2000 });
    expect([loaded.origin.cpus, loaded.origin.memory]).toEqual(['flag', 'environment']);
    expect(loaded.origin.disk).toMatch(/\.safe-coder\.jsonc$/);
    expect(loaded.origin.pids).toMatch(/user\.jsonc$/);
  });

  it('name the nearest key when one is unknown', () => {
    const error = caught(setUp({ user: '{"netwrok": "none"}' }));
    expect(error.code).toBe('config/invalid');
    expect(error.message).toContain('netwrok');
    expect(error.hint).toContain('"network"');
    expect(caught(setUp({ environment: { SAFE_CODER_MODLE: 'x/y' } })).hint).toContain('SAFE_CODER_MODEL');
  });

  it('name file and line of a syntax error and lose nothing', () => {
    const error = caught(setUp({ user: '{\n "cpus": 2,\n "memory" "2G"\n}' }));
    expect(error.code).toBe('config/invalid');
    expect(error.message).toMatch(/user\.jsonc, line 3/);
  });

  it('never repeat a bad value, which may be a key', () => {
    const error = caught(setUp({ user: '{"apiKeys": {"anthropic": ["sk-ant-secret-value"]}}' }));
    expect(JSON.stringify([error.message, error.hint, error.details])).not.toContain('sk-ant-secret');
  });
});

describe("a project's file", () => {
  it.each([
    ['a link to what never ends', (file: string) => symlinkSync('/dev/zero', file), 'symlink'],
    ['a FIFO', (file: string) => execFileSync('mkfifo', [file]), 'no regular file'],
    ['a folder', (file: string) => mkdirSync(file), 'no regular file'],
    ['brackets without end', (file: string) => writeFileSync(file, '['.repeat(500_000)), 'nested too deeply'],
    ['huge', (file: string) => writeFileSync(file, ' '.repeat(2 << 20)), 'larger'],
  ])('is refused at once when it is %s', (_what, make, why) => {
    const folder = temporaryFolder();
    make(join(folder, '.safe-coder.jsonc'));
    const error = caught(() =>
      loadConfig({
        userFile: join(folder, 'none') as HostPath,
        userFileIsRequired: false,
        project: folder,
        environment: {},
        flags: {},
      }),
    );
    expect([error.code, error.message]).toEqual(['config/invalid', expect.stringContaining(why)]);
  });

  it.each(['baseUrl', 'model', 'apiKeys', 'isolation', 'backend', 'share', 'allow', 'toolchain', 'prices'])(
    'can not set %s',
    (key) => {
      const value = {
        baseUrl: 'http://evil.test',
        model: 'a/b',
        apiKeys: {},
        isolation: 'demo',
        backend: 'demo',
        share: ['.env'],
        allow: ['evil.test'],
        toolchain: ['/root'],
        prices: {},
      }[key];
      const error = caught(setUp({ project: JSON.stringify({ [key]: value }) }));
      expect(error.code).toBe('config/not-allowed');
      expect(error.message).toContain(key);
    },
  );

  it('can tighten but never loosen', () => {
    const { settings } = setUp({
      user: '{"network": "registries", "maxCost": 2}',
      project: '{"network": "open", "memory": "64G", "maxCost": 1}',
    })();
    expect(settings).toMatchObject({ network: 'registries', memory: 2 * 2 ** 30, maxCost: 1 });
    expect(setUp({ user: '{"network": "open"}', project: '{"network": "none"}' })().settings.network).toBe(
      'none',
    );
  });
});

describe('keys and addresses', () => {
  const settings = setUp;
  it('come from the environment before the settings', () => {
    const loaded = settings({ user: '{"apiKeys": {"openai": "from-the-file"}}' })().settings;
    expect(findApiKey('openai', loaded, {})).toBe('from-the-file');
    expect(findApiKey('openai', loaded, { OPENAI_API_KEY: 'from-the-environment' })).toBe(
      'from-the-environment',
    );
    expect(findApiKey('google', loaded, { GEMINI_API_KEY: 'g' })).toBe('g');
    expect(findApiKey('anthropic', loaded, {})).toBeUndefined();
    expect(knownSecrets(loaded, { ANTHROPIC_API_KEY: 'a-long-secret' }).sort()).toEqual([
      'a-long-secret',
      'from-the-file',
    ]);
    expect(findBaseUrl('anthropic', loaded, { ANTHROPIC_BASE_URL: 'http://127.0.0.1:1' })).toBe(
      'http://127.0.0.1:1',
    );
  });
});

describe('quantities', () => {
  it.each([
    ['2G', 2 ** 31],
    ['512m', 2 ** 29],
    ['1.5 GiB', 1.5 * 2 ** 30],
    ['4096', 4096],
    ['1kb', 1024],
  ])('read the size %s', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });
  it.each(['', '2X', '-1G', '1e3', 'NaN', '99999999999T'])('refuse the size "%s"', (text) =>
    expect(parseSize(text)).toBeUndefined(),
  );
  it.each([
    ['90s', 90_000],
    ['1h30m', 5_400_000],
    ['500ms', 500],
    ['10', 10_000],
  ])('read the duration %s', (text, ms) => expect(parseDuration(text)).toBe(ms));
  it.each(['', '5 parsecs', 'm', '-3s'])('refuse the duration "%s"', (text) =>
    expect(parseDuration(text)).toBeUndefined(),
  );
  it('show sizes and durations', () => {
    expect([showSize(0), showSize(1536), showSize(2 ** 31), showSize(50 * 2 ** 20)]).toEqual([
      '0 B',
      '1.5 KB',
      '2.0 GB',
      '50 MB',
    ]);
    expect([showDuration(420), showDuration(12_300), showDuration(200_000)]).toEqual([
      '0.4 s',
      '12 s',
      '3 min 20 s',
    ]);
  });
});

describe('directories', () => {
  it('all move with SAFE_CODER_HOME and follow XDG otherwise', () => {
    expect(resolveDirectories({ SAFE_CODER_HOME: '/x' }, '/home/u').state).toBe('/x/state');
    expect(resolveDirectories({ XDG_STATE_HOME: '/s' }, '/home/u')).toEqual({
      config: '/home/u/.config/safe-coder',
      state: '/s/safe-coder',
      cache: '/home/u/.cache/safe-coder',
    });
    expect(caught(() => resolveDirectories({ SAFE_CODER_HOME: 'here' }, '/home/u')).code).toBe(
      'config/invalid',
    );
  });

  it('are refused when they are symlinks or open to others', () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'real'), { mode: 0o700 });
    symlinkSync('real', join(folder, 'link'));
    expect(caught(() => makePrivateDirectory(join(folder, 'link') as HostPath)).code).toBe(
      'environment/unsafe-state-dir',
    );
    chmodSync(join(folder, 'real'), 0o755);
    expect(caught(() => makePrivateDirectory(join(folder, 'real') as HostPath)).hint).toContain('chmod 700');
    makePrivateDirectory(join(folder, 'new', 'deep') as HostPath);
  });
});
