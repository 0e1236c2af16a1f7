import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { HostPath } from '../../../src/base/path-bytes.ts';
import { checkToolchain, findNodeFolder } from '../../../src/cli/toolchain.ts';
import { temporaryFolder } from '../../support/temp.ts';

/** A folder with a Node in it, and whatever else is named. */
function installNode(folder: string, ...more: string[]): HostPath {
  for (const name of ['bin', 'lib/node_modules', ...more]) mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, 'bin/node'), '');
  return folder as HostPath;
}

describe("the user's own Node", () => {
  it('is shown when its folder is an installation of its own', () => {
    const home = temporaryFolder();
    const folder = installNode(join(home, '.nvm/versions/node/v22.1.0'), 'include', 'share');
    const search = { closed: [home], except: '/program' as HostPath };
    expect(findNodeFolder(`/nowhere:${folder}/bin:/usr/bin`, search)).toBe(folder);
    mkdirSync(join(home, 'bin'));
    symlinkSync(join(folder, 'bin/node'), join(home, 'bin/node'));
    expect(findNodeFolder(join(home, 'bin'), search)).toBe(folder);
  });

  it('never shows the home folder, what contains it, or a folder that holds more than Node', () => {
    const parent = temporaryFolder();
    const home = join(parent, 'home') as HostPath;
    installNode(home, '.ssh');
    const search = { closed: [home], except: '/program' as HostPath };
    expect(findNodeFolder(join(home, 'bin'), search)).toBeUndefined();
    installNode(parent);
    expect(findNodeFolder(join(parent, 'bin'), search)).toBeUndefined();
    const local = installNode(join(home, '.local'), 'state');
    expect(findNodeFolder(join(local, 'bin'), search)).toBeUndefined();
    const withSettings = installNode(join(home, 'node'), 'etc');
    expect(findNodeFolder(join(withSettings, 'bin'), search)).toBeUndefined();
  });

  it('is looked for in absolute folders only, and not in this program', () => {
    const folder = installNode(temporaryFolder());
    expect(findNodeFolder('bin:./bin:', { closed: [], except: '/program' as HostPath })).toBeUndefined();
    expect(findNodeFolder(join(folder, 'bin'), { closed: [], except: folder })).toBeUndefined();
  });
});

describe('toolchain folders of the settings', () => {
  it('are refused when they would show what is closed, or are not there', () => {
    const home = temporaryFolder();
    const tool = join(home, 'tool') as HostPath;
    mkdirSync(tool);
    symlinkSync(home, join(home, 'tool/back'));
    expect(checkToolchain([tool], [home])).toEqual([tool]);
    for (const folder of [home, '/', join(tool, 'back'), join(home, 'missing')]) {
      expect(() => checkToolchain([folder as HostPath], [home])).toThrowError(
        expect.objectContaining({ code: 'config/invalid' }),
      );
    }
  });
});
