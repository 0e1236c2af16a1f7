/** What every request must keep, whatever the wire format. Each function returns sentences about what is wrong. */
import type { ReadRequest, Turn } from './turn.ts';

/** Calls answered once and in order in the next turn, roles that alternate, no empty content. */
export function checkConversation(turns: readonly Turn[]): string[] {
  const faults: string[] = [];
  let open: string[] = [];
  let lastRole: 'user' | 'assistant' | undefined;
  for (const [index, turn] of turns.entries()) {
    const role = turn.role === 'results' ? 'user' : turn.role;
    // A results turn may be followed by what the user says next.
    const followsResults = turns[index - 1]?.role === 'results' && turn.role === 'user';
    if (role === lastRole && !followsResults)
      faults.push(`turn ${index}: two ${role} turns follow each other`);
    lastRole = role;
    if (open.join(' ') !== turn.results.join(' ')) {
      faults.push(`turn ${index}: calls [${open.join(' ')}] are answered by [${turn.results.join(' ')}]`);
    }
    open = turn.calls;
    if (turn.texts.some((text) => text.trim() === '' && turn.calls.length === 0)) {
      faults.push(`turn ${index}: empty or blank text of the ${turn.role}`);
    }
  }
  if (turns[0]?.role !== 'user') faults.push('the conversation does not begin with the user');
  if (open.length > 0) faults.push(`the last calls [${open.join(' ')}] have no answer`);
  return faults;
}

/** System prompt and tools stay the same byte for byte, or the provider's cache is lost. */
export function checkStable(before: ReadRequest | undefined, now: ReadRequest): string[] {
  if (before === undefined) return [];
  const faults: string[] = [];
  if (JSON.stringify(before.system) !== JSON.stringify(now.system)) faults.push('the system prompt changed');
  if (JSON.stringify(before.tools) !== JSON.stringify(now.tools)) faults.push('the tools changed');
  return faults;
}
