import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { HostPath, RelPath } from '../../../src/base/path-bytes.ts';
import { HEAD_REF } from '../../../src/ledger/layout.ts';
import { openLedger } from '../../../src/ledger/reader.ts';
import { fingerprintOf, type HeadSigner, openSigner } from '../../../src/ledger/ssh-signer.ts';
import { createLedger, type LedgerWriter, openLedgerWriter } from '../../../src/ledger/writer.ts';
import { temporaryFolder } from '../../support/temp.ts';
import { commitInitial, store, toolCall } from './fixture.ts';

function makeKey(passphrase = ''): string {
  const path = join(temporaryFolder(), 'key');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', passphrase, '-C', 'a comment', '-f', path]);
  return path;
}

const signerOf = (signWith: string, agentSocket?: string) => openSigner({ signWith, agentSocket });

async function startAgent(): Promise<string> {
  const socket = join(temporaryFolder(), 'agent');
  const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'ignore'] });
  onTestFinished(() => void agent.kill());
  await once(agent.stdout, 'data');
  return socket;
}

/** A ledger of four entries, the second a snapshot; sealed at its end and closed. */
async function signedLedger(signer: HeadSigner): Promise<{ dir: HostPath; head: string; ids: string[] }> {
  const writer = await createLedger({
    dir: join(temporaryFolder(), 'ledger') as HostPath,
    objectFormat: 'sha256',
    session: 's-1',
    sync: false,
    signer,
  });
  await using _ = writer;
  const ids = [(await commitInitial(writer, { a: '1' })).id];
  for (const kind of ['snapshot', 'tool', 'tool'] as const)
    ids.push((await writer.append(toolCall(writer, { a: `${ids.length}` }, { kind }))).id);
  expect(await writer.seal()).toBe(true);
  return { dir: writer.dir, head: ids.at(-1) ?? '', ids };
}

async function verify(dir: HostPath, options: Parameters<LedgerWriter['verify']>[0] = {}) {
  await using reader = await openLedger(dir);
  return await reader.verify({ isOver: true, ...options });
}

const kinds = (verdict: Awaited<ReturnType<typeof verify>>) => verdict.found.map(({ kind }) => kind);

describe('a signed ledger', () => {
  it('is signed at snapshots and at its end, and not at each tool call', async () => {
    const key = makeKey();
    const signer = await signerOf(key);
    const { dir, head } = await signedLedger(signer);
    expect(readdirSync(join(dir, 'signatures')).sort()).toEqual(['2', '4']);
    const verdict = await verify(dir, { signer: signer.fingerprint, recordedHead: head });
    expect(verdict.faults).toEqual([]);
    expect(verdict.signatures).toEqual({ state: 'valid', signer: signer.fingerprint, upTo: 4 });
    expect(await fingerprintOf({ signWith: key, agentSocket: undefined })).toBe(signer.fingerprint);
    expect(await fingerprintOf({ signWith: `${key}.pub`, agentSocket: undefined })).toBe(signer.fingerprint);
  });

  it('holds signatures that OpenSSH accepts with an allowed signers file made by hand', async () => {
    const key = makeKey();
    const { dir } = await signedLedger(await signerOf(key));
    const file = readFileSync(join(dir, 'signatures/4'), 'latin1');
    const at = file.indexOf('-----BEGIN');
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'sig'), file.slice(at));
    writeFileSync(join(folder, 'allowed'), `me ${readFileSync(`${key}.pub`, 'latin1')}`);
    const args = ['-Y', 'verify', '-f', 'allowed', '-I', 'me', '-n', 'safe-coder', '-s', 'sig'];
    const said = execFileSync('ssh-keygen', args, { cwd: folder, input: file.slice(0, at) }).toString();
    expect(said).toContain('Good "safe-coder" signature for me');
  });

  it('is signed by a key that only the agent has, by its public half or as "agent"', async () => {
    const key = makeKey('a passphrase');
    const socket = await startAgent();
    const askpass = join(temporaryFolder(), 'askpass');
    writeFileSync(askpass, '#!/bin/sh\necho "a passphrase"\n', { mode: 0o700 });
    const env = { ...process.env, SSH_AUTH_SOCK: socket, SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: 'force' };
    execFileSync('ssh-add', ['-q', key], { env });
    const fingerprints = [
      (await signerOf('agent', socket)).fingerprint,
      (await signerOf(`${key}.pub`, socket)).fingerprint,
      (await signerOf(key, socket)).fingerprint,
      await fingerprintOf({ signWith: 'agent', agentSocket: socket }),
    ];
    expect(new Set(fingerprints).size).toBe(1);
  });

  it('tells at the start why a key can not be used, and asks nobody for a passphrase', async () => {
    const locked = makeKey('a passphrase');
    await expect(signerOf(locked)).rejects.toMatchObject({
      code: 'config/invalid',
      message: expect.stringContaining('passphrase'),
    });
    await expect(signerOf('/nowhere/key')).rejects.toMatchObject({ code: 'config/invalid' });
    await expect(signerOf('agent')).rejects.toMatchObject({ code: 'config/invalid' });
    await expect(signerOf('agent', await startAgent())).rejects.toMatchObject({
      message: expect.stringContaining('no identities'),
    });
  });

  it('loses no entry when the key is gone in the middle, and says which are not signed', async () => {
    const key = makeKey();
    const signer = await signerOf(key);
    const { dir } = await signedLedger(signer);
    rmSync(key);
    rmSync(`${key}.pub`);
    const told: string[] = [];
    await using writer = await openLedgerWriter(dir, {
      signer,
      onUnsigned: ({ code }) => told.push(code),
      sync: false,
    });
    const { written, removed, ...facts } = toolCall(writer, {}, { kind: 'rollback' });
    const back = await writer.appendTree({ ...facts, tree: (await writer.entries())[0]?.tree ?? '' });
    expect(back.trailers.seq).toBe(5);
    expect(await writer.seal()).toBe(false);
    expect(told).toEqual(['environment/tool-failed', 'environment/tool-failed']);
    const verdict = await verify(dir);
    expect(verdict.faults).toEqual(['Entry #5 has no signature, though the ledger is signed.']);
    expect(kinds(verdict)).toEqual(['signature-missing']);
    expect((await verify(dir, { isOver: false })).signatures).toMatchObject({ state: 'partial', upTo: 4 });
  });

  it('is not signed with another key than the one it began with', async () => {
    const { dir } = await signedLedger(await signerOf(makeKey()));
    const told: string[] = [];
    await using writer = await openLedgerWriter(dir, {
      signer: await signerOf(makeKey()),
      onUnsigned: ({ message }) => told.push(message),
      sync: false,
    });
    await writer.append(toolCall(writer, {}, { kind: 'snapshot' }));
    expect(told).toHaveLength(1);
    expect(readdirSync(join(dir, 'signatures')).sort()).toEqual(['2', '4']);
  });

  it('that was never to be signed is none, and no fault', async () => {
    const writer = await createLedger({
      dir: join(temporaryFolder(), 'ledger') as HostPath,
      objectFormat: 'sha1',
      session: 's-1',
      sync: false,
    });
    onTestFinished(() => writer[Symbol.asyncDispose]());
    await commitInitial(writer, { a: '1' });
    expect(await writer.seal()).toBe(false);
    expect(await writer.verify({ isOver: true, signer: 'SHA256:x' })).toMatchObject({
      ok: true,
      signatures: { state: 'none' },
    });
  });
});

describe('verification names', () => {
  const signature = (dir: string, seq: number) => join(dir, 'signatures', String(seq));

  it.each<[string, (dir: string, ids: string[], other: HeadSigner) => unknown, string]>([
    [
      'an edited statement',
      (dir) => edit(signature(dir, 4), (text) => text.replace('sequence 4', 'sequence 5')),
      'signature-bad',
    ],
    [
      'an edited signature',
      (dir) => edit(signature(dir, 4), (text) => text.replace(/[A-Z]{2}(?=[^\n]*\n-----END)/, 'zz')),
      'signature-bad',
    ],
    [
      'a truncated signature',
      (dir) => edit(signature(dir, 4), (text) => text.slice(0, -60)),
      'signature-bad',
    ],
    ['an empty one', (dir) => edit(signature(dir, 4), () => ''), 'signature-bad'],
    [
      'a signature moved to another entry',
      (dir) => renameSync(signature(dir, 2), signature(dir, 4)),
      'signature-bad',
    ],
    ['a signature that is gone', (dir) => rmSync(signature(dir, 4)), 'signature-missing'],
    [
      'all signatures gone',
      (dir) => rmSync(join(dir, 'signatures'), { recursive: true }),
      'signature-missing',
    ],
    [
      'a signature by another key',
      async (dir, _, other) => {
        const statement = readFileSync(signature(dir, 4), 'latin1').split('-----BEGIN')[0] ?? '';
        writeFileSync(signature(dir, 4), statement + (await other.sign(statement)));
      },
      'signature-other-key',
    ],
    [
      'a head that was moved back',
      (dir, ids) => writeFileSync(join(dir, HEAD_REF), `${ids[2]}\n`),
      'head-moved-back',
    ],
  ])('%s', async (_, damage, kind) => {
    const signer = await signerOf(makeKey());
    const { dir, ids } = await signedLedger(signer);
    await damage(dir, ids, await signerOf(makeKey()));
    const verdict = await verify(dir);
    expect(verdict.ok).toBe(false);
    expect(verdict.signatures.state).toBe('bad');
    expect(new Set(kinds(verdict))).toContain(kind);
  });

  it('a chain that was written anew and signed with another key', async () => {
    const mine = await signerOf(makeKey());
    const { dir } = await signedLedger(await signerOf(makeKey()));
    const verdict = await verify(dir, { signer: mine.fingerprint });
    expect(new Set(kinds(verdict))).toEqual(new Set(['signature-other-key']));
  });

  it('a chain that went on differently after what was signed', async () => {
    const signer = await signerOf(makeKey());
    const { dir, ids } = await signedLedger(signer);
    writeFileSync(join(dir, HEAD_REF), `${ids[2]}\n`);
    await using writer = await openLedgerWriter(dir, { sync: false });
    await writer.append({ ...toolCall(writer, {}), written: store(writer, { ['b' as RelPath]: 'other' }) });
    const verdict = await verify(dir);
    expect(verdict.faults).toEqual(['What was signed at entry #4 is not what the chain holds there.']);
  });

  it('a head that the record of the session does not know, also without signatures', async () => {
    const { dir, ids, head } = await signedLedger(await signerOf(makeKey()));
    rmSync(join(dir, 'signatures'), { recursive: true });
    expect(kinds(await verify(dir, { isOver: false, recordedHead: head }))).toEqual([]);
    writeFileSync(join(dir, HEAD_REF), `${ids[1]}\n`);
    expect(kinds(await verify(dir, { isOver: false, recordedHead: head }))).toEqual(['head-moved-back']);
  });
});

function edit(file: string, change: (text: string) => string): void {
  const before = readFileSync(file, 'latin1');
  const after = change(before);
  expect(after).not.toBe(before);
  writeFileSync(file, after, 'latin1');
}
