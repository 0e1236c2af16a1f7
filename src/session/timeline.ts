/**
 * What happened in a stored session, for people: the ledger's entries with the prompts, replies and calls that the events tell of.
 * The ledger is what counts: an input is shown only where it matches the digest in the entry.
 */
import type { SafeCoderEvent } from '../base/events.ts';
import type { HostPath } from '../base/path-bytes.ts';
import type { Entry } from '../ledger/ledger.ts';
import { describeInput } from '../tools/describe-input.ts';
import { digestInput } from './entry-recorder.ts';
import { readEvents } from './event-log.ts';

/** A turn of the agent. */
export interface TimelineTurn {
  /** As in the entries' trailers. */
  turn: number;
  at: string;
  prompt: string;
  /** Why it ended; undefined where the events do not tell. */
  reason?: string;
}

/** One entry, and what is known of it besides. */
export interface TimelineStep {
  entry: Entry;
  /** The turn that it belongs to; undefined between turns. */
  turn?: TimelineTurn;
  /** What the tool was asked for; undefined where it isn't known for certain. */
  input?: unknown;
  /** What the model got to read of the call's result. */
  output?: string;
  /** The entry whose tree a rollback brought back. */
  target?: Entry;
}

/** The session as it reads from top to bottom. */
export type TimelineItem =
  | { type: 'turn'; turn: TimelineTurn }
  | { type: 'reply'; text: string }
  | { type: 'step'; step: TimelineStep };

export interface Timeline {
  items: TimelineItem[];
  /** By the entry's id. */
  steps: ReadonlyMap<string, TimelineStep>;
}

const TYPES = ['turn.start', 'turn.end', 'message', 'tool.start', 'tool.end'] as const;
type TimelineEvent = Extract<SafeCoderEvent, { type: (typeof TYPES)[number] }>;

/** Reads a session's events and lays them beside `entries` (all of its ledger, oldest first). */
export async function readTimeline(folder: HostPath, entries: readonly Entry[]): Promise<Timeline> {
  const builder = new TimelineBuilder(entries);
  for await (const event of readEvents(folder, TYPES)) builder.add(event);
  return builder.end();
}

/** The step on one line, not escaped: `bash npm test`, `snapshot before-lunch`, `rollback to #3 (files)`. */
export function describeStep({ entry, input, target }: TimelineStep): string {
  const { kind, tool, label, scope, origin, to } = entry.trailers;
  switch (kind) {
    case 'initial':
      return 'initial snapshot';
    case 'tool':
      // Sessions from before calls had a tool of their own in the trailers have it in the title.
      return `${tool ?? entry.title} ${describeInput(input)}`.trim();
    case 'snapshot':
      return `snapshot ${label ?? ''}`.trim();
    case 'rollback': {
      const where = target ? `#${target.trailers.seq}` : (to?.slice(0, 10) ?? 'an earlier entry');
      return `rollback to ${where}${scope === undefined ? '' : ` (${scope})`}`;
    }
    case 'resume':
      return 'resumed';
    case 'fork':
      return `fork of ${describeOrigin(origin)}`;
    case 'sweep':
      return 'found by the sweep';
    case 'applied':
      return entry.title;
  }
}

/** What a step's output is: of a person's own command all of it or both ends, of the agent's tools what the model got. */
export function outputTitle({ trailers }: Entry): string {
  return trailers.tool === 'exec' || trailers.tool === 'shell' ? 'Output' : 'Result, as the model got it';
}

function describeOrigin(origin: string | undefined): string {
  const [session = '', id = ''] = origin?.split(':', 2) ?? [];
  return origin === undefined ? 'another session' : `session ${session}, entry ${id.slice(0, 10)}`;
}

class TimelineBuilder {
  readonly #items: TimelineItem[] = [];
  readonly #steps = new Map<string, TimelineStep>();
  readonly #entries: readonly Entry[];
  readonly #byId: ReadonlyMap<string, Entry>;
  /** How many of the entries are among the items. */
  #placed = 0;
  readonly #inputs = new Map<string, unknown>();
  readonly #turns = new Map<number, TimelineTurn>();
  #turn: TimelineTurn | undefined;

  constructor(entries: readonly Entry[]) {
    this.#entries = entries;
    this.#byId = new Map(entries.map((entry) => [entry.id, entry]));
  }

  add(event: TimelineEvent): void {
    switch (event.type) {
      case 'turn.start':
        this.#startTurn(event.turn, event.at);
        break;
      case 'turn.end':
        if (this.#turn?.turn === event.turn) this.#turn.reason = event.reason;
        break;
      case 'message':
        this.#addMessage(event.role, event.text);
        break;
      case 'tool.start':
        this.#inputs.set(digestInput(event.input), event.input);
        break;
      case 'tool.end':
        this.#endCall(event.entry, event.text);
        break;
    }
  }

  end(): Timeline {
    this.#placeUntil(() => true);
    return { items: this.#items, steps: this.#steps };
  }

  /** Entries of which no event tells (a sweep, a snapshot) come before the turn that began after them. */
  #startTurn(turn: number, at: string): void {
    const start = new Date(at).getTime();
    this.#placeUntil((entry) => entry.at.getTime() <= start && isBefore(entry, turn));
    this.#turn = { turn, at, prompt: '' };
    this.#turns.set(turn, this.#turn);
    this.#items.push({ type: 'turn', turn: this.#turn });
  }

  #addMessage(role: 'user' | 'assistant', text: string): void {
    if (role === 'assistant') this.#items.push({ type: 'reply', text });
    else if (this.#turn)
      this.#turn.prompt = this.#turn.prompt === '' ? text : `${this.#turn.prompt}\n${text}`;
  }

  #endCall(id: string, text: string): void {
    const entry = this.#byId.get(id);
    if (entry === undefined) return;
    this.#placeUntil(({ trailers }) => trailers.seq <= entry.trailers.seq);
    const step = this.#steps.get(id);
    if (step && text !== '') step.output = text;
  }

  #placeUntil(isDue: (entry: Entry) => boolean): void {
    for (let entry = this.#entries[this.#placed]; entry !== undefined && isDue(entry); ) {
      const step = this.#toStep(entry);
      this.#steps.set(entry.id, step);
      this.#items.push({ type: 'step', step });
      this.#placed += 1;
      entry = this.#entries[this.#placed];
    }
  }

  #toStep(entry: Entry): TimelineStep {
    const { turn: number, inputSha256, to } = entry.trailers;
    // The turn under way, unless it is another: numbers may begin again when a session goes on.
    const turn = this.#turn?.turn === number ? this.#turn : this.#turns.get(number);
    const target = this.#byId.get(to ?? '');
    const digest = inputSha256 ?? '';
    return {
      entry,
      ...(turn && { turn }),
      ...(this.#inputs.has(digest) && { input: this.#inputs.get(digest) }),
      ...(target && { target }),
    };
  }
}

function isBefore({ trailers }: Entry, turn: number): boolean {
  return trailers.turn < turn || trailers.kind !== 'tool';
}
