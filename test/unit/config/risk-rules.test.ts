import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { SafeCoderError } from '../../../src/base/errors.ts';
import type { HostPath } from '../../../src/base/path-bytes.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { temporaryFolder } from '../../support/temp.ts';

function load(user: unknown, project?: unknown) {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'user.jsonc'), JSON.stringify(user));
  if (project !== undefined) writeFileSync(join(folder, '.safe-coder.jsonc'), JSON.stringify(project));
  return loadConfig({
    userFile: join(folder, 'user.jsonc') as HostPath,
    userFileIsRequired: false,
    project: folder,
    environment: {},
    flags: {},
  });
}

const rules = (...all: object[]) => ({ risk: { rules: all } });

function faultOf(rule: object): SafeCoderError {
  try {
    load(rules(rule));
  } catch (error) {
    return error as SafeCoderError;
  }
  throw new Error('nothing was thrown');
}

describe('risk rules in the settings', () => {
  it('are none unless somebody writes some', () => {
    expect(load({}).settings.risk).toEqual({ rules: [] });
  });

  it('come together from the user and the project, and a project takes none away', () => {
    const mine = { match: 'migrations/', reason: 'touches the database' };
    const theirs = { match: '*.sql', reason: 'needs a second look', contains: ['DROP'] };
    expect(load(rules(mine), rules(theirs)).settings.risk.rules).toEqual([
      mine,
      { ...theirs, reason: "the project's own rule: needs a second look" },
    ]);
    expect(load(rules(mine), rules()).settings.risk.rules).toEqual([mine]);
  });

  it.each([
    ['a pattern that takes marks away', { match: '!package.json', reason: 'x' }],
    ['a pattern that matches nothing', { match: '# note', reason: 'x' }],
    ['a reason that hides', { match: 'a', reason: 'safe\u202e' }],
    ['a reason that moves the cursor', { match: 'a', reason: 'x\u001b[2J' }],
    ['an endless reason', { match: 'a', reason: 'x'.repeat(500) }],
    ['nothing to look for', { match: 'a', reason: 'x', contains: [] }],
  ])('refuse %s', (_, rule) => {
    expect(faultOf(rule).code).toBe('config/invalid');
    expect(faultOf(rule).message).toContain('risk.rules.0');
  });

  it('name the nearest key of a slip of the pen', () => {
    expect(faultOf({ match: 'a', reasn: 'x' }).hint).toBeDefined();
    expect(faultOf({ match: 'a', reason: 'x', contain: ['y'] }).hint).toContain('"contains"');
  });
});
