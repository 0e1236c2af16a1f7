import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { HostPath } from '../../src/base/path-bytes.ts';
import type { ReviewItem } from '../../src/review/review-item.ts';
import { decideAll } from '../../src/review/select.ts';
import { jsonLines, runCli } from '../support/cli.ts';
import { makeProject } from '../support/project.ts';
import { runIn, startSession } from '../support/random-session.ts';
import { temporaryFolder } from '../support/temp.ts';

const NEVER = new AbortController().signal;

/** A deletion is what a moment between two renames looks like on some file systems. */
const isWritten = ({ change }: ReviewItem) => change.path === 'a.js' && change.after !== undefined;

describe('apply takes what was reviewed, not what the guest made of it since', { timeout: 60_000 }, () => {
  it('when the guest writes again between the review and the apply (S26)', async () => {
    await using played = await startSession({
      prepare: (project) => writeFileSync(join(project, 'a.js'), 'base\n'),
    });
    const { session, project, workspace } = played;
    await runIn(session, ['sh', '-c', 'echo reviewed > a.js; echo reviewed > new.js']);
    const items = await session.changes();
    await runIn(session, ['sh', '-c', 'echo evil > a.js; echo evil > new.js; echo evil > later.js']);

    const naive = temporaryFolder();
    for (const { change } of items) copyFileSync(join(workspace, change.path), join(naive, change.path));
    expect(readFileSync(join(naive, 'a.js'), 'utf8'), 'the attack works on a copy of the workspace').toBe(
      'evil\n',
    );

    const done = await session.apply(items, decideAll(items, 'all'), NEVER);
    expect([...done.applied].sort()).toEqual(['a.js', 'new.js']);
    expect(readFileSync(join(project, 'a.js'), 'utf8')).toBe('reviewed\n');
    expect(readFileSync(join(project, 'new.js'), 'utf8')).toBe('reviewed\n');
    expect(existsSync(join(project, 'later.js'))).toBe(false);
  });

  it('when a process of the guest never stops writing', async () => {
    await using played = await startSession({
      prepare: (project) => writeFileSync(join(project, 'a.js'), 'base\n'),
    });
    const { session, project, workspace } = played;
    const writer = await session.sandbox.exec({
      argv: ['sh', '-c', 'n=0; while :; do n=$((n+1)); echo "line $n" > next; mv next a.js; done'],
      onOutput: () => undefined,
    });
    for (let round = 0; round < 5; round++) {
      // What landed is no change any more: the next one is there once the writer has written again.
      let items = await session.changes();
      while (!items.some(isWritten)) items = await session.changes();
      const shown = await session.ledger.readBlob(items.find(isWritten)?.change.after?.oid ?? '');
      const decisions = decideAll(items, 'all').filter(({ path }) => path === 'a.js');
      const { applied, conflicts } = await session.apply(items, decisions, NEVER);
      expect([applied, conflicts]).toEqual([['a.js'], []]);
      expect(readFileSync(join(project, 'a.js')).equals(shown)).toBe(true);
    }
    expect(existsSync(workspace)).toBe(true);
    writer.kill();
    await writer.ended.catch(() => undefined);
  });

  it('when the decisions are about another state of the session', async () => {
    const home = temporaryFolder();
    const project = makeProject(home, { 'a.js': 'base\n' });
    const run = (...args: string[]) => runCli(args, { home, cwd: project as HostPath });
    await run('exec', '--demo', '--apply', 'none', '--', 'sh', '-c', 'echo good > a.js');
    const reviewed = jsonLines((await run('log', '--json')).stdout);
    await run('exec', '--demo', '--apply', 'none', '--', 'sh', '-c', 'echo evil > a.js');
    const decisions = join(home, 'decisions.json');
    const trees = reviewed.map(({ tree }) => tree).filter((tree) => typeof tree === 'string');
    expect(trees.length).toBeGreaterThan(0);
    const decided = [{ path: 'a.js', decision: 'accept' }];
    writeFileSync(decisions, JSON.stringify({ version: 1, tree: trees.at(-1), decisions: decided }));
    const refused = await run('apply', '--yes', '--decisions', decisions);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('another state')]);
    expect(readFileSync(join(project, 'a.js'), 'utf8')).toBe('base\n');

    // By the name alone the same decision lands on bytes that nobody decided about.
    writeFileSync(decisions, JSON.stringify({ version: 1, decisions: decided }));
    expect((await run('apply', '--yes', '--decisions', decisions)).code).toBe(0);
    expect(
      readFileSync(join(project, 'a.js'), 'utf8'),
      'the attack works on a decision without its tree',
    ).toBe('evil\n');
  });
});
