/**
 * The rate of the host's time stamp counter, which an emulated guest sees unchanged. The guest must be told: measuring
 * it fails on a busy host, and a wrong rate makes the guest's clock and every timer in it run fast or slow by as much.
 */
import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';

const FALLBACK_KHZ = 2_000_000;
const CPUFREQ = '/sys/devices/system/cpu/cpu0/cpufreq';

/** The rate in kHz: the same every time on one machine, because saved states depend on it. */
export async function hostTscKhz(): Promise<number> {
  const cpuinfo = await readFile('/proc/cpuinfo', 'latin1').catch(() => ''); // Absent: the other sources are asked.
  const base = await readFile(`${CPUFREQ}/base_frequency`, 'latin1').catch(() => ''); // Intel's driver only.
  const most = await readFile(`${CPUFREQ}/cpuinfo_max_freq`, 'latin1').catch(() => ''); // Where cpufreq is there.
  return tscKhzFrom({ cpuinfo, base, most, model: cpus()[0]?.model ?? '' });
}

/**
 * In a virtual machine the kernel shows the counter's exact rate as the processor's. On a real one that figure moves
 * with the load, and the nominal rate is nearest: to a few parts in a thousand.
 */
export function tscKhzFrom(known: { cpuinfo: string; base: string; most: string; model: string }): number {
  const shown = Number(/^cpu MHz\s*:\s*(\d+(?:\.\d+)?)$/m.exec(known.cpuinfo)?.[1] ?? 0);
  const isVirtual = /^flags\s*:.*\bhypervisor\b/m.test(known.cpuinfo);
  const nominal = Number(/@ (\d+(?:\.\d+)?)GHz/.exec(known.model)?.[1] ?? 0);
  const candidates = [
    isVirtual ? shown * 1000 : 0,
    Number(known.base.trim()),
    nominal * 1_000_000,
    Number(known.most.trim()),
  ];
  const found = candidates.find((khz) => khz >= 100_000 && khz <= 10_000_000);
  return Math.round(found ?? FALLBACK_KHZ);
}
