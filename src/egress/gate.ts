/**
 * The one place where a connection out is decided: policy first, a person's word where the policy asks for it, then the
 * name is looked up once, every address is checked, and the connection goes to an address that was checked.
 */
import { lookup } from 'node:dns/promises';
import { connect, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Emit } from '../base/events.ts';
import type { AddressKind } from '../policy/egress-address.ts';
import { addressFault, decideEgress, type EgressPolicy, type EgressRule } from '../policy/egress-policy.ts';
import { type EgressTarget, showTarget } from '../policy/egress-target.ts';

/** What a person says to one target: this connection, all of this session, from now on, or not. */
export type EgressAnswer = 'once' | 'session' | 'always' | 'deny';

export interface GateOptions {
  policy: EgressPolicy;
  emit: Emit;
  /** Asks a person; absent: nobody is there, and what would be asked is denied. */
  ask?: (target: EgressTarget, signal: AbortSignal) => Promise<EgressAnswer>;
  /** Keeps a rule for later sessions; called for the answer `always`. */
  keep?: (rule: EgressRule) => void;
  resolve?: (host: string) => Promise<string[]>;
  dial?: (address: string, port: number) => Socket;
  connectMs?: number;
}

/** Leave to connect, and how. */
export interface Pass {
  target: EgressTarget;
  /** Only reading is meant: GET and HEAD where the method can be seen. */
  isReadOnly: boolean;
  /** Rejects when no address answers. The caller owns the socket. */
  connect(): Promise<Socket>;
}

export type Leave = { ok: true; pass: Pass } | { ok: false; reason: string };

const CONNECT_MS = 15_000;

export class Gate {
  readonly #options: GateOptions;
  readonly #rules: EgressRule[];
  readonly #asked = new Map<string, Promise<EgressAnswer>>();
  readonly #pinned = new Map<string, Promise<string[]>>();
  readonly #closing = new AbortController();

  constructor(options: GateOptions) {
    this.#options = options;
    this.#rules = [...options.policy.rules];
  }

  /** Nothing passes any more; questions that are open are withdrawn. */
  close(): void {
    this.#closing.abort();
  }

  /** Decides, tells it as an event, and never throws. */
  async open(target: EgressTarget): Promise<Leave> {
    const leave = await this.#decide(target);
    const rule = leave.ok ? leave.rule : leave.reason;
    this.#tell(target, leave.ok, rule);
    if (!leave.ok) return { ok: false, reason: leave.reason };
    const { addresses, isReadOnly } = leave;
    return { ok: true, pass: { target, isReadOnly, connect: () => this.#connect(target, addresses) } };
  }

  /** Tells of a connection that was let through and then broke the rules of its pass. */
  deny(target: Pick<EgressTarget, 'host' | 'port'>, reason: string): void {
    this.#tell(target, false, reason);
  }

  #tell({ host, port }: Pick<EgressTarget, 'host' | 'port'>, isAllowed: boolean, rule: string): void {
    this.#options.emit({ type: 'egress', host, port, decision: isAllowed ? 'allowed' : 'denied', rule });
  }

  async #decide(
    target: EgressTarget,
  ): Promise<
    { ok: true; rule: string; isReadOnly: boolean; addresses: string[] } | { ok: false; reason: string }
  > {
    if (this.#closing.signal.aborted) return { ok: false, reason: 'the session ends' };
    const policy = { ...this.#options.policy, rules: this.#rules };
    const first = decideEgress(policy, target);
    const decision = first.verdict === 'ask' ? await this.#askPerson(target) : first;
    if (decision.verdict === 'deny') return { ok: false, reason: decision.rule };
    const { rule, may, isReadOnly } = decision;
    const found = await this.#addresses(target, may);
    return typeof found === 'string'
      ? { ok: false, reason: found }
      : { ok: true, rule, isReadOnly, addresses: found };
  }

  async #askPerson(
    target: EgressTarget,
  ): Promise<
    | { verdict: 'allow'; rule: string; may: ReadonlySet<AddressKind>; isReadOnly: boolean }
    | { verdict: 'deny'; rule: string }
  > {
    const { ask, keep } = this.#options;
    const name = showTarget(target);
    if (ask === undefined) return { verdict: 'deny', rule: 'nobody is there to ask' };
    // Connections to one target that come together are one question.
    const asked = this.#asked.get(name) ?? ask(target, this.#closing.signal).catch(() => 'deny' as const);
    this.#asked.set(name, asked);
    const answer = await asked;
    this.#asked.delete(name);
    if (answer === 'deny') return { verdict: 'deny', rule: 'refused by the person' };
    const rule: EgressRule = { host: target.host, port: target.port, origin: 'asked' };
    if (
      answer !== 'once' &&
      !this.#rules.some(({ host, port }) => host === rule.host && port === rule.port)
    ) {
      this.#rules.push(rule);
      if (answer === 'always') keep?.(rule);
    }
    // A question names a host, not what it resolves to: a private address needs a rule of the person's own.
    return { verdict: 'allow', rule: `${answer} by the person`, may: PUBLIC_ONLY, isReadOnly: false };
  }

  /** The addresses to try, or why there are none. */
  async #addresses(target: EgressTarget, may: ReadonlySet<AddressKind>): Promise<string[] | string> {
    if (target.isAddress) return [target.host];
    let addresses: string[];
    try {
      addresses = await this.#resolve(target.host);
    } catch {
      // Why a name can't be resolved is nothing the guest needs to know.
      return 'the name is not known';
    }
    const own = may.has('local') ? [] : ownAddresses();
    for (const address of addresses) {
      const fault =
        addressFault(may, address) ?? (own.includes(address) ? 'resolves to this machine' : undefined);
      if (fault !== undefined) return fault;
    }
    return addresses.length > 0 ? addresses : 'the name has no address';
  }

  #resolve(host: string): Promise<string[]> {
    const known = this.#pinned.get(host);
    if (known !== undefined) return known;
    const { resolve = resolveName } = this.#options;
    const found = resolve(host);
    this.#pinned.set(host, found);
    found.catch(() => this.#pinned.delete(host));
    return found;
  }

  async #connect({ host, port }: EgressTarget, addresses: readonly string[]): Promise<Socket> {
    const { dial = (address, toPort) => connect({ host: address, port: toPort }), connectMs = CONNECT_MS } =
      this.#options;
    let failure: unknown;
    for (const address of addresses.slice(0, 4)) {
      try {
        return await connected(dial(address, port), connectMs);
      } catch (error) {
        failure = error;
      }
    }
    // The name may have moved: it is looked up, and checked, again next time.
    this.#pinned.delete(host);
    throw failure;
  }
}

const PUBLIC_ONLY: ReadonlySet<AddressKind> = new Set(['public']);

async function resolveName(host: string): Promise<string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));
}

function connected(socket: Socket, ms: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => socket.destroy(new Error('no answer in time')), ms);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', reject);
      resolve(socket);
    });
    socket.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
  });
}
