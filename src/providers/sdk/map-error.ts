/** What the AI SDK, `fetch` or a provider's error event threw, as a {@link SafeCoderError} without secrets. */
import { type ErrorCode, SafeCoderError } from '../../base/errors.ts';
import { quoteLine, type Redact } from '../redact.ts';

export interface ErrorContext {
  /** `provider/name`. */
  model: string;
  baseUrl: string;
  redact: Redact;
}

/** Facts picked from whatever was thrown; everything is text of strangers. */
interface Failure {
  status?: number;
  message: string;
  /** The body of an error answer, or the data of an error event, as text. */
  body: string;
  headers: Record<string, string>;
  /** Errno or undici code of the deepest cause. */
  network?: string;
}

const OVERFLOW =
  /context_length_exceeded|exceed_context_size|prompt is too long|maximum context length|exceed(s|ed)? (the )?(available )?(context|maximum number of tokens)|input (length|is too long)|context window|request_too_large/i;
const BAD_KEY = /API_KEY_INVALID|API key not (valid|found)|invalid (x-)?api.?key/i;
const BUSY = /overloaded|rate.?limit|server_error|server is busy|RESOURCE_EXHAUSTED|UNAVAILABLE/i;
const NO_CREDIT = /insufficient_quota|credit balance|billing|insufficient credits/i;
const REFUSED_CONNECTION = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** Never throws. The original error is not kept as cause: it holds the request, and the request holds the key. */
export function mapError(error: unknown, context: ErrorContext): SafeCoderError {
  const own = findOwn(error);
  if (own !== undefined) return own;
  const failure = readFailure(error);
  const { status } = failure;
  const text = `${failure.message}\n${failure.body}`;
  // Gemini answers a bad key with 400.
  if (status === 401 || status === 403 || (status === 400 && BAD_KEY.test(text))) {
    return build('provider/auth', 'refused the key', failure, context, false);
  }
  if (status === 413 || ((status === undefined || status < 429) && OVERFLOW.test(text))) {
    return build(
      'provider/context-overflow',
      'has no room left for this conversation',
      failure,
      context,
      false,
    );
  }
  if (status === 429 && !NO_CREDIT.test(text)) {
    return build('provider/overloaded', 'asks to wait', failure, context, true);
  }
  if (status === 408 || status === 409 || (status !== undefined && status >= 500)) {
    return build('provider/overloaded', 'could not answer', failure, context, true);
  }
  if (status !== undefined && status >= 300) {
    return build('provider/rejected', 'refused the request', failure, context, false);
  }
  if (failure.network !== undefined && REFUSED_CONNECTION.has(failure.network)) {
    return build('provider/unreachable', 'could not be reached', failure, context, true);
  }
  // An error event in the stream has no status in some formats.
  if (BUSY.test(text)) return build('provider/overloaded', 'could not answer', failure, context, true);
  return build('provider/bad-response', 'broke off or sent something unreadable', failure, context, true);
}

const HINTS: Partial<Record<ErrorCode, string>> = {
  'provider/auth': 'Check the API key and that it may use this model.',
  'provider/rejected': 'Check the model name, the base URL and the account.',
  'provider/overloaded': 'Wait a little and try again.',
  'provider/unreachable': 'Check the base URL and the network, and that a local server is running.',
  'provider/bad-response': 'Try again; check that the base URL is the one of the API.',
  'provider/context-overflow':
    'Start a new session, or go on from an earlier entry with a shorter conversation.',
};

function build(
  code: ErrorCode,
  what: string,
  failure: Failure,
  context: ErrorContext,
  retryable: boolean,
): SafeCoderError {
  const { redact } = context;
  const status = failure.status === undefined ? '' : ` (HTTP ${failure.status})`;
  const quote = quoteLine(redact(readProviderMessage(failure)));
  const message = `${context.model} at ${new URL(context.baseUrl).host} ${what}${status}${quote === '' ? '.' : `: ${quote}`}`;
  const retryAfterMs = readRetryAfter(failure);
  const hint = HINTS[code];
  return new SafeCoderError(code, redact(message), {
    ...(hint === undefined ? {} : { hint }),
    details: {
      retryable,
      ...(failure.status === undefined ? {} : { status: failure.status }),
      ...(failure.network === undefined ? {} : { network: redact(failure.network) }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    },
  });
}

function* causes(error: unknown): Generator<unknown> {
  let current = error;
  for (let depth = 0; depth < 8 && current !== undefined && current !== null; depth++) {
    yield current;
    current = current instanceof Error ? current.cause : undefined;
  }
}

/** Our own error, however deep the library wrapped it. */
function findOwn(error: unknown): SafeCoderError | undefined {
  for (const each of causes(error)) if (each instanceof SafeCoderError) return each;
  return undefined;
}

function readFailure(error: unknown): Failure {
  const failure: Failure = { message: '', body: '', headers: {} };
  for (const each of causes(error)) {
    if (typeof each === 'string') failure.message ||= each;
    if (typeof each !== 'object' || each === null) continue;
    const { statusCode, message, responseBody, responseHeaders, data, code, type } = each as Record<
      string,
      unknown
    >;
    // A stream that breaks is reported with the status it began with, 200, and the library's own words for it.
    const isStatus = typeof statusCode === 'number' && statusCode >= 300;
    if (isStatus) failure.status ??= statusCode;
    if (typeof message === 'string' && (isStatus || statusCode === undefined)) failure.message ||= message;
    if (typeof responseBody === 'string') failure.body ||= responseBody.slice(0, 65_536);
    else if (failure.body === '') failure.body = stringify(data ?? { code, type });
    if (isHeaders(responseHeaders)) failure.headers = responseHeaders;
    if (each instanceof Error && typeof code === 'string') failure.network = code;
  }
  return failure;
}

function isHeaders(value: unknown): value is Record<string, string> {
  return typeof value === 'object' && value !== null;
}

function stringify(data: unknown): string {
  try {
    return JSON.stringify(data)?.slice(0, 65_536) ?? '';
  } catch {
    // A cycle or a BigInt: nothing in it is for people to read.
    return '';
  }
}

/** The message inside the usual `{"error":{"message"}}`, else what the library says. */
function readProviderMessage(failure: Failure): string {
  const body = parseJson(failure.body);
  const first: unknown = Array.isArray(body) ? body[0] : body;
  const inner = field(field(first, 'error'), 'message') ?? field(first, 'message') ?? field(first, 'error');
  return typeof inner === 'string' && inner !== '' ? inner : failure.message;
}

function field(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return (value as Record<string, unknown>)[name];
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Many error pages are HTML; then the library's message has to do.
    return undefined;
  }
}

const LONGEST_WAIT_MS = 24 * 3600 * 1000;

/** How long the provider wants us to wait, ms: `retry-after-ms`, `retry-after` (seconds or date), or Google's RetryInfo. */
function readRetryAfter(failure: Failure): number | undefined {
  const headers = failure.headers;
  const ms = Number.parseFloat(headers['retry-after-ms'] ?? '');
  if (isWait(ms)) return ms;
  const after = headers['retry-after'] ?? '';
  const seconds = /^\s*[\d.]+\s*$/.test(after)
    ? Number.parseFloat(after) * 1000
    : Date.parse(after) - Date.now();
  if (isWait(seconds)) return Math.round(seconds);
  const delay = /"retryDelay"\s*:\s*"([\d.]{1,12})s"/.exec(failure.body)?.[1];
  const google = delay === undefined ? Number.NaN : Number.parseFloat(delay) * 1000;
  return isWait(google) ? Math.round(google) : undefined;
}

function isWait(ms: number): boolean {
  return Number.isFinite(ms) && ms >= 0 && ms <= LONGEST_WAIT_MS;
}
