/** Looks at the folders that a restore touches: what can go as a whole, and what is there that no ledger holds. */
import { isSafeCoderError } from '../base/errors.ts';
import { mapBounded } from '../base/map-bounded.ts';
import type { RelPath } from '../base/path-bytes.ts';
import type { FileKind } from '../guest/guest.ts';
import type { RestorePlan } from './restore-plan.ts';
import type { Sandbox } from './sandbox.ts';

export interface RestoreStep {
  path: RelPath;
  recursive: boolean;
}

interface Node {
  path: string;
  children: Map<string, Node>;
  /** A file of the ledger that is to go. */
  remove: boolean;
  /** A file is to come. */
  write: boolean;
  /** What is in the way here must go: a file is to come in its place. */
  mustGo: boolean;
  /** What the folder holds; undefined when it is none. */
  found: Map<string, FileKind> | undefined;
}

const MOST_LISTED = 500_000;
/** Paths of requests are shorter than those that capture can name. */
const MOST_PATH_BYTES = 4000;
const AT_ONCE = 16;

export class RestoreSurvey {
  readonly inTheWay: { path: string; why: string }[] = [];
  /** Folders that may be empty afterwards, deepest first. */
  readonly emptied: RelPath[] = [];
  readonly #sandbox: Sandbox;
  readonly #root = createNode('');
  readonly #steps: RestoreStep[] = [];
  readonly #isFresh: boolean;

  constructor(sandbox: Sandbox, plan: RestorePlan) {
    this.#sandbox = sandbox;
    this.#isFresh = plan.isFresh === true;
    for (const path of plan.remove) this.#node(path).remove = true;
    // What is replaced by another file needs no look: the list was captured just before.
    for (const { path, isNew } of plan.write) {
      if (!isNew) continue;
      const node = this.#node(path);
      node.write = true;
      node.mustGo = true;
    }
  }

  /** The removals that make room, once every folder was looked at. Throws `guest/*`. */
  async look(): Promise<RestoreStep[]> {
    if (this.#root.children.size === 0) return [];
    for (let level = [this.#root]; level.length > 0; ) {
      await mapBounded(level, AT_ONCE, (node) => this.#list(node));
      level = level.flatMap((node) => foldersOf(node));
    }
    this.#decide(this.#root);
    this.emptied.sort((a, b) => b.length - a.length);
    return this.#steps;
  }

  #node(path: string): Node {
    let at = this.#root;
    for (const name of path.split('/')) at = childOf(at, name);
    return at;
  }

  async #list(node: Node): Promise<void> {
    const { workspace } = this.#sandbox;
    const full = node.path === '' ? workspace : `${workspace}/${node.path}`;
    if (Buffer.byteLength(full) > MOST_PATH_BYTES) {
      this.#block(node.path, 'the path is too long');
      return;
    }
    try {
      const { entries, truncated } = await this.#sandbox.list(full, MOST_LISTED);
      if (truncated) this.#block(node.path, 'it holds too many entries');
      node.found = new Map(entries.map(({ name, stat }) => [name, stat.kind]));
    } catch (error) {
      const isGone = isSafeCoderError(error, 'guest/failed') && error.details?.errnoName === 'ENOENT';
      if (!isGone) throw error;
    }
  }

  /** Adds the steps for what is in a folder. True when all of it goes, and with it the folder may. */
  #decide(folder: Node): boolean {
    const steps = this.#steps.length;
    let isAll = folder !== this.#root;
    for (const [name, kind] of folder.found ?? []) {
      const node = folder.children.get(name);
      if (!(node && this.#decideOne(node, kind))) isAll = false;
    }
    if (!isAll || hasWrites(folder)) return false;
    // All of it at once, instead of step by step.
    this.#steps.length = steps;
    this.#steps.push({ path: folder.path as RelPath, recursive: true });
    return true;
  }

  /** True when what is at this path goes and nothing comes for it. */
  #decideOne(node: Node, kind: FileKind): boolean {
    if (kind === 'directory') {
      const before = this.#steps.length;
      const goes = this.#decide(node);
      if (!goes && !node.write && !node.mustGo && !hasWrites(node)) this.emptied.push(node.path as RelPath);
      if (!goes && node.write) {
        // What is in it was found to hold no bytes, or is in the way and stops everything.
        this.#steps.length = before;
        this.#steps.push({ path: node.path as RelPath, recursive: true });
      }
      return goes && !node.write;
    }
    const isExpected = node.remove;
    const makesRoom = node.mustGo || node.children.size > 0;
    if (!isExpected && !makesRoom) return false;
    if (!isExpected && kind !== 'special' && !this.#isFresh) {
      this.#block(node.path, 'not in the ledger');
      return false;
    }
    this.#steps.push({ path: node.path as RelPath, recursive: false });
    return !node.write && !hasWrites(node);
  }

  #block(path: string, why: string): void {
    this.inTheWay.push({ path, why });
  }
}

function createNode(path: string): Node {
  return { path, children: new Map(), remove: false, write: false, mustGo: false, found: undefined };
}

function childOf(node: Node, name: string): Node {
  let child = node.children.get(name);
  if (child === undefined) {
    child = createNode(node.path === '' ? name : `${node.path}/${name}`);
    node.children.set(name, child);
  }
  return child;
}

/** The folders to look into next: those on the way, and everything below one that a file is to replace. */
function foldersOf(node: Node): Node[] {
  const folders: Node[] = [];
  for (const [name, kind] of node.found ?? []) {
    const child = node.mustGo ? childOf(node, name) : node.children.get(name);
    if (child === undefined) continue;
    if (node.mustGo) child.mustGo = true;
    if (kind === 'directory') folders.push(child);
  }
  return folders;
}

function hasWrites(node: Node): boolean {
  for (const child of node.children.values()) if (child.write || hasWrites(child)) return true;
  return false;
}
