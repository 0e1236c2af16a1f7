/** The rules about secrets, as they apply to one project: what the user shares passes. */
import { secretInContent, suspectSecret } from '../policy/secrets.ts';

export class SecretGate {
  readonly #shared: ReadonlySet<string>;

  /** `shared`: files, or folders of them, that the user lets in; one byte per character. */
  constructor(shared: ReadonlySet<string>) {
    this.#shared = shared;
  }

  /** Why a path is withheld whatever it holds, or undefined. `gitPrefix` is the length of its `.git` directory's path, or 0. */
  reasonByName(path: string, gitPrefix: number): string | undefined {
    return this.#passes(path, gitPrefix) ? undefined : suspectSecret(path).reason;
  }

  /** Why a file with this content is withheld, or undefined. */
  reasonInside(path: string, gitPrefix: number, head: Buffer, isWhole: boolean): string | undefined {
    return this.#passes(path, gitPrefix) ? undefined : secretInContent(suspectSecret(path), head, isWhole);
  }

  #passes(path: string, gitPrefix: number): boolean {
    // Names in a .git that come from branches and hashes say nothing about secrets.
    const isGitData = gitPrefix > 0 && /(?:^|\/)(?:objects|refs|logs)\//.test(path.slice(gitPrefix));
    return isGitData || this.#isShared(path);
  }

  #isShared(path: string): boolean {
    if (this.#shared.size === 0) return false;
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
      if (this.#shared.has(path.slice(0, end))) return true;
    }
    return false;
  }
}
