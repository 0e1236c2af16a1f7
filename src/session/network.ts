/** A session's way out: the policy of its settings, the proxy that holds it, and what the guest needs to find it. */
import type { Emit, EventBody } from '../base/events.ts';
import { once } from '../base/lifetime.ts';
import type { Settings } from '../config/schema.ts';
import { Gate, type GateOptions } from '../egress/gate.ts';
import type { ManagerSettings } from '../egress/managers/manager.ts';
import { denial, EgressProxy } from '../egress/proxy.ts';
import { certificateSettings, findRegistries } from '../egress/registries.ts';
import { type EgressRule, parseEgressRule } from '../policy/egress-policy.ts';
import { showTarget } from '../policy/egress-target.ts';
import type { EgressOutlet } from '../sandbox/relay-egress.ts';
import { DecisionLog } from './decision-log.ts';
import type { SessionOptions } from './session-parts.ts';

export interface NetworkOptions extends Pick<GateOptions, 'ask' | 'keep'> {
  settings: Pick<Settings, 'network' | 'allow'>;
  home: string;
  /** The person's environment, for the settings of their package managers. */
  environment: Record<string, string | undefined>;
  emit: Emit;
}

/** What the session's options ask for, see {@link Network.open}. */
export function openNetwork(options: SessionOptions, emit: Emit): Network | undefined {
  const { settings, home, environment = {}, askNetwork, keepNetwork } = options;
  return Network.open({
    settings,
    home,
    environment,
    emit,
    ...(askNetwork === undefined ? {} : { ask: askNetwork }),
    ...(keepNetwork === undefined ? {} : { keep: keepNetwork }),
  });
}

/** Denials told to the model after one call; the rest is counted. */
const MOST_DENIALS = 5;

export class Network implements AsyncDisposable {
  readonly outlet: EgressOutlet;
  /** For the ledger. */
  readonly decisions = new DecisionLog();
  readonly #closing = new AbortController();
  readonly #registries: Promise<ManagerSettings> | undefined;
  readonly #denials = new Map<string, string>();
  readonly #proxy: Promise<EgressProxy>;

  private constructor(options: NetworkOptions) {
    const { settings, home, environment } = options;
    if (settings.network !== 'none') {
      this.#registries = findRegistries({ home, env: environment, signal: this.#closing.signal });
      // It is awaited when the guest is there; until then a failure must not end the process.
      this.#registries.catch(() => undefined);
    }
    this.#proxy = this.#open(options);
    this.#proxy.catch(() => undefined);
    this.outlet = {
      serve: (client) => {
        this.#proxy.then(
          (proxy) => proxy.serve(client),
          () => client.destroy(),
        );
      },
      provide: (guest) => this.#provide(options, guest.hasOwnImage),
    };
  }

  /** Starts to find out what it needs to know; undefined when nothing may leave the guest. Throws `usage/bad-argument`. */
  static open(options: NetworkOptions): Network | undefined {
    const { network, allow } = options.settings;
    for (const text of allow) parseEgressRule(text);
    return network === 'none' && allow.length === 0 ? undefined : new Network(options);
  }

  async #open({ settings, emit, ask, keep }: NetworkOptions): Promise<EgressProxy> {
    const registries: readonly EgressRule[] = (await this.#registries)?.rules ?? [];
    // The person's own rules come first: they may allow more than reading.
    const rules = [...settings.allow.map(parseEgressRule), ...registries];
    const tell = (event: EventBody) => {
      if (event.type === 'egress') this.decisions.add(event);
      if (event.type === 'egress' && event.decision === 'denied') {
        const name = showTarget(event);
        if (this.#denials.size < 1000) this.#denials.set(name, denial(name, event.rule));
      }
      emit(event);
    };
    const gate = new Gate({
      policy: { mode: settings.network, rules },
      emit: tell,
      ...(ask === undefined ? {} : { ask }),
      ...(keep === undefined ? {} : { keep }),
    });
    return new EgressProxy(gate);
  }

  async #provide({ environment, emit }: NetworkOptions, hasOwnImage: boolean) {
    await this.#proxy;
    const certificates = certificateSettings(environment);
    const found = await this.#registries;
    for (const message of found?.notes ?? []) emit({ type: 'warning', code: 'egress/note', message });
    const registries = found?.files ?? [];
    return {
      files: [
        ...certificates.files,
        ...registries.filter(({ isSystem }) => !hasOwnImage || isSystem !== true),
      ],
      env: { ...certificates.env, ...found?.env },
    };
  }

  /** What was refused since it was last asked, as sentences for the model. */
  takeDenials(): string[] {
    const sentences = [...this.#denials.values()];
    this.#denials.clear();
    const more = sentences.length - MOST_DENIALS;
    return more > 0
      ? [...sentences.slice(0, MOST_DENIALS), `${more} more connections were refused.`]
      : sentences;
  }

  readonly #end = once(async () => {
    this.#closing.abort();
    const proxy = await this.#proxy.catch(() => undefined);
    await proxy?.[Symbol.asyncDispose]();
  });

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
  }
}
