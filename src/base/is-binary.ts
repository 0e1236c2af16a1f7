/** How far git looks for a NUL byte. */
const PROBE_BYTES = 8000;

/** True for what git would call binary: a NUL byte near the start. Attributes have no say. */
export function isBinary(bytes: Uint8Array): boolean {
  return bytes.subarray(0, PROBE_BYTES).includes(0);
}
