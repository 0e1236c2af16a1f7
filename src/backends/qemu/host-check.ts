/**
 * Whether this machine can run the backend, tried once and kept: trying the jail and asking QEMU for its version takes
 * longer than copying a small project in. The kept answer is for exactly these programs on exactly this kernel, and a
 * launch that fails asks anew.
 */
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { release } from 'node:os';
import type { HostPath } from '../../base/path-bytes.ts';
import type { BackendMissing } from '../backend.ts';
import { findProgram } from '../programs.ts';
import { findLacking, QEMU, qemuVersion, tryPrograms } from './requirements.ts';

export interface HostCheckOptions {
  cacheDir: HostPath;
  /** Where programs are looked for. */
  path: string;
  qemuPath?: HostPath;
}

interface Kept {
  key: string;
  qemuVersion: string;
}

/** What a person or an administrator may change, and that decides whether a jail can be made. */
const SETTINGS = [
  '/proc/sys/kernel/unprivileged_userns_clone',
  '/proc/sys/kernel/apparmor_restrict_unprivileged_userns',
  '/proc/sys/user/max_user_namespaces',
];

export class HostCheck {
  readonly #options: HostCheckOptions;
  readonly #file: string;
  #passed: Promise<Kept | BackendMissing> | undefined;

  constructor(options: HostCheckOptions) {
    this.#options = options;
    this.#file = `${options.cacheDir}/host.json`;
  }

  /** What stands in the way, with the exact mend; undefined when nothing does. Only the latter is kept. */
  async missing(): Promise<BackendMissing | undefined> {
    const answer = await this.#ask();
    return 'mend' in answer ? answer : undefined;
  }

  /** Forgets what was kept and tries again: for when a launch failed. */
  async missingNow(): Promise<BackendMissing | undefined> {
    this.#passed = undefined;
    await rm(this.#file, { force: true });
    return this.missing();
  }

  /** QEMU's version as it prints it, with the distribution's own. */
  async qemuVersion(): Promise<string> {
    const answer = await this.#ask();
    return 'mend' in answer ? qemuVersion(await this.#qemu()) : answer.qemuVersion;
  }

  async #ask(): Promise<Kept | BackendMissing> {
    this.#passed ??= this.#find();
    const asked = this.#passed;
    const forget = () => {
      if (this.#passed === asked) this.#passed = undefined;
    };
    try {
      const answer = await asked;
      // Somebody may mend it while this process lives.
      if ('mend' in answer) forget();
      return answer;
    } catch (error) {
      forget();
      throw error;
    }
  }

  async #find(): Promise<Kept | BackendMissing> {
    const { path, qemuPath } = this.#options;
    const lack = await findLacking(path, qemuPath);
    if (lack !== undefined) return lack;
    const qemu = await this.#qemu();
    const bwrap = (await findProgram('bwrap', path)) ?? 'bwrap';
    const key = await keyOf([qemu, bwrap]);
    const kept = await this.#read(key);
    if (kept !== undefined) return kept;
    const fault = await tryPrograms(qemu, bwrap);
    if (fault !== undefined) return fault;
    const fresh = { key, qemuVersion: await qemuVersion(qemu) };
    await this.#write(fresh);
    return fresh;
  }

  async #qemu(): Promise<string> {
    return this.#options.qemuPath ?? (await findProgram(QEMU, this.#options.path)) ?? QEMU;
  }

  async #read(key: string): Promise<Kept | undefined> {
    try {
      const kept = JSON.parse(await readFile(this.#file, 'utf8')) as Kept;
      return kept.key === key && typeof kept.qemuVersion === 'string' ? kept : undefined;
    } catch {
      // Missing or damaged: tried anew.
      return undefined;
    }
  }

  async #write(kept: Kept): Promise<void> {
    const temporary = `${this.#file}.${process.pid}`;
    try {
      await mkdir(this.#options.cacheDir, { recursive: true, mode: 0o700 });
      await writeFile(temporary, JSON.stringify(kept), { mode: 0o600 });
      await rename(temporary, this.#file);
    } catch {
      // Only the next start is slower by it; a cache that can't be written is told of by what needs it.
    }
  }
}

async function keyOf(programs: string[]): Promise<string> {
  const parts: unknown[] = [1, release(), process.getuid?.()];
  for (const program of programs) {
    const found = await stat(program, { bigint: true }).catch(() => undefined); // Gone just now: trying it tells.
    parts.push(program, String(found?.size), String(found?.mtimeNs));
  }
  for (const setting of SETTINGS) parts.push(await readFile(setting, 'utf8').catch(() => '')); // Not on every kernel.
  return JSON.stringify(parts);
}
