/** What a file holds, by its first bytes: for people, to tell one binary from another. Nothing is decided by it. */

interface Signature {
  type: string;
  /** Where the bytes stand. */
  at?: number;
  /** As latin1. */
  bytes: string;
}

/** The first that fits counts. */
const SIGNATURES: readonly Signature[] = [
  { type: 'PNG image', bytes: '\x89PNG\r\n\x1a\n' },
  { type: 'JPEG image', bytes: '\xff\xd8\xff' },
  { type: 'GIF image', bytes: 'GIF8' },
  { type: 'WebP image', at: 8, bytes: 'WEBP' },
  { type: 'Windows icon', bytes: '\0\0\x01\0' },
  { type: 'PDF document', bytes: '%PDF-' },
  { type: 'ELF program', bytes: '\x7fELF' },
  { type: 'Windows program', bytes: 'MZ' },
  { type: 'Mach-O program', bytes: '\xcf\xfa\xed\xfe' },
  { type: 'Java class or universal Mach-O', bytes: '\xca\xfe\xba\xbe' },
  { type: 'WebAssembly', bytes: '\0asm' },
  { type: 'zip archive', bytes: 'PK\x03\x04' },
  { type: 'empty zip archive', bytes: 'PK\x05\x06' },
  { type: 'gzip archive', bytes: '\x1f\x8b' },
  { type: 'bzip2 archive', bytes: 'BZh' },
  { type: 'xz archive', bytes: '\xfd7zXZ\0' },
  { type: 'zstd archive', bytes: '\x28\xb5\x2f\xfd' },
  { type: '7z archive', bytes: '7z\xbc\xaf\x27\x1c' },
  { type: 'tar archive', at: 257, bytes: 'ustar' },
  { type: 'static library', bytes: '!<arch>\n' },
  { type: 'SQLite database', bytes: 'SQLite format 3\0' },
  { type: 'WOFF font', bytes: 'wOFF' },
  { type: 'WOFF2 font', bytes: 'wOF2' },
  { type: 'OpenType font', bytes: 'OTTO' },
  { type: 'TrueType font', bytes: '\0\x01\0\0' },
  { type: 'MP4 video', at: 4, bytes: 'ftyp' },
  { type: 'Ogg media', bytes: 'OggS' },
  { type: 'MP3 audio', bytes: 'ID3' },
  { type: 'WAV audio', at: 8, bytes: 'WAVE' },
  { type: 'git pack', bytes: 'PACK' },
  { type: 'UTF-16 text', bytes: '\xff\xfe' },
  { type: 'UTF-16 text', bytes: '\xfe\xff' },
];

/** The type in words; `text` when nothing says otherwise, `data` for other bytes, `empty` for none. */
export function typeOfContent(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'empty';
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 8000)).toString('latin1');
  const found = SIGNATURES.find(({ at = 0, bytes: signature }) => head.startsWith(signature, at));
  if (found !== undefined) return found.type;
  return head.includes('\0') ? 'data' : 'text';
}
