/** Decisions about the network, gathered for the ledger: each one once, with its count. */
import type { EventBody } from '../base/events.ts';
import { showTarget } from '../policy/egress-target.ts';
import type { EgressDecisions } from './entry-recorder.ts';

/** More different decisions than this between two entries are counted, not named. */
const MOST = 200;

export class DecisionLog implements EgressDecisions {
  readonly #counts = new Map<string, number>();
  #unnamed = 0;

  add({ host, port, decision, rule }: Extract<EventBody, { type: 'egress' }>): void {
    const text = `${decision} ${showTarget({ host, port })} (${rule})`;
    const count = this.#counts.get(text);
    if (count === undefined && this.#counts.size >= MOST) this.#unnamed += 1;
    else this.#counts.set(text, (count ?? 0) + 1);
  }

  get isEmpty(): boolean {
    return this.#counts.size === 0;
  }

  take(): string[] {
    const named = [...this.#counts].map(([text, count]) => (count === 1 ? text : `${text} ×${count}`));
    const unnamed = this.#unnamed;
    this.#counts.clear();
    this.#unnamed = 0;
    return unnamed === 0 ? named : [...named, `and ${unnamed} more`];
  }
}
