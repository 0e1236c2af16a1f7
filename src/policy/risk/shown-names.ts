/** Names out of a hostile file, for a reason that people read. */
import { showPath } from '../../base/path-bytes.ts';

const MOST_NAMES = 3;
const MOST_CHARACTERS = 60;

/** A few names, each short and shown safely, and how many there are besides. */
export function showNames(names: readonly string[]): string {
  const shown = names.slice(0, MOST_NAMES).map((name) => {
    const start = Array.from(name.slice(0, MOST_CHARACTERS + 2));
    return showPath(
      start.length > MOST_CHARACTERS ? `${start.slice(0, MOST_CHARACTERS - 1).join('')}…` : name,
    );
  });
  const rest = names.length - shown.length;
  return shown.join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}
