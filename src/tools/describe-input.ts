/** What a tool call is about, on one line. */

const TELLING_FIELDS = ['command', 'path', 'pattern', 'job_id'];
const MOST_CHARACTERS = 160;

/** The most telling field of a tool's input; not escaped. Empty when it has none. */
export function describeInput(input: unknown): string {
  if (typeof input !== 'object' || input === null) return '';
  const fields = input as Record<string, unknown>;
  for (const name of TELLING_FIELDS) {
    const value = fields[name];
    if (typeof value === 'string') {
      const line = value.split('\n')[0] ?? '';
      const cut = line.length > MOST_CHARACTERS || value.includes('\n');
      return cut ? `${line.slice(0, MOST_CHARACTERS)} … (${value.length} characters)` : line;
    }
  }
  return '';
}
