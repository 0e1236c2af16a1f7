import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/temp.ts';
import { openWorkspace } from './captured-workspace.ts';
import { makeShadowRepository } from './shadow-repository.ts';

const OLD = '@1000000000';

/** Waits for the beginning of a second: what follows happens within it. */
async function nextSecond(): Promise<void> {
  await sleep(1000 - (Date.now() % 1000) + 20);
}

/** Writes through a mapping, once a file `go` is there; the page was dirty before, so no time stamp moves. */
const MAPPED_WRITER = `
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
int main(void) {
  int file = open("mapped", O_RDWR | O_CREAT, 0644);
  char *page;
  if (ftruncate(file, 5) != 0) return 1;
  page = mmap(0, 5, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (page == MAP_FAILED) return 1;
  __builtin_memcpy(page, "good\\n", 5);
  close(open("ready", O_CREAT | O_WRONLY, 0644));
  while (access("go", F_OK) != 0) usleep(1000);
  __builtin_memcpy(page, "evil\\n", 5);
  close(open("done", O_CREAT | O_WRONLY, 0644));
  pause();
  return 0;
}
`;

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5);
}

describe('capture is not outrun', { timeout: 90_000 }, () => {
  it('by a file that is rewritten within the second, with its size and time put back (G32)', async () => {
    const first = `printf 'good\\n' > sly; touch -d ${OLD} sly`;
    const second = `printf 'evil\\n' > sly; touch -d ${OLD} sly`;
    const shadow = makeShadowRepository();
    let isHurt = false;
    for (let attempt = 0; attempt < 5 && !isHurt; attempt++) {
      await nextSecond();
      shadow.sh(first);
      shadow.snapshot();
      shadow.sh(second);
      shadow.snapshot();
      isHurt = shadow.read('sly') === 'good\n';
    }
    expect(isHurt, 'the attack works on a shadow repository').toBe(true);

    const workspace = await openWorkspace();
    for (let attempt = 0; attempt < 3; attempt++) {
      await nextSecond();
      await workspace.sh(first);
      await workspace.snapshot({ sweep: false });
      expect(await workspace.read('sly')).toBe('good\n');
      await workspace.sh(second);
      await workspace.snapshot({ sweep: false });
      expect(await workspace.read('sly')).toBe('evil\n');
    }
  });

  it('by writing through a mapping, which moves no time stamp: a sweep reads the bytes (G33)', async (context) => {
    const memory = '/dev/shm';
    if (!existsSync(memory)) context.skip(`there is no memory file system at ${memory}`);
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'writer.c'), MAPPED_WRITER);
    execFileSync('cc', ['-o', join(folder, 'writer'), join(folder, 'writer.c')]);
    const workspace = await openWorkspace(memory);
    const at = (name: string) => join(workspace.workspace, name);
    const stop = await workspace.start(join(folder, 'writer'));
    await until(() => existsSync(at('ready')));
    // Beyond the time in which a stamp is not trusted anyway.
    await sleep(2_200);
    await workspace.snapshot({ sweep: false });
    expect(await workspace.read('mapped')).toBe('good\n');
    await sleep(2_200);
    await workspace.snapshot({ sweep: false });
    const before = lstatSync(at('mapped'), { bigint: true });
    writeFileSync(at('go'), '');
    await until(() => existsSync(at('done')));
    const after = lstatSync(at('mapped'), { bigint: true });
    expect([after.mtimeNs, after.ctimeNs, after.size]).toEqual([before.mtimeNs, before.ctimeNs, before.size]);
    expect(readFileSync(at('mapped'), 'utf8'), 'no stamp tells that the bytes are others now').toBe('evil\n');
    await workspace.snapshot({ sweep: true });
    expect(await workspace.read('mapped')).toBe('evil\n');
    await stop();
  });

  it('by a folder that becomes a symlink to the host, and back, for as long as it is tried (G19)', async () => {
    const host = temporaryFolder();
    writeFileSync(join(host, 'secret'), 'of the host');
    // A walker that looks first and reads then can be shown the one and given the other.
    const naive = temporaryFolder();
    mkdirSync(join(naive, 'd'));
    writeFileSync(join(naive, 'd/secret'), 'of the guest');
    expect(lstatSync(join(naive, 'd')).isDirectory()).toBe(true);
    renameSync(join(naive, 'd'), join(naive, 'real'));
    symlinkSync(host, join(naive, 'd'));
    expect(readFileSync(join(naive, 'd/secret'), 'utf8'), 'the attack works on a walk by path').toBe(
      'of the host',
    );

    const workspace = await openWorkspace();
    await workspace.sh('mkdir d; echo "of the guest" > d/secret; echo > d/other');
    const stop = await workspace.start(
      `while :; do mv d real; ln -s ${host} d; rm d; mv real d; done 2>/dev/null`,
    );
    try {
      for (let round = 0; round < 60; round++) {
        await workspace.snapshot({ sweep: round % 3 === 0 });
        expect(await workspace.read('d/secret')).not.toBe('of the host');
        expect(await workspace.read('real/secret')).not.toBe('of the host');
      }
    } finally {
      await stop();
    }
  });

  it('by a file that becomes a pipe, and back: it does not wait for a writer (G20)', async () => {
    const naive = temporaryFolder();
    writeFileSync(join(naive, 'f'), 'file');
    expect(lstatSync(join(naive, 'f')).isFile()).toBe(true);
    rmSync(join(naive, 'f'));
    execFileSync('mkfifo', [join(naive, 'f')]);
    const read = () => execFileSync('cat', [join(naive, 'f')], { timeout: 1_000, stdio: 'pipe' });
    expect(read, 'the attack works on a read by path').toThrow(/ETIMEDOUT/);

    const workspace = await openWorkspace(tmpdir());
    await workspace.sh('echo file > f; echo still > here');
    const stop = await workspace.start(
      'while :; do rm -f f; mkfifo f; rm -f f; echo file > f; done 2>/dev/null',
    );
    try {
      for (let round = 0; round < 60; round++) {
        await workspace.snapshot({ sweep: round % 3 === 0 });
        expect(await workspace.read('here')).toBe('still\n');
      }
    } finally {
      await stop();
    }
  });
});
