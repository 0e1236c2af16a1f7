/** Takes secrets and control characters out of text that came from a provider or a library. */

export type Redact = (text: string) => string;

const SHORTEST_SECRET = 6;

/**
 * Replaces each secret, also in its URL-encoded, JSON-escaped and base64 form, with `[redacted]`. Shorter ones than six
 * characters are placeholders of local servers (`x`, `none`) and would only mangle the text.
 */
export function createRedactor(secrets: readonly (string | undefined)[]): Redact {
  const forms = new Set<string>();
  for (const secret of secrets) {
    if (secret === undefined || secret.length < SHORTEST_SECRET) continue;
    forms.add(secret);
    forms.add(encodeURIComponent(secret));
    forms.add(JSON.stringify(secret).slice(1, -1));
    forms.add(Buffer.from(secret).toString('base64'));
    forms.add(Buffer.from(secret).toString('base64url'));
  }
  const longestFirst = [...forms].sort((a, b) => b.length - a.length);
  return (text) => longestFirst.reduce((rest, form) => rest.split(form).join('[redacted]'), text);
}

/** One line of at most `limit` characters, without control characters: what an error message may quote. */
export function quoteLine(text: string, limit = 400): string {
  const line = text
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g, ' ')
    .trim();
  return line.length <= limit ? line : `${line.slice(0, limit)}…`;
}
