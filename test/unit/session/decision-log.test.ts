import { describe, expect, it } from 'vitest';
import { DecisionLog } from '../../../src/session/decision-log.ts';

const decision = (host: string, isAllowed = true) => ({
  type: 'egress' as const,
  host,
  port: 443,
  decision: isAllowed ? ('allowed' as const) : ('denied' as const),
  rule: 'open',
});

describe('decisions about the network, for the ledger', () => {
  it('are handed over once, alike ones with their count', () => {
    const log = new DecisionLog();
    expect(log.isEmpty).toBe(true);
    for (const host of ['a.test', 'b.test', 'a.test']) log.add(decision(host));
    log.add(decision('a.test', false));
    expect(log.isEmpty).toBe(false);
    expect(log.take()).toEqual([
      'allowed a.test:443 (open) ×2',
      'allowed b.test:443 (open)',
      'denied a.test:443 (open)',
    ]);
    expect(log.isEmpty).toBe(true);
    expect(log.take()).toEqual([]);
  });

  it('are bounded: beyond two hundred they are counted', () => {
    const log = new DecisionLog();
    for (let index = 0; index < 250; index++) log.add(decision(`h${index}.test`));
    log.add(decision('h0.test'));
    const lines = log.take();
    expect(lines).toHaveLength(201);
    expect(lines[0]).toBe('allowed h0.test:443 (open) ×2');
    expect(lines.at(-1)).toBe('and 50 more');
  });
});
