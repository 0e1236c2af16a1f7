/** The agent's part of a session: the conversation, turns, and what happens around each tool call. */
import { runTurn } from '../agent/run-turn.ts';
import { createSystemPrompt } from '../agent/system-prompt.ts';
import {
  type AgentLimits,
  DEFAULT_STEPS,
  type RunTool,
  type TurnReason,
  type TurnResult,
} from '../agent/turn.ts';
import { isSafeCoderError, SafeCoderError, toSafeCoderError } from '../base/errors.ts';
import type { Emit, IsolationInfo, Usage } from '../base/events.ts';
import type { RelPath } from '../base/path-bytes.ts';
import { showSize } from '../config/quantities.ts';
import type { Settings } from '../config/schema.ts';
import type { LedgerReader } from '../ledger/ledger.ts';
import type { Model, UserPart } from '../providers/model.ts';
import { findModelFacts } from '../providers/model-facts.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { createTools } from '../tools/create-tools.ts';
import type { Tool, ToolResult } from '../tools/tool.ts';
import { createToolState } from '../tools/tool-state.ts';
import type { Conversation } from './conversation.ts';
import { digestInput, type EntryRecorder } from './entry-recorder.ts';
import type { Network } from './network.ts';
import type { ProjectCopy } from './project-copy.ts';
import type { SessionEnding } from './session-parts.ts';

/** Larger files are no guidance. */
const MOST_GUIDANCE_BYTES = 64 << 10;

const STOPPED: ToolResult = {
  ok: false,
  text: 'Stopped by the person before it was finished. Look at the state of the workspace before you go on.',
};

const UNKNOWN =
  'The outcome is unknown: this was cut off before it was recorded. Look at the workspace before you go on.';

export interface AgentOptions {
  signal: AbortSignal;
  /** A person is there: more steps before it stops by itself. */
  isInteractive: boolean;
}

export interface AgentParts {
  sandbox: Sandbox;
  recorder: EntryRecorder;
  conversation: Conversation;
  copy: ProjectCopy;
  ledger: LedgerReader;
  /** Tree of the project as it was before the agent came: an agent must not instruct itself. */
  base: string;
  /** What turns of this session before have come to, when it goes on. */
  before?: Usage;
  emit: Emit;
  settings: Settings;
  model: Model | undefined;
  network: Network | undefined;
  now: () => Date;
}

export class AgentWork implements AsyncDisposable {
  readonly #parts: AgentParts;
  readonly #state = createToolState();
  readonly #tools: Tool[];
  #system: string | undefined;
  #turns: number;
  readonly #usage: Usage;

  constructor(parts: AgentParts) {
    this.#parts = parts;
    this.#usage = { inputTokens: 0, outputTokens: 0, cachedInputTokens: 0, turns: 0, ...parts.before };
    this.#turns = this.#usage.turns;
    this.#tools = createTools({ state: this.#state });
  }

  /** Ends background jobs and removes what the tools keep in the guest. The sandbox must still run. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#state[Symbol.asyncDispose]();
  }

  get turns(): number {
    return this.#turns;
  }

  get usage(): Usage {
    return { ...this.#usage };
  }

  /** Background jobs that run now, as lists name them. */
  get jobs(): string[] {
    return this.#state.jobs.running().map(({ id, run }) => `${id} (${run.command.slice(0, 60)})`);
  }

  /** One turn. Never throws: what went wrong is the ending's reason, and an `error` event has told it. */
  async turn(text: string, options: AgentOptions): Promise<SessionEnding> {
    const { emit } = this.#parts;
    this.#turns += 1;
    this.#usage.turns = this.#turns;
    let result: { reason: TurnReason; error?: SafeCoderError };
    try {
      result = await this.#runTurn(text, options);
    } catch (error) {
      result = { reason: 'error', error: toSafeCoderError(error) };
    }
    if (result.error) {
      const { code, message, hint } = result.error;
      emit({ type: 'error', code, message, ...(hint === undefined ? {} : { hint }) });
    }
    emit({ type: 'turn.end', turn: this.#turns, reason: result.reason });
    return { ok: result.reason === 'done', reason: result.error?.code ?? nameReason(result.reason) };
  }

  /** Throws when the person's message can't be kept or the system prompt can't be read from the ledger. */
  async #runTurn(text: string, options: AgentOptions): Promise<TurnResult> {
    const { model, emit, conversation, settings } = this.#parts;
    if (model === undefined) throw new SafeCoderError('bug', 'This session has no model.');
    emit({ type: 'turn.start', turn: this.#turns });
    emit({ type: 'message', role: 'user', text });
    conversation.closeOpenCalls(UNKNOWN);
    const told = conversation.notes.map(
      (note): UserPart => ({ type: 'text', text: `[Safe Coder: ${note}]` }),
    );
    conversation.say({ role: 'user', parts: [...told, { type: 'text', text }] });
    const price = settings.prices?.[model.id] ?? findModelFacts(model.id).price;
    const result = await runTurn({
      model,
      system: await this.#systemPrompt(),
      conversation: conversation.messages,
      tools: this.#tools,
      runTool: this.#runTool,
      emit,
      onMessage: (message) => conversation.say(message),
      limits: this.#limits(options.isInteractive),
      signal: options.signal,
      ...(price === undefined ? {} : { price: toPrice(price) }),
    });
    this.#count(result.usage);
    return result;
  }

  /** Runs one call and records it; its result leaves here only when the entry is on disk. */
  readonly #runTool: RunTool = async (call, tool, input, signal) => {
    const { sandbox, recorder, emit, model } = this.#parts;
    const started = performance.now();
    let result: ToolResult | undefined;
    try {
      const onOutput = (text: string) => emit({ type: 'tool.output', call, text });
      result = await tool.run(input, { sandbox, call: callName(call), signal, onOutput });
    } catch (error) {
      // A cancelled execution has changed things too: it is recorded before the turn ends.
      if (!isSafeCoderError(error, 'cancelled')) throw error;
    }
    const recorded = await recorder.record(
      {
        title: `Agent executed: ${tool.name}`,
        kind: 'tool',
        turn: this.#turns,
        call: callName(call),
        tool: tool.name,
        inputSha256: digestInput(input),
        ok: result?.ok ?? false,
        durationMs: Math.round(performance.now() - started),
        ...(result?.exitCode === undefined ? {} : { exitCode: result.exitCode }),
        ...(model === undefined ? {} : { model: model.id }),
      },
      { sweep: false, wrote: result?.wrote ?? [] },
    );
    const { entry, changed, capture } = recorded;
    const told = withDenials(result ?? STOPPED, this.#parts.network?.takeDenials() ?? []);
    return {
      ...told,
      entry: entry.id,
      seq: entry.trailers.seq,
      changed,
      skipped: capture.skipped,
    };
  };

  #limits(isInteractive: boolean): AgentLimits {
    const { maxTurns, maxCost } = this.#parts.settings;
    const spent = this.#usage.costUsd ?? 0;
    return {
      maxSteps: maxTurns ?? DEFAULT_STEPS[isInteractive ? 'interactive' : 'headless'],
      ...(maxCost === undefined ? {} : { maxCostUsd: Math.max(0, maxCost - spent) }),
    };
  }

  async #systemPrompt(): Promise<string> {
    this.#system ??= await this.#buildSystemPrompt();
    return this.#system;
  }

  async #buildSystemPrompt(): Promise<string> {
    const { sandbox, copy, settings, now } = this.#parts;
    const guidance = await this.#readGuidance('AGENTS.md' as RelPath);
    return createSystemPrompt({
      workspace: sandbox.workspace,
      platform: describePlatform(sandbox.isolation),
      date: now().toISOString().slice(0, 10),
      network: describeNetwork(settings, sandbox.isolation),
      resources: `${settings.cpus} CPUs, ${showSize(settings.memory)} memory, ${showSize(settings.disk)} disk`,
      withheld: copy.withheld,
      guidance: guidance === undefined ? [] : [{ path: 'AGENTS.md', text: guidance }],
    });
  }

  async #readGuidance(path: RelPath): Promise<string | undefined> {
    const { ledger, base } = this.#parts;
    const file = await ledger.fileAt(base, path);
    if (file === undefined || file.mode === '120000') return undefined;
    const bytes = await ledger.readBlob(file.oid);
    return bytes.length > MOST_GUIDANCE_BYTES ? undefined : bytes.toString('utf8');
  }

  #count(usage: {
    inputTokens: number;
    outputTokens: number;
    cachedInputTokens: number;
    costUsd?: number;
  }): void {
    this.#usage.inputTokens += usage.inputTokens;
    this.#usage.outputTokens += usage.outputTokens;
    this.#usage.cachedInputTokens = (this.#usage.cachedInputTokens ?? 0) + usage.cachedInputTokens;
    if (usage.costUsd !== undefined) this.#usage.costUsd = (this.#usage.costUsd ?? 0) + usage.costUsd;
  }
}

/** A provider's call id as a name for entries and files in the guest. */
function callName(call: string): string {
  return call.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 64) || 'call';
}

function nameReason(reason: TurnReason): string {
  return reason === 'aborted' ? 'cancelled' : reason;
}

/** What was refused meanwhile is part of what the model learns of a call. */
function withDenials(result: ToolResult, denials: readonly string[]): ToolResult {
  return denials.length === 0 ? result : { ...result, text: `${result.text}\n${denials.join('\n')}` };
}

function describeNetwork({ network, allow }: Settings, isolation: IsolationInfo): string {
  if (isolation.level === 'demo') return "the person's own: no policy holds it.";
  if (allow.length === 0) return network;
  const hosts = `${allow.slice(0, 20).join(', ')}${allow.length > 20 ? ' and more' : ''}`;
  const rest = network === 'none' ? 'Everything else is denied.' : `Beyond that: ${network}.`;
  return `through a proxy that is set in the environment, to ${hosts}. ${rest}`;
}

function describePlatform(isolation: IsolationInfo): string {
  if (isolation.level === 'demo') return "Linux, the person's own machine: there is no isolation";
  return 'Linux in a virtual machine of its own';
}

function toPrice({
  input,
  output,
  cachedInput,
}: {
  input: number;
  output: number;
  cachedInput?: number | undefined;
}) {
  return { input, output, ...(cachedInput === undefined ? {} : { cachedInput }) };
}
