/** Bytes to a standard stream with back-pressure. */
export function writeStream(stream: NodeJS.WriteStream, chunk: Uint8Array): Promise<void> | undefined {
  if (stream.write(chunk)) return undefined;
  return new Promise((resolve) => stream.once('drain', resolve));
}
