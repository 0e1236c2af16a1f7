/** What a file is by its first bytes, for images that a model can see and binaries that it can't. */

const PROBE_BYTES = 8192;

/** The media type of an image that model providers take, or undefined. */
export function imageTypeOf(bytes: Uint8Array): string | undefined {
  const head = Buffer.from(bytes.subarray(0, 16)).toString('latin1');
  if (head.startsWith('\x89PNG\r\n\x1a\n')) return 'image/png';
  if (head.startsWith('\xff\xd8\xff')) return 'image/jpeg';
  if (head.startsWith('GIF87a') || head.startsWith('GIF89a')) return 'image/gif';
  if (head.startsWith('RIFF') && head.slice(8, 12) === 'WEBP') return 'image/webp';
  return undefined;
}

const MAGICS: [string, string][] = [
  ['\x7fELF', 'ELF executable or library'],
  ['%PDF-', 'PDF document'],
  ['PK\x03\x04', 'ZIP archive (also jar, docx, wheel)'],
  ['\x1f\x8b', 'gzip data'],
  ['\xfd7zXZ\0', 'xz data'],
  ['\x28\xb5\x2f\xfd', 'zstd data'],
  ['BZh', 'bzip2 data'],
  ['7z\xbc\xaf\x27\x1c', '7-zip archive'],
  ['SQLite format 3\0', 'SQLite database'],
  ['\0asm', 'WebAssembly module'],
  ['\xca\xfe\xba\xbe', 'Java class or Mach-O file'],
  ['\xcf\xfa\xed\xfe', 'Mach-O executable'],
  ['MZ', 'Windows executable'],
  ['!<arch>\n', 'static library'],
  ['OggS', 'Ogg media'],
  ['ID3', 'MP3 audio'],
  ['wOFF', 'web font'],
  ['wOF2', 'web font'],
  ['\xff\xfe', 'UTF-16 text'],
  ['\xfe\xff', 'UTF-16 text'],
];

/** What kind of binary the bytes are, or undefined when they are text: no NUL early on, and mostly printable. */
export function binaryTypeOf(bytes: Uint8Array): string | undefined {
  const probe = bytes.subarray(0, PROBE_BYTES);
  if (!looksBinary(probe)) return undefined;
  const head = Buffer.from(probe.subarray(0, 16)).toString('latin1');
  return imageTypeOf(probe) ?? MAGICS.find(([magic]) => head.startsWith(magic))?.[1] ?? 'binary data';
}

function looksBinary(probe: Uint8Array): boolean {
  if (probe.includes(0)) return true;
  const text = new TextDecoder().decode(probe, { stream: true });
  let odd = 0;
  for (const char of text) {
    const code = char.charCodeAt(0);
    if (code === 0xfffd || code === 0x7f || (code < 0x20 && !(code >= 7 && code <= 13) && code !== 0x1b))
      odd += 1;
  }
  return odd > text.length * 0.3;
}
