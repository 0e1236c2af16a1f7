/**
 * Which folders of the host the guest may read besides /usr. Whatever is named here is shown whole: a folder is only taken
 * when it is a tool's own, never one that also holds what belongs to the user.
 */
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { SafeCoderError } from '../base/errors.ts';
import { type HostPath, showPath } from '../base/path-bytes.ts';

/** What an installation of Node has at its top; `etc` is left out, for it may hold an npmrc with tokens. */
const OF_NODE = /^(bin|include|lib|share|CHANGELOG\.md|LICENSE|README\.md)$/;

export interface NodeSearch {
  /** Folders that must not be shown: the user's home, the project, our own. */
  closed: readonly HostPath[];
  /** This program's own folder: its Node is not the user's. */
  except: HostPath;
}

/** The folder of the first Node in a PATH, when it is outside /usr and an installation of its own; else undefined. */
export function findNodeFolder(path: string, search: NodeSearch): HostPath | undefined {
  const node = path
    .split(':')
    .filter((folder) => isAbsolute(folder))
    .map((folder) => join(folder, 'node'))
    .find((file) => !file.startsWith(search.except) && existsSync(file));
  if (node === undefined) return undefined;
  const folder = dirname(dirname(realpathSync(node))) as HostPath;
  if (folder === '/usr' || folder.startsWith('/usr/')) return undefined;
  if (closedBy(folder, search.closed) !== undefined) return undefined;
  const isOwn =
    existsSync(join(folder, 'lib/node_modules')) && readdirSync(folder).every((name) => OF_NODE.test(name));
  return isOwn ? folder : undefined;
}

/** The folders of the settings, links resolved. Throws `config/invalid` for one that would show the user's own files. */
export function checkToolchain(folders: readonly HostPath[], closed: readonly HostPath[]): HostPath[] {
  return folders.map((named) => {
    if (!existsSync(named)) throw invalid(named, 'is not there');
    const folder = realpathSync(named) as HostPath;
    const inside = closedBy(folder, closed);
    if (inside !== undefined) throw invalid(named, `would show ${showPath(inside)} to the guest`);
    return folder;
  });
}

/** The closed folder that this one is, or contains. */
function closedBy(folder: HostPath, closed: readonly HostPath[]): HostPath | undefined {
  return closed.find((other) => other === folder || other.startsWith(folder === '/' ? '/' : `${folder}/`));
}

function invalid(folder: HostPath, why: string): SafeCoderError {
  return new SafeCoderError('config/invalid', `The toolchain folder ${showPath(folder)} ${why}.`, {
    hint: 'Name the tool\'s own folder under "toolchain" in your settings, e.g. ~/.nvm/versions/node/v22.0.0.',
  });
}
