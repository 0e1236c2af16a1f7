/** What a check found, bounded: a ledger in which everything is wrong is told by its first hundred faults. */
import { isSafeCoderError } from '../base/errors.ts';
import type { Fault } from './ledger.ts';

const MAX_FAULTS = 100;
const NOT_THE_LEDGER: ReadonlySet<string> = new Set(['bug', 'environment/tool-missing']);
const OBJECT_FAULTS: ReadonlySet<unknown> = new Set(['missing', 'wrong-type', 'too-large']);

export class FaultList {
  readonly all: Fault[] = [];

  get hasRoom(): boolean {
    return this.all.length < MAX_FAULTS;
  }

  add(kind: Fault['kind'], message: string): void {
    if (this.hasRoom) this.all.push({ kind, message });
  }

  /** A failure to read something. Throws what says nothing about the ledger: a bug, a program that isn't there. */
  addError(error: unknown, where: string): void {
    if (!isSafeCoderError(error) || NOT_THE_LEDGER.has(error.code)) throw error;
    const fault = error.details?.fault;
    this.add(OBJECT_FAULTS.has(fault) ? (fault as Fault['kind']) : 'damaged', `${where}: ${error.message}`);
  }
}
