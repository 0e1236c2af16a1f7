/** Which backend a session gets: the level that was asked for or none at all. There is no step down. */
import type { Backend } from '../backends/backend.ts';
import { SafeCoderError } from '../base/errors.ts';
import type { Settings } from '../config/schema.ts';

/**
 * The backend for these settings. Throws `backend/unavailable` with the reason and the mend when the level, the backend
 * or the network policy asked for can't be had.
 */
export async function chooseBackend(settings: Settings, backends: readonly Backend[]): Promise<Backend> {
  refuseNetwork(settings);
  const ofLevel = backends.filter((backend) => backend.level === settings.isolation);
  const candidates = ofLevel.filter(
    (backend) => settings.backend === undefined || backend.name === settings.backend,
  );
  if (candidates.length === 0) {
    throw new SafeCoderError('backend/unavailable', describeNone(settings, ofLevel), {
      hint: isContainers(settings.backend)
        ? `Ask for what it gives: --isolation container --backend ${settings.backend}`
        : 'Use --isolation vm, the default. "safe-coder doctor" shows what works here.',
    });
  }
  const reasons: string[] = [];
  for (const backend of candidates) {
    const missing = await backend.missing();
    if (missing === undefined) return backend;
    reasons.push(`${backend.name}: ${missing.reason}\n  ${missing.mend}`);
  }
  throw new SafeCoderError(
    'backend/unavailable',
    `Isolation level ${settings.isolation} can't be had here.`,
    {
      hint: reasons.join('\n'),
    },
  );
}

function isContainers(backend: Settings['backend']): boolean {
  return backend === 'bubblewrap' || backend === 'docker';
}

function describeNone(settings: Settings, ofLevel: readonly Backend[]): string {
  if (ofLevel.length === 0) return `This version has no backend for isolation level ${settings.isolation}.`;
  return `Backend ${settings.backend} does not give isolation level ${settings.isolation}.`;
}

function refuseNetwork(settings: Settings): void {
  if (settings.isolation !== 'demo') return;
  if (settings.network === 'none' && settings.allow.length === 0) return;
  const asked =
    settings.network === 'none' ? `--allow ${settings.allow[0]}` : `--network ${settings.network}`;
  throw new SafeCoderError(
    'backend/unavailable',
    `${asked} can't be had in a demo: its tools use this machine's own network, and no policy holds it.`,
    {
      hint: 'Start with --network none and without --allow.',
    },
  );
}
