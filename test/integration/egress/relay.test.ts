import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openGuest } from '../../../src/guest/client.ts';
import type { Guest } from '../../../src/guest/guest.ts';

const agent = fileURLToPath(new URL('../../../guest/build/safe-coder-guest', import.meta.url));

/** The built agent as an ordinary process: its loopback is ours. */
async function openAgent(): Promise<Guest> {
  const child = spawn(agent, ['--fd', '3'], { stdio: ['ignore', 'ignore', 'inherit', 'pipe'] });
  const channel = child.stdio[3];
  if (!(channel instanceof Duplex)) throw new Error('no channel');
  const guest = await openGuest(channel, { restored: false });
  onTestFinished(async () => {
    await guest[Symbol.asyncDispose]();
    await new Promise((resolve) => child.once('exit', resolve));
  });
  return guest;
}

const never = new AbortController().signal;
const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

function everything(stream: Duplex): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => parts.push(chunk));
    stream.on('end', () => resolve(Buffer.concat(parts)));
    stream.on('error', reject);
  });
}

describe('clients of the guest’s port', () => {
  it('come with all their bytes, both ways at once, and each side’s end', async () => {
    const guest = await openAgent();
    const port = await guest.listen(0);
    const accepted = guest.accept(never);
    const client = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
    const host = await accepted;
    const [up, down] = [randomBytes(5_000_000), randomBytes(3_000_000)];
    const atHost = everything(host);
    const atClient = everything(client);
    client.end(up);
    host.end(down);
    expect(digest(await atHost)).toBe(digest(up));
    expect(digest(await atClient)).toBe(digest(down));
  });

  it('wait for a host that reads slowly without its memory growing', async () => {
    const guest = await openAgent();
    const port = await guest.listen(0);
    const accepted = guest.accept(never);
    const client = connect({ host: '127.0.0.1', port });
    const host = await accepted;
    // 64 MB that nobody reads: what is on its way is bounded by credit and by the sockets' own buffers.
    let taken = 0;
    const block = Buffer.alloc(1 << 20);
    client.on('error', () => undefined);
    for (let i = 0; i < 64; i++) client.write(block, () => (taken += block.length));
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(host.readableLength).toBeLessThan(1 << 20);
    expect(taken).toBeLessThan(48 << 20);
    host.destroy();
    await new Promise((resolve) => client.once('close', resolve));
  });

  it('are many at once, each with its own bytes', async () => {
    const guest = await openAgent();
    const port = await guest.listen(0);
    const served = Array.from({ length: 40 }, async () => {
      const host = await guest.accept(never);
      host.pipe(host);
    });
    const echoes = Array.from({ length: 40 }, async (_, index) => {
      const client = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
      const sent = Buffer.alloc(10_000 + index, index);
      const echo = everything(client);
      client.end(sent);
      expect((await echo).equals(sent)).toBe(true);
    });
    await Promise.all([...served, ...echoes]);
  });

  it('are given up on when nobody waits for them any more', async () => {
    const guest = await openAgent();
    await guest.listen(0);
    const abort = new AbortController();
    const accepted = guest.accept(abort.signal);
    setTimeout(() => abort.abort(), 50);
    await expect(accepted).rejects.toMatchObject({ code: 'cancelled' });
    expect((await guest.stat('/', { uid: 0, gid: 0 })).stat.kind).toBe('directory');
  });

  it('end with the guest', async () => {
    const guest = await openAgent();
    const port = await guest.listen(0);
    const waiting = guest.accept(never);
    const client = connect({ host: '127.0.0.1', port });
    const host = await waiting;
    const later = guest.accept(never);
    host.on('error', () => undefined);
    const closed = new Promise((resolve) => host.once('close', resolve));
    client.on('error', () => undefined);
    await guest[Symbol.asyncDispose]();
    await closed;
    await expect(later).rejects.toThrow();
    expect(host.destroyed).toBe(true);
  });

  it('cannot be had without a port', async () => {
    const guest = await openAgent();
    await expect(guest.accept(never)).rejects.toMatchObject({
      code: 'guest/failed',
      details: { errnoName: 'ENOTCONN' },
    });
  });
});
