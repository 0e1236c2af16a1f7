import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, type TestContext } from 'vitest';
import { temporaryFolder } from '../support/temp.ts';
import { openWorkspace } from './captured-workspace.ts';
import { makeShadowRepository } from './shadow-repository.ts';

interface Attack {
  name: string;
  /** Before the first snapshot. $MARK is touched by whatever runs on the host. */
  plant: string;
  /** Between the two. */
  next?: string;
  /** A setting of the user that the attack counts on. */
  userConfig?: (mark: string) => string;
  /** Files that both snapshots must have. */
  holds: Record<string, string>;
  needsRoot?: boolean;
}

const REPOSITORY =
  'git init -q s; cd s; echo one > tracked; git add tracked; git -c user.name=a -c user.email=a@b commit -qm i; cd ..;';

const ATTACKS: Attack[] = [
  {
    name: 'a file system monitor of a nested repository (G01)',
    plant: `${REPOSITORY} git -C s config core.fsmonitor 'touch $MARK; false'`,
    holds: { 's/tracked': 'one\n' },
  },
  {
    name: 'a clean filter of a nested repository (G02)',
    plant: `${REPOSITORY} git -C s config filter.zz.clean 'touch $MARK; cat'; mkdir -p s/.git/info; echo '* filter=zz' > s/.git/info/attributes`,
    next: 'sleep 1.1; echo two > s/tracked',
    holds: { 's/tracked': 'two\n' },
  },
  {
    name: 'a hook of a nested repository (G03)',
    plant: `${REPOSITORY} mkdir s/hk; printf '#!/bin/sh\\ntouch %s\\n' "$MARK" > s/hk/post-index-change; chmod +x s/hk/post-index-change; git -C s config core.hooksPath hk`,
    next: 'sleep 1.1; touch s/tracked',
    holds: { 's/tracked': 'one\n' },
  },
  {
    name: 'a nested repository of another user (G04)',
    plant: `${REPOSITORY} git -C s config core.fsmonitor 'touch $MARK; false'; chown -R 65534:65534 s`,
    holds: { 's/tracked': 'one\n' },
    needsRoot: true,
  },
  {
    name: "a filter that the user's own settings have, asked for by the guest's attributes (G27)",
    plant: "echo '* filter=lfs' > .gitattributes; echo data > big",
    userConfig: (mark) => `[filter "lfs"]\n\tclean = touch ${mark}; cat\n`,
    holds: { big: 'data\n' },
  },
];

describe('capture runs nothing that the workspace chose', { timeout: 60_000 }, () => {
  for (const attack of ATTACKS) it(`against ${attack.name}`, (context) => tryOn(attack, context));
});

async function tryOn(attack: Attack, context: Pick<TestContext, 'skip'>): Promise<void> {
  if (attack.needsRoot && process.getuid?.() !== 0) context.skip('giving files away needs root');
  const folder = temporaryFolder();
  const mark = join(folder, 'EXECUTED');
  const planted = attack.plant.replaceAll('$MARK', mark);

  const shadow = makeShadowRepository();
  writeFileSync(join(shadow.home, '.gitconfig'), attack.userConfig?.(mark) ?? '');
  shadow.sh(planted);
  snapshotQuietly(shadow.snapshot);
  if (attack.next) shadow.sh(attack.next);
  snapshotQuietly(shadow.snapshot);
  expect(existsSync(mark), 'the attack works on a shadow repository').toBe(true);

  const mine = join(folder, 'EXECUTED-here');
  const workspace = await openWorkspace();
  await workspace.sh(attack.plant.replaceAll('$MARK', mine));
  await workspace.snapshot();
  if (attack.next) await workspace.sh(attack.next);
  await workspace.snapshot();
  for (const [path, text] of Object.entries(attack.holds)) expect(await workspace.read(path)).toBe(text);
  expect(existsSync(mine)).toBe(false);
}

function snapshotQuietly(snapshot: () => void): void {
  try {
    snapshot();
  } catch {
    // What git ran before it failed has run.
  }
}
