import type { RelPath } from '../base/path-bytes.ts';

/** The host is not as preflight saw it; the run goes back, and looks anew. */
export class HostChangedError extends Error {
  readonly path: RelPath;

  constructor(path: RelPath) {
    super(`${path} changed while changes were being applied`);
    this.path = path;
  }
}
