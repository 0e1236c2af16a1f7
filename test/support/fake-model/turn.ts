/** A request's conversation in one shape, whatever the wire format: what the invariants are checked on. */

export interface Turn {
  role: 'user' | 'assistant' | 'results';
  calls: string[];
  results: string[];
  /** Texts in it; an empty or blank one is a fault. */
  texts: string[];
}

export interface ReadRequest {
  turns: Turn[];
  system: unknown;
  tools: unknown;
  model: string;
}

/** A field of an unknown value, or undefined. */
export function at(value: unknown, ...path: (string | number)[]): unknown {
  let current = value;
  for (const key of path) {
    if (typeof current !== 'object' || current === null) return undefined;
    current = (current as Record<string | number, unknown>)[key];
  }
  return current;
}

/** The value as an array; anything else is an empty one. */
export function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
