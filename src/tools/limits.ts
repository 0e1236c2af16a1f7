/** The numbers of the tools, in one place. Sizes in bytes unless the name says otherwise. */
export const LIMITS = {
  /** What one result may hold for the model. */
  resultLines: 2000,
  resultBytes: 50 * 1024,
  lineChars: 2000,
  /** The largest text file that read, write and edit take: they hold it whole, to hash it. */
  textFileBytes: 16 * 1024 * 1024,
  /** Files that are no UTF-8 are decoded byte by byte, so less of them. */
  looseTextFileBytes: 1024 * 1024,
  /** Providers take 5 MB of base64 for one image. */
  imageBytes: 3_750_000,
  directoryEntries: 500,
  /** How much of a diff goes to the person watching. */
  diffChars: 200_000,
  bashDefaultMs: 120_000,
  bashMaxMs: 600_000,
  /** How long a command has to end by itself after SIGINT or SIGTERM. */
  stopGraceMs: 2000,
  /** How long after a kill the guest may take to say that it is over. */
  killDeadlineMs: 15_000,
  /** A background command that fails at once is reported at once. */
  earlyExitMs: 400,
  liveOutputMs: 50,
  liveOutputChars: 64 * 1024,
  logBytes: 64 * 1024 * 1024,
  runningJobs: 16,
  endedJobs: 32,
  jobTextChars: 256 * 1024,
  searchMs: 30_000,
  searchResults: 100,
  searchMaxResults: 1000,
  searchLineChars: 500,
} as const;
