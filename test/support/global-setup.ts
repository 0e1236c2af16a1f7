import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The guest agent is built before any test that runs it; a test that needs it fails by itself when there is none. */
export function setup(): void {
  const guest = fileURLToPath(new URL('../../guest', import.meta.url));
  if (!existsSync(`${guest}/Makefile`)) return;
  execFileSync('make', ['-s', '-C', guest], { stdio: ['ignore', 'inherit', 'inherit'] });
}
