/** How long the guest may take, in milliseconds. The defaults are made for an emulated machine on a busy host. */
export interface Deadlines {
  /** From the open channel to HELLO. */
  helloMs: number;
  /** A file verb without any sign of life. */
  silenceMs: number;
  /** From CANCEL to the end of the stream. */
  cancelMs: number;
  /** From the first byte of a frame to its last. */
  frameMs: number;
  /** Between two questions for a sign of life while an execution runs. */
  beatMs: number;
}

export const DEFAULT_DEADLINES: Deadlines = {
  helloMs: 60_000,
  silenceMs: 30_000,
  cancelMs: 15_000,
  frameMs: 30_000,
  beatMs: 20_000,
};
