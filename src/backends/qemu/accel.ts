/**
 * Whether hardware virtualisation works here, found out by booting: machines exist that offer /dev/kvm, create a
 * virtual processor, and can't run a stock kernel on it. The answer is remembered for as long as nothing it depends on
 * changes.
 */

import { constants } from 'node:fs';
import { access, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { cpus, release } from 'node:os';
import { toSafeCoderError } from '../../base/errors.ts';
import type { HostPath } from '../../base/path-bytes.ts';

export interface AccelVerdict {
  accel: 'kvm' | 'tcg';
  /** Why, in words for `doctor`. */
  reason: string;
  /** What would give hardware virtualisation, where somebody can do something. */
  mend?: string;
}

export interface VerdictOptions {
  cacheDir: HostPath;
  qemuVersion: string;
  /** Boots a small machine with KVM and returns once its guest agent answered; throws when it doesn't in time. */
  probe: () => Promise<void>;
  /** For tests; default: /dev/kvm. */
  device?: string;
}

/** The verdict from the cache, or by one probe. Never throws for a probe that failed: that is the answer. */
export async function decideAccel(options: VerdictOptions): Promise<AccelVerdict> {
  const device = options.device ?? '/dev/kvm';
  const access = await canUse(device);
  // Cheap to find out and cheap to mend, so never remembered.
  if (access !== undefined) return access;
  const key = `1 ${release()} ${hostCpu()} ${options.qemuVersion}`;
  const file = `${options.cacheDir}/accel.json`;
  const known = await readVerdict(file, key);
  if (known !== undefined) return known;
  const verdict = await probeVerdict(options.probe);
  await mkdir(options.cacheDir, { recursive: true, mode: 0o700 });
  await writeFile(`${file}.${process.pid}`, JSON.stringify({ key, verdict }), { mode: 0o600 });
  await rename(`${file}.${process.pid}`, file);
  return verdict;
}

/** The processor's name: a saved state made with hardware virtualisation fits no other. */
export function hostCpu(): string {
  return cpus()[0]?.model ?? 'unknown';
}

async function canUse(device: string): Promise<AccelVerdict | undefined> {
  try {
    await access(device, constants.F_OK);
  } catch {
    // No such device: the ordinary case on a machine without virtualisation.
    return { accel: 'tcg', reason: `there is no ${device}` };
  }
  try {
    await access(device, constants.R_OK | constants.W_OK);
    return undefined;
  } catch {
    // There, but not for this user.
    return {
      accel: 'tcg',
      reason: `${device} can't be opened by this user`,
      mend: 'sudo usermod -aG kvm "$USER" (then log in again)',
    };
  }
}

async function probeVerdict(probe: () => Promise<void>): Promise<AccelVerdict> {
  try {
    await probe();
    return { accel: 'kvm', reason: 'a test machine booted with hardware virtualisation' };
  } catch (error) {
    const first = toSafeCoderError(error).message.split('\n')[0] ?? '';
    return {
      accel: 'tcg',
      reason: `/dev/kvm is there, but a test machine did not boot with it: ${first}`,
    };
  }
}

async function readVerdict(file: string, key: string): Promise<AccelVerdict | undefined> {
  try {
    const stored = JSON.parse(await readFile(file, 'utf8')) as { key: string; verdict: AccelVerdict };
    return stored.key === key ? stored.verdict : undefined;
  } catch {
    // Missing or damaged: asked anew.
    return undefined;
  }
}
