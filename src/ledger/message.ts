/**
 * The message of an entry: a title, then trailers, one a line. Values come from tools, models and the guest, so each is coded
 * as printable ASCII on its own line (see text-code.ts): no value can end its line or add a trailer.
 */
import { SafeCoderError } from '../base/errors.ts';
import type { EntryTrailers } from './ledger.ts';
import { decodeText, encodeText } from './text-code.ts';

type Skipped = EntryTrailers['skipped'][number];

/** A list of skipped paths that lives in a blob of its own. */
export interface SkippedList {
  oid: string;
  count: number;
}

export interface Message {
  title: string;
  trailers: EntryTrailers;
  /** Set when the skipped paths are not in `trailers` but there. */
  skippedList: SkippedList | undefined;
}

const KINDS: ReadonlySet<string> = new Set([
  'initial',
  'tool',
  'sweep',
  'snapshot',
  'rollback',
  'applied',
  'fork',
  'resume',
]);
const SCOPES: ReadonlySet<string> = new Set(['files', 'conversation', 'both']);
const MAX_TITLE = 500;

/** The title as it is stored: one line, well-formed, never empty, at most 500 characters. */
export function normalizeTitle(title: string): string {
  const line = title
    .toWellFormed()
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim();
  const cut = [...line].slice(0, MAX_TITLE).join('').trim();
  return cut === '' ? '(untitled)' : cut;
}

/** The message's text. With `skippedList`, the paths in `trailers.skipped` are left out of it. */
export function formatMessage(message: Message): string {
  const { trailers } = message;
  const lines = [
    `Seq: ${trailers.seq}`,
    `Kind: ${trailers.kind}`,
    `Turn: ${trailers.turn}`,
    ...text('Call', trailers.call),
    ...text('Tool', trailers.tool),
    ...text('Input-SHA256', trailers.inputSha256),
    ...text('Exit', trailers.exitCode),
    ...text('Ok', trailers.ok === undefined ? undefined : yesNo(trailers.ok)),
    ...text('Duration-Ms', trailers.durationMs),
    ...text('Model', trailers.model),
    ...(trailers.shared ?? []).flatMap((call) => text('Shared', call)),
    ...(trailers.egress ?? []).flatMap((decision) => text('Egress', decision)),
    ...text('Job', trailers.job),
    ...text('Label', trailers.label),
    ...text('To', trailers.to),
    ...text('Scope', trailers.scope),
    ...text('Origin', trailers.origin),
    ...(message.skippedList
      ? [`Skipped-List: ${message.skippedList.oid} ${message.skippedList.count}`]
      : trailers.skipped.map((skipped) => `Skipped: ${formatSkipped(skipped)}`)),
    `Ignored: ${trailers.ignored}`,
    `Git-Changed: ${yesNo(trailers.gitChanged)}`,
    ...text('Isolation', trailers.isolation),
    ...text('Proof', trailers.proof),
    ...text('Signer', trailers.signer),
  ];
  return `${normalizeTitle(message.title)}\n\n${lines.join('\n')}\n`;
}

/** Reads a message. Throws `ledger/damaged` for one that {@link formatMessage} did not write. */
export function parseMessage(message: string): Message {
  const end = message.indexOf('\n\n');
  const title = end < 0 ? '' : message.slice(0, end);
  if (title === '' || title.includes('\n') || !message.endsWith('\n')) throw damaged('it has no title');
  const fields = new Fields(message.slice(end + 2, -1).split('\n'));
  const kind = fields.required('Kind');
  if (!KINDS.has(kind)) throw damaged('its kind is unknown');
  const list = fields.optional('Skipped-List');
  const shared = fields.all('Shared');
  const egress = fields.all('Egress');
  const ok = fields.optional('Ok');
  const trailers: EntryTrailers = {
    seq: toInteger(fields.required('Seq')),
    turn: toInteger(fields.required('Turn')),
    kind: kind as EntryTrailers['kind'],
    ...defined('call', fields.optional('Call')),
    ...defined('tool', fields.optional('Tool')),
    ...defined('inputSha256', fields.optional('Input-SHA256')),
    ...defined('exitCode', mapDefined(fields.optional('Exit'), toNumber)),
    ...defined('ok', mapDefined(ok, toBoolean)),
    ...defined('durationMs', mapDefined(fields.optional('Duration-Ms'), toNumber)),
    ...defined('model', fields.optional('Model')),
    ...(shared.length > 0 ? { shared } : {}),
    ...(egress.length > 0 ? { egress } : {}),
    ...defined('job', fields.optional('Job')),
    ...defined('label', fields.optional('Label')),
    ...defined('to', mapDefined(fields.optional('To'), toEntryId)),
    ...defined('scope', mapDefined(fields.optional('Scope'), toScope)),
    ...defined('origin', mapDefined(fields.optional('Origin'), toOrigin)),
    skipped: fields.raw('Skipped').map(parseSkipped),
    ignored: toInteger(fields.required('Ignored')),
    gitChanged: toBoolean(fields.required('Git-Changed')),
    ...defined('isolation', fields.optional('Isolation')),
    ...defined('proof', fields.optional('Proof')),
    ...defined('signer', fields.optional('Signer')),
  };
  fields.end();
  return { title, trailers, skippedList: mapDefined(list, parseSkippedList) };
}

/** One skipped path as a line. */
export function formatSkipped(skipped: Skipped): string {
  const parts = [skipped.path, skipped.reason, ...(skipped.detail === undefined ? [] : [skipped.detail])];
  return parts.map((part) => encodeText(part, ' ')).join(' ');
}

/** Undoes {@link formatSkipped}. Throws `ledger/damaged`. */
export function parseSkipped(line: string): Skipped {
  const [path, reason, detail, ...more] = line.split(' ').map(decoded);
  if (path === undefined || reason === undefined || more.length > 0)
    throw damaged('a skipped path is unreadable');
  return detail === undefined ? { path, reason } : { path, reason, detail };
}

/** The trailers of one message; each may be taken once. */
class Fields {
  readonly #byKey = new Map<string, string[]>();

  constructor(lines: readonly string[]) {
    for (const line of lines) {
      const match = /^([A-Z][A-Za-z0-9-]*): ([\x20-\x7e]*)$/.exec(line);
      if (match?.[1] === undefined || match[2] === undefined) throw damaged('a trailer is unreadable');
      const values = this.#byKey.get(match[1]);
      if (values) values.push(match[2]);
      else this.#byKey.set(match[1], [match[2]]);
    }
  }

  raw(key: string): string[] {
    const values = this.#byKey.get(key) ?? [];
    this.#byKey.delete(key);
    return values;
  }

  all(key: string): string[] {
    return this.raw(key).map(decoded);
  }

  optional(key: string): string | undefined {
    const values = this.all(key);
    if (values.length > 1) throw damaged(`${key} is there twice`);
    return values[0];
  }

  required(key: string): string {
    const value = this.optional(key);
    if (value === undefined) throw damaged(`${key} is missing`);
    return value;
  }

  end(): void {
    const [key] = this.#byKey.keys();
    if (key !== undefined) throw damaged(`${key} is not a trailer that this version knows`);
  }
}

function text(key: string, value: string | number | undefined): string[] {
  return value === undefined ? [] : [`${key}: ${encodeText(String(value))}`];
}

function yesNo(value: boolean): string {
  return value ? 'yes' : 'no';
}

function decoded(value: string): string {
  const result = decodeText(value);
  if (result === undefined) throw damaged('a value is not coded as Safe Coder codes it');
  return result;
}

function toNumber(value: string): number {
  const number = Number(value);
  if (value === '' || !Number.isFinite(number)) throw damaged('a number is none');
  return number;
}

function toInteger(value: string): number {
  const number = toNumber(value);
  if (!Number.isSafeInteger(number) || number < 0) throw damaged('a count is none');
  return number;
}

function toBoolean(value: string): boolean {
  if (value !== 'yes' && value !== 'no') throw damaged('a yes or no is neither');
  return value === 'yes';
}

function toEntryId(value: string): string {
  if (!/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(value)) throw damaged('the entry it goes back to is none');
  return value;
}

function toScope(value: string): NonNullable<EntryTrailers['scope']> {
  if (!SCOPES.has(value)) throw damaged('what it brings back is unknown');
  return value as NonNullable<EntryTrailers['scope']>;
}

function toOrigin(value: string): string {
  if (!/^[A-Za-z0-9._-]{1,100}:(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(value))
    throw damaged('where it comes from is unreadable');
  return value;
}

function parseSkippedList(value: string): SkippedList {
  const match = /^([0-9a-f]{40,64}) (\d{1,9})$/.exec(value);
  if (match?.[1] === undefined) throw damaged('its list of skipped paths is unreadable');
  return { oid: match[1], count: Number(match[2]) };
}

function mapDefined<T, U>(value: T | undefined, map: (value: T) => U): U | undefined {
  return value === undefined ? undefined : map(value);
}

function defined<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: V });
}

function damaged(why: string): SafeCoderError {
  return new SafeCoderError('ledger/damaged', `An entry of the ledger can't be read: ${why}.`);
}
