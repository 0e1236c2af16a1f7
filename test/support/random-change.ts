/** What an operation means: to a tree in memory, and as the tool calls that do it in a guest. */
import { encodePath } from '../../src/base/path-bytes.ts';
import { isRelated, type Operation, type RandomTree, type TreeFile } from './random-tree.ts';

export interface ToolCall {
  tool: 'bash' | 'read' | 'write' | 'edit';
  input: Record<string, unknown>;
}

export interface Performed {
  /** The tree afterwards. */
  tree: RandomTree;
  /** Empty when there is nothing that the operation could be about. */
  calls: ToolCall[];
}

export interface PerformOptions {
  /** Everything by commands, nothing by the file tools. */
  shellOnly?: boolean;
}

/** Does an operation to a tree, and says which calls do the same in a guest. */
export function perform(tree: RandomTree, operation: Operation, options: PerformOptions = {}): Performed {
  switch (operation.op) {
    case 'write':
      return write(tree, operation.path, operation.file, options);
    case 'rewrite':
      return rewrite(tree, operation);
    case 'edit':
      return edit(tree, operation, options);
    case 'remove':
      return remove(tree, pickPath(tree, operation.pick, operation.depth));
    case 'move':
      return move(tree, pickPath(tree, operation.pick, operation.depth), operation.to);
    case 'chmod':
      return chmod(tree, operation.pick);
  }
}

/** Does operations one after another. */
export function performAll(
  tree: RandomTree,
  operations: readonly Operation[],
  options: PerformOptions = {},
): Performed {
  const calls: ToolCall[] = [];
  let now = tree;
  for (const operation of operations) {
    const done = perform(now, operation, options);
    calls.push(...done.calls);
    now = done.tree;
  }
  return { tree: now, calls };
}

function write(tree: RandomTree, path: string, file: TreeFile, { shellOnly }: PerformOptions): Performed {
  const next = without(tree, path);
  const isNew = ![...tree.keys()].some((other) => isRelated(other, path));
  next.set(path, file);
  const plain = plainText(file);
  // Only the shell can put a file where others are; the tool takes text at a name that is text.
  if (!shellOnly && isNew && plain !== undefined && path.isWellFormed() && !path.includes('\r')) {
    return {
      tree: next,
      calls: [{ tool: 'write', input: { path: `{{workspace}}/${path}`, content: plain } }],
    };
  }
  return { tree: next, calls: [bash(`${makeRoom(path)}; ${create(path, file)}`)] };
}

/** The text of a file as the write tool would write it, or undefined when it is none. */
function plainText(file: TreeFile): string | undefined {
  if (file.kind !== 'file' || file.executable || file.bytes.includes('\0') || file.bytes.includes('\r'))
    return undefined;
  const text = file.bytes.toString('utf8');
  return text !== '' && text.length < 10_000 && Buffer.from(text).equals(file.bytes) ? text : undefined;
}

/** New bytes in the same inode. */
function rewrite(tree: RandomTree, { pick, bytes }: { pick: number; bytes: Buffer }): Performed {
  const found = pickFile(tree, pick);
  if (found === undefined) return { tree, calls: [] };
  const [path, file] = found;
  return {
    tree: new Map(tree).set(path, { ...file, bytes }),
    calls: [bash(`${decode(bytes)} > ${quote(path)}`)],
  };
}

/** One line replaced: by the edit tool where that can name it, else by the shell. */
function edit(
  tree: RandomTree,
  { pick, line, text }: { pick: number; line: number; text: string },
  { shellOnly }: PerformOptions,
): Performed {
  const found = pickFile(tree, pick);
  if (found === undefined) return { tree, calls: [] };
  const [path, file] = found;
  const lines = file.bytes.toString('latin1').split('\n');
  const at = line % lines.length;
  const old = lines[at] ?? '';
  const end = old.endsWith('\r') ? '\r' : '';
  lines[at] = `${text.replaceAll('\n', `${end}\n`)}${end}`;
  const bytes = Buffer.from(lines.join('\n'), 'latin1');
  const next = new Map(tree).set(path, { ...file, bytes });
  const whole = plainText({ ...file, executable: false });
  const isNamed = !shellOnly && path.isWellFormed() && !path.includes('\r');
  const isOnlyOne =
    whole !== undefined &&
    old.trim() !== '' &&
    whole.split('\n').filter((other) => other.includes(old)).length === 1;
  if (
    isNamed &&
    isOnlyOne &&
    !bytes.equals(file.bytes) &&
    text !== '' &&
    Buffer.from(old, 'latin1').toString('utf8') === old
  ) {
    const name = `{{workspace}}/${path}`;
    return {
      tree: next,
      calls: [
        { tool: 'read', input: { path: name } },
        { tool: 'edit', input: { path: name, old_string: old, new_string: text } },
      ],
    };
  }
  return { tree: next, calls: [bash(`${decode(bytes)} > ${quote(path)}`)] };
}

function remove(tree: RandomTree, path: string | undefined): Performed {
  if (path === undefined) return { tree, calls: [] };
  return { tree: without(tree, path, true), calls: [bash(`rm -rf ${quote(path)}`)] };
}

function move(tree: RandomTree, from: string | undefined, to: string): Performed {
  if (from === undefined || isRelated(from, to)) return { tree, calls: [] };
  const next = without(tree, to);
  for (const [path, file] of [...next]) {
    if (path !== from && !path.startsWith(`${from}/`)) continue;
    next.delete(path);
    next.set(to + path.slice(from.length), file);
  }
  // What made room for it may have been the thing itself.
  const isThere = [...next.keys()].some((path) => path === to || path.startsWith(`${to}/`));
  if (!isThere) return { tree, calls: [] };
  return { tree: next, calls: [bash(`${makeRoom(to)}; mv -T ${quote(from)} ${quote(to)}`)] };
}

function chmod(tree: RandomTree, pick: number): Performed {
  const found = pickFile(tree, pick);
  if (found === undefined) return { tree, calls: [] };
  const [path, file] = found;
  const executable = !file.executable;
  const next = new Map(tree).set(path, { ...file, executable });
  return { tree: next, calls: [bash(`chmod ${executable ? '755' : '644'} ${quote(path)}`)] };
}

/** The tree without what is at or below a path and, unless `isExact`, without files above it. */
function without(tree: RandomTree, path: string, isExact = false): Map<string, TreeFile> {
  return new Map(
    [...tree].filter(([other]) =>
      isExact ? other !== path && !other.startsWith(`${path}/`) : !isRelated(other, path),
    ),
  );
}

/** A path of the tree or, with some depth, a folder of it. */
function pickPath(tree: RandomTree, pick: number, depth: number): string | undefined {
  const path = [...tree.keys()][pick % Math.max(1, tree.size)];
  const parts = path?.split('/') ?? [];
  return depth > 0 && parts.length > depth ? parts.slice(0, depth).join('/') : path;
}

function pickFile(tree: RandomTree, pick: number): [string, Extract<TreeFile, { kind: 'file' }>] | undefined {
  const files = [...tree].flatMap(([path, file]) => (file.kind === 'file' ? [[path, file] as const] : []));
  const found = files[pick % Math.max(1, files.length)];
  return found && [found[0], found[1]];
}

function bash(command: string): ToolCall {
  return { tool: 'bash', input: { command: `set -e; cd "{{workspace}}"; ${command}` } };
}

/** Removes files that stand where folders are to be, and whatever is at the path itself. */
function makeRoom(path: string): string {
  const parts = path.split('/');
  const above = parts.slice(1).map((_, at) => quote(parts.slice(0, at + 1).join('/')));
  const clear = above.map(
    (folder) => `{ [ -d ${folder} ] && [ ! -L ${folder} ]; } || rm -rf ${folder}; mkdir -p ${folder}`,
  );
  return [...clear, `rm -rf ${quote(path)}`].join('; ');
}

function create(path: string, file: TreeFile): string {
  if (file.kind === 'symlink') return `ln -s -- ${quoteBytes(encodePath(file.target))} ${quote(path)}`;
  return `${decode(file.bytes)} > ${quote(path)}; chmod ${file.executable ? '755' : '644'} ${quote(path)}`;
}

/** A command that prints these bytes. */
function decode(bytes: Buffer): string {
  return `printf %s '${bytes.toString('base64')}' | base64 -d`;
}

/** A path below the workspace as one word of bash, in plain ASCII. */
function quote(path: string): string {
  return quoteBytes(Buffer.concat([Buffer.from('./'), encodePath(path)]));
}

function quoteBytes(bytes: Buffer): string {
  const inner = [...bytes].map((byte) => {
    const char = String.fromCharCode(byte);
    return /[\w./+-]/.test(char) && byte < 0x80 ? char : `\\${byte.toString(8).padStart(3, '0')}`;
  });
  return `$'${inner.join('')}'`;
}
