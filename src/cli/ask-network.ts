/** A question about a host that the sandbox wants to reach, asked in the middle of a chat. */
import { escapeForTerminal } from '../base/terminal-text.ts';
import type { EgressAnswer } from '../egress/gate.ts';
import { type EgressTarget, showTarget } from '../policy/egress-target.ts';
import type { LineEditor } from '../tui/line-editor.ts';
import type { Screen } from '../tui/style.ts';

const ANSWERS: Record<string, EgressAnswer> = { o: 'once', s: 'session', a: 'always', n: 'deny' };

/** Asks one question after the other, however many come together. Whatever is no clear yes is a no. */
export function createNetworkQuestion(
  editor: LineEditor,
  screen: Screen,
): (target: EgressTarget, signal: AbortSignal) => Promise<EgressAnswer> {
  let last: Promise<unknown> = Promise.resolve();
  const ask = async (target: EgressTarget, signal: AbortSignal): Promise<EgressAnswer> => {
    if (signal.aborted) return 'deny';
    const { style } = screen;
    screen.write(
      `\n${style.bold('Network:')} the sandbox wants to reach ${style.bold(escapeForTerminal(showTarget(target)))}.\n` +
        `  ${style.dim('[o]nce, this [s]ession, [a]lways (kept in your settings), [n]o')}\n`,
    );
    const line = await editor.ask('network> ');
    if (line.kind !== 'line') return 'deny';
    const answer = ANSWERS[line.text.trim().toLowerCase().slice(0, 1)] ?? 'deny';
    if (answer === 'deny') screen.write(style.dim('  Refused; the agent is told.\n'));
    return answer;
  };
  return (target, signal) => {
    const answer = last.then(() => ask(target, signal));
    last = answer.catch(() => undefined);
    return answer;
  };
}
