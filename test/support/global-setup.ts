import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The guest agent is built before any test that runs it. */
export function setup(): void {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  execFileSync('make', ['-s', '-C', `${root}guest`], { stdio: ['ignore', 'inherit', 'inherit'] });
}
