import { describe, expect, it } from 'vitest';
import { asOrdinaryUser, canBecomeOrdinary } from '../support/ordinary-user.ts';
import { openWorkspace } from './captured-workspace.ts';
import { makeShadowRepository } from './shadow-repository.ts';

interface Attack {
  name: string;
  plant: string;
  /** What the ledger must hold, to the byte; a shadow repository loses, changes or hides some of it, or fails. */
  holds: Record<string, string>;
  /** What is left out must be named with its reason. */
  names?: Record<string, string>;
}

const DEEP = 'd'.repeat(200);

const ATTACKS: Attack[] = [
  {
    name: 'a made-up repository around a file (G10)',
    plant: `mkdir -p s/.git/objects s/.git/refs; echo ${'ab'.repeat(20)} > s/.git/HEAD; echo evil > s/e.js`,
    holds: { 's/e.js': 'evil\n' },
    names: { 's/.git': 'nested-git' },
  },
  {
    name: 'a .git that is a file and points elsewhere (G11)',
    plant: `mkdir -p s h/.git/objects h/.git/refs; echo ${'ab'.repeat(20)} > h/.git/HEAD; echo 'gitdir: ../h/.git' > s/.git; echo evil > s/e.js`,
    holds: { 's/e.js': 'evil\n' },
    names: { 's/.git': 'nested-git' },
  },
  {
    name: 'a repository without a commit (G13)',
    plant: 'git init -q s; echo evil > s/e.js; echo other > o.js',
    holds: { 's/e.js': 'evil\n', 'o.js': 'other\n' },
    names: { 's/.git': 'nested-git' },
  },
  {
    name: 'names that some git takes for .git (G14)',
    plant:
      "mkdir .GIT 'git~1' '.git '; for d in .GIT 'git~1' '.git '; do echo x > \"$d/x\"; done; echo evil > e.js",
    holds: { 'e.js': 'evil\n' },
    names: { '.GIT': 'nested-git', 'git~1': 'nested-git', '.git ': 'nested-git' },
  },
  {
    name: 'a pipe in the place of the attributes (G21)',
    plant: 'mkfifo .gitattributes; echo evil > e.js',
    holds: { 'e.js': 'evil\n' },
    names: { '.gitattributes': 'special' },
  },
  {
    name: 'ignore rules of the guest (G22)',
    plant: "echo '*' > .gitignore; mkdir d; echo '*' > d/.gitignore; echo evil > d/e.js",
    holds: { '.gitignore': '*\n', 'd/e.js': 'evil\n' },
  },
  {
    name: 'line ends that are converted (G23)',
    plant: "echo '* text' > .gitattributes; printf 'a\\r\\nb\\n' > c.txt",
    holds: { 'c.txt': 'a\r\nb\n' },
  },
  {
    name: 'a payload in $Id$ (G24)',
    plant: "echo '* ident' > .gitattributes; echo '# $Id: payload $' > i.sh",
    holds: { 'i.sh': '# $Id: payload $\n' },
  },
  {
    name: 'text in an encoding that is converted (G25)',
    plant: "echo '*.txt working-tree-encoding=UTF-7' > .gitattributes; printf '+ADw-script+AD4-' > h.txt",
    holds: { 'h.txt': '+ADw-script+AD4-' },
  },
  {
    name: 'an encoding that stops the conversion (G26)',
    plant: "echo '* working-tree-encoding=UTF-16' > .gitattributes; printf odd > e.js",
    holds: { 'e.js': 'odd' },
  },
  {
    name: 'a sparse file of a terabyte (G38)',
    plant: 'truncate -s 1T big; echo evil > e.js',
    holds: { 'e.js': 'evil\n' },
    names: { big: 'too-large' },
  },
];

/** What git leaves out without a word and with exit code 0. */
const SILENT: Attack[] = [
  {
    name: 'pipes and sockets (G36)',
    plant:
      'mkfifo pipe; python3 -c \'import socket; socket.socket(socket.AF_UNIX).bind("sock")\' 2>/dev/null || mkfifo sock',
    holds: {},
    names: { pipe: 'special', sock: 'special' },
  },
  {
    name: 'folders deeper than a path may be long (G35)',
    plant: `perl -e 'for (1..24) { mkdir "${DEEP}"; chdir "${DEEP}" } open F, ">e.js"; print F "evil\n"'`,
    holds: {},
  },
];

describe('capture hides, changes and loses nothing without a word', { timeout: 60_000 }, () => {
  it.each(ATTACKS)('against $name', async ({ plant, holds, names = {} }) => {
    const shadow = makeShadowRepository();
    shadow.sh(plant);
    let isHurt = false;
    try {
      shadow.snapshot();
      isHurt = Object.entries(holds).some(([path, text]) => shadow.read(path) !== text);
    } catch {
      // It failed, or never came back: the audit stops here.
      isHurt = true;
    }
    expect(isHurt, 'the attack works on a shadow repository').toBe(true);

    const workspace = await openWorkspace();
    await workspace.sh(plant);
    const skipped = await workspace.snapshot();
    for (const [path, text] of Object.entries(holds))
      expect([path, await workspace.read(path)]).toEqual([path, text]);
    for (const [path, reason] of Object.entries(names)) {
      expect(skipped).toContainEqual(expect.objectContaining({ path, reason }));
    }
    // And the next snapshot is one like any other (G12).
    await workspace.sh('echo later > later.js');
    await workspace.snapshot();
    expect(await workspace.read('later.js')).toBe('later\n');
  });

  it.each(SILENT)('nor $name', async ({ plant, names }) => {
    const shadow = makeShadowRepository();
    shadow.sh(plant);
    shadow.snapshot();
    const ofGit = shadow.paths();
    expect(ofGit, 'the attack works on a shadow repository').toEqual([]);
    shadow.sh(`rm -rf ${DEEP}`);

    const workspace = await openWorkspace();
    await workspace.sh(plant);
    const skipped = await workspace.snapshot();
    if (names === undefined) {
      const isRecorded = (await workspace.paths()).some((path) => path.endsWith('/e.js'));
      expect(isRecorded || skipped.some(({ reason }) => reason === 'too-deep')).toBe(true);
      await workspace.sh(`rm -rf ${DEEP}`);
    }
    for (const [path, reason] of Object.entries(names ?? {})) {
      expect(skipped).toContainEqual(expect.objectContaining({ path, reason }));
    }
  });

  it('nor a folder that may be entered but not listed (G34)', async (context) => {
    const isRoot = process.getuid?.() === 0;
    if (isRoot && !canBecomeOrdinary())
      context.skip('root may list every folder, and can become nobody else here');
    const plant = 'mkdir d; echo evil > d/e.js; chmod 0111 d';
    const shadow = makeShadowRepository(isRoot ? asOrdinaryUser() : []);
    shadow.sh(plant);
    shadow.snapshot();
    expect(shadow.paths(), 'the attack works on a shadow repository').toEqual([]);
    shadow.sh('chmod 0755 d');

    const workspace = await openWorkspace();
    await workspace.sh(plant);
    const skipped = await workspace.snapshot();
    // Root's guest agent reads it all the same.
    const isRecorded = (await workspace.read('d/e.js')) === 'evil\n';
    expect(isRecorded || skipped.some(({ path, reason }) => path === 'd' && reason === 'unreadable')).toBe(
      true,
    );
    await workspace.sh('chmod 0755 d');
  });
});
