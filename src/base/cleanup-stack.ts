/**
 * Clean-ups that are gathered and run in reverse: the part that is needed of ECMAScript's own class, which Node 22 lacks.
 * All clean-ups run, whatever fails; the first failure is thrown at the end.
 */
export class CleanupStack implements AsyncDisposable {
  #steps: (() => void | Promise<void>)[] = [];

  /** Takes over a resource and returns it. */
  use<T extends Disposable | AsyncDisposable>(resource: T): T {
    this.#steps.push(() =>
      Symbol.asyncDispose in resource
        ? Promise.resolve(resource[Symbol.asyncDispose]())
        : resource[Symbol.dispose](),
    );
    return resource;
  }

  defer(step: () => void | Promise<void>): void {
    this.#steps.push(step);
  }

  /** Forgets everything: it now belongs to somebody else. */
  release(): void {
    this.#steps = [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const steps = this.#steps.reverse();
    this.#steps = [];
    const failures: unknown[] = [];
    for (const step of steps) {
      try {
        await step();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
