/** Bytes to a standard stream with back-pressure. */
export function writeStream(stream: NodeJS.WriteStream, chunk: Uint8Array): Promise<void> | undefined {
  if (stream.write(chunk)) return undefined;
  return new Promise((resolve) => {
    // A reader that went away drains nothing any more.
    const done = () => {
      for (const name of ['drain', 'close', 'error']) stream.off(name, done);
      resolve();
    };
    for (const name of ['drain', 'close', 'error']) stream.once(name, done);
  });
}
