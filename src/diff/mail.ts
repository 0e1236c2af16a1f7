/** Patches as mails in a mailbox, as `git am` takes them: one commit each. No I/O. */

export interface PatchMail {
  /** One line. */
  subject: string;
  /** Shown below the subject, set in, so that none of its lines is taken for a header or a patch. */
  text: string;
  /** `Key: value` lines that end the message. Keys and values are the caller's own. */
  trailers: readonly string[];
  at: Date;
  /** Position in the series, from 1, and its length. */
  number: number;
  total: number;
  patch: Buffer;
}

const FROM = 'Safe Coder <safe-coder@localhost>';
/** The line that git's own mailboxes begin each mail with; the id is not looked at. */
const SEPARATOR = `From ${'0'.repeat(40)} Mon Sep 17 00:00:00 2001`;
const MOST_QUOTED = 75;
/** Bytes of UTF-8 in one encoded word of a header. */
const MOST_WORD_BYTES = 42;

/** The mail's bytes. */
export function formatMail(mail: PatchMail): Buffer {
  const text = mail.text.split('\n').map((line) => (line.trim() === '' ? '' : `    ${line.trimEnd()}`));
  const message = [...(mail.text.trim() === '' ? [] : [...text, '']), ...mail.trailers].join('\n');
  const body = Buffer.concat([Buffer.from(`${message}\n---\n\n`, 'utf8'), mail.patch, Buffer.from('\n')]);
  // A mail's own line ends may be changed on the way: carriage returns that belong to a patch are coded.
  const isQuoted = body.includes(0x0d);
  const head = [
    SEPARATOR,
    `From: ${FROM}`,
    `Date: ${mail.at.toUTCString().replace('GMT', '+0000')}`,
    `Subject: ${encodeHeader(`[PATCH ${mail.number}/${mail.total}] ${toLine(mail.subject)}`)}`,
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=UTF-8',
    `Content-Transfer-Encoding: ${isQuoted ? 'quoted-printable' : '8bit'}`,
    '',
    '',
  ].join('\n');
  return Buffer.concat([Buffer.from(head, 'latin1'), isQuoted ? quotePrintable(body) : body]);
}

function toLine(text: string): string {
  return text
    .toWellFormed()
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim();
}

/** A header's value in ASCII; other text as encoded words (RFC 2047), cut between characters. */
function encodeHeader(text: string): string {
  if (/^[\x20-\x7e]*$/.test(text) && !text.includes('=?')) return text;
  const words: string[] = [];
  let word = '';
  for (const char of text) {
    if (Buffer.byteLength(word + char) > MOST_WORD_BYTES) {
      words.push(word);
      word = '';
    }
    word += char;
  }
  words.push(word);
  return words.map((each) => `=?UTF-8?B?${Buffer.from(each).toString('base64')}?=`).join('\n ');
}

/** Quoted-printable (RFC 2045) with line feeds as line ends. */
function quotePrintable(bytes: Buffer): Buffer {
  const lines = bytes.toString('latin1').split('\n').map(quoteLine);
  return Buffer.from(lines.join('\n'), 'latin1');
}

function quoteLine(line: string): string {
  let out = '';
  let width = 0;
  for (let at = 0; at < line.length; at++) {
    const char = line.charAt(at);
    const isPlain = /[!-<>-~]/.test(char) || (/[ \t]/.test(char) && at < line.length - 1);
    const piece = isPlain ? char : `=${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
    if (width + piece.length > MOST_QUOTED) {
      out += '=\n';
      width = 0;
    }
    out += piece;
    width += piece.length;
  }
  // Some split mailboxes at every line that begins so.
  return out.startsWith('From ') ? `=46${out.slice(1)}` : out;
}
