/** Opens a sandbox: a launched, populated, proved guest. */
import { randomBytes } from 'node:crypto';
import type { Backend, Launched, LaunchSpec } from '../backends/backend.ts';
import { isSafeCoderError, SafeCoderError, toSafeCoderError } from '../base/errors.ts';
import type { Emit, IsolationInfo, IsolationProof } from '../base/events.ts';
import { delay, throwIfCancelled } from '../base/lifetime.ts';
import { openGuest } from '../guest/client.ts';
import type { Deadlines } from '../guest/deadlines.ts';
import type { Guest, Who } from '../guest/guest.ts';
import { type CaptureLimits, Capturer } from './capture.ts';
import type { BaseManifest, ProjectSource } from './project-source.ts';
import { proveIsolation } from './proof.ts';
import { type EgressOutlet, relayEgress } from './relay-egress.ts';
import { createSandbox } from './running.ts';
import type { Sandbox } from './sandbox.ts';

export interface OpenSandboxOptions {
  backend: Backend;
  spec: LaunchSpec;
  source: ProjectSource;
  signal: AbortSignal;
  /** Progress by phase: `launch`, `greet`, `copy-in`, `prove`. */
  emit: Emit;
  deadlines?: Partial<Deadlines>;
  limits?: Partial<CaptureLimits>;
  /** The guest's way out. Absent: it has none. A demo has the machine's own. */
  egress?: EgressOutlet;
}

const ENTROPY_BYTES = 256;
/** How long to wait for the backend to say why its guest is gone. */
const ENDED_MS = 200;

/**
 * Throws what {@link Backend.launch} and {@link openGuest} throw, what the source throws, `backend/boot-failed` (with the
 * phase and the console's tail) when the set-up fails, `backend/not-isolated` when the proof does, `cancelled`. On any
 * throw nothing is left running. The caller owns the sandbox and ends it.
 */
export async function openSandbox(options: OpenSandboxOptions): Promise<Sandbox> {
  const { backend, spec, source, signal, emit } = options;
  throwIfCancelled(signal);
  // One scope: whatever fails first stops the rest.
  const scope = new AbortController();
  const stop = () => scope.abort(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  const early = backend.imageFile?.(spec);
  const image = early === undefined ? undefined : source.writeImage(early, scope.signal);
  // It is awaited later; a failure until then must not end the process.
  image?.catch(() => scope.abort());
  let launched: Launched | undefined;
  try {
    emit({ type: 'progress', phase: 'launch', done: 0, unit: 'steps' });
    launched = await backend.launch(spec, scope.signal);
    return await populate(launched, image, scope.signal, options);
  } catch (error) {
    scope.abort();
    await launched?.end();
    // The image's failure stops the launch, and is what there is to tell.
    await image?.catch((cause: unknown) => {
      if (!isSafeCoderError(cause, 'cancelled')) throw cause;
    });
    throwIfCancelled(signal);
    throw toSafeCoderError(error);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

async function populate(
  launched: Launched,
  image: Promise<BaseManifest> | undefined,
  signal: AbortSignal,
  options: OpenSandboxOptions,
): Promise<Sandbox> {
  const { spec, source, emit } = options;
  const endOnAbort = () => void launched.end();
  signal.addEventListener('abort', endOnAbort, { once: true });
  let phase = 'greet';
  const enter = (next: string) => {
    throwIfCancelled(signal);
    phase = next;
    emit({ type: 'progress', phase, done: 0, unit: 'steps' });
  };
  try {
    enter('greet');
    const written =
      launched.populate.by === 'image'
        ? (image ?? source.writeImage(launched.populate.file, signal))
        : undefined;
    const [guest] = await Promise.all([greet(launched, options), written]);
    enter('copy-in');
    const who = launched.info.who ?? { uid: spec.uid, gid: spec.gid };
    await guest.setup(launched.setup);
    const manifest =
      launched.populate.by === 'unpack'
        ? await unpackProject(guest, launched.populate, who, signal, options)
        : await written;
    if (manifest === undefined) throw new SafeCoderError('bug', 'The project was not put in.');
    const outlet =
      options.egress !== undefined && launched.info.level !== 'demo'
        ? await relayEgress(guest, options.egress, { hasOwnImage: launched.info.hasOwnImage === true })
        : {};
    const env = { ...launched.info.env, ...spec.env, ...outlet };
    const capturer = new Capturer(guest, manifest, {
      mode: launched.info.capture,
      ...(options.limits === undefined ? {} : { limits: options.limits }),
    });
    enter('prove');
    const [proof] = await Promise.all([
      proveIsolation(guest, { level: launched.info.level, runDir: spec.runDir }),
      capturer.learn(),
    ]);
    requireIsolation(launched, proof);
    throwIfCancelled(signal);
    const { level, backend, accel } = launched.info;
    const isolation: IsolationInfo = { level, backend, accel, proof };
    const { memoryBytes, diskBytes, pids } = spec;
    const limits = { memoryBytes, diskBytes, pids };
    return createSandbox({ id: spec.id, launched, guest, capturer, isolation, limits, who, env });
  } catch (error) {
    throw await explain(error, launched, phase);
  } finally {
    signal.removeEventListener('abort', endOnAbort);
  }
}

/** The handshake and what every guest needs first: the time, and randomness of its own. */
async function greet(launched: Launched, options: OpenSandboxOptions): Promise<Guest> {
  const guest = await openGuest(launched.channel, {
    restored: launched.restored,
    ...(options.deadlines === undefined ? {} : { deadlines: options.deadlines }),
  });
  // Only a machine of its own has a clock and a generator of its own.
  if (launched.info.level !== 'vm') return guest;
  await Promise.all([
    guest.setClock(BigInt(Date.now()) * 1_000_000n),
    guest.addEntropy(randomBytes(ENTROPY_BYTES)),
  ]);
  return guest;
}

async function unpackProject(
  guest: Guest,
  populate: Extract<Launched['populate'], { by: 'unpack' }>,
  who: Who,
  signal: AbortSignal,
  { source }: OpenSandboxOptions,
): Promise<BaseManifest> {
  await guest.unpack(populate.into, who, source.entries(signal));
  if (populate.after.length > 0) await guest.setup(populate.after);
  return source.manifest();
}

function requireIsolation(launched: Launched, proof: IsolationProof): void {
  if (proof.isolated || launched.info.level === 'demo') return;
  const failed = proof.checks.filter((check) => !check.ok).map((check) => `${check.name}: ${check.detail}`);
  throw new SafeCoderError(
    'backend/not-isolated',
    `The ${launched.info.backend} sandbox could not prove its isolation (${failed.join('; ')}).`,
    { hint: 'Run "safe-coder doctor" to see what works here.', details: { proof } },
  );
}

/** Adds the phase and the console's tail to what went wrong while the guest was set up. */
async function explain(error: unknown, launched: Launched, phase: string): Promise<unknown> {
  const isGuests = isSafeCoderError(error) && /^guest\/(failed|lost|timeout)$/.test(error.code);
  if (!isGuests) return error;
  const console = await launched.consoleTail();
  const reason = await Promise.race([launched.ended, delay(ENDED_MS).then(() => undefined)]);
  const why = reason === undefined ? error.message : `${error.message} (${reason})`;
  return new SafeCoderError(
    'backend/boot-failed',
    `The ${launched.info.backend} sandbox did not get ready (phase: ${phase}): ${why}${console === '' ? '' : `\nconsole:\n${console}`}`,
    {
      cause: error,
      details: { phase, ...(console === '' ? {} : { console }) },
      hint: 'Run "safe-coder doctor" to see what works here.',
    },
  );
}
