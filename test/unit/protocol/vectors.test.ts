import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodePath, encodePath, type RelPath } from '../../../src/base/path-bytes.ts';
import * as answers from '../../../src/protocol/answers.ts';
import type { ByteReader } from '../../../src/protocol/byte-reader.ts';
import { encodeSetup } from '../../../src/protocol/encode-setup.ts';
import { ChangesDecoder, ListDecoder } from '../../../src/protocol/entry-decoder.ts';
import { FetchDecoder } from '../../../src/protocol/fetch-decoder.ts';
import { encodeFrame, FRAME, type Frame, FrameDecoder } from '../../../src/protocol/frames.ts';
import { decodeFailure, decodeHello, encodeKnock } from '../../../src/protocol/greeting.ts';
import * as requests from '../../../src/protocol/requests.ts';
import type { SetupOperation } from '../../../src/protocol/setup.ts';
import type { StatRecord } from '../../../src/protocol/stat-record.ts';
import { CHUNKS_END, encodeChunks, encodeUnpackHead } from '../../../src/protocol/unpack-encoder.ts';

const rows = (file: string): string[][] =>
  readFileSync(new URL(`../../../guest/vectors/${file}`, import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t'));

/** The fields of a vector by name; every value is text. */
class Fields {
  readonly list: [string, string][];

  constructor(text: string) {
    this.list = text
      .split(' ')
      .filter((pair) => pair !== '')
      .map((pair) => {
        const at = pair.indexOf('=');
        return [pair.slice(0, at), pair.slice(at + 1)];
      });
  }

  text(name: string): string {
    const found = this.list.find(([key]) => key === name);
    if (found === undefined) throw new Error(`the vector has no field ${name}`);
    return found[1];
  }

  number(name: string): number {
    return Number(this.text(name));
  }

  bytes(name: string): Buffer {
    return Buffer.from(this.text(name), 'hex');
  }

  path(name: string): string {
    return decodePath(this.bytes(name));
  }

  items(name: string): string[] {
    const inner = this.text(name).slice(1, -1);
    return inner === '' && name !== 'argv'
      ? []
      : inner.split(',').map((hex) => decodePath(Buffer.from(hex, 'hex')));
  }
}

const KIND = ['', 'file', 'directory', 'symlink', 'deleted', 'special', 'unreadable', 'too-deep'];

function statFields(stat: StatRecord): string {
  const flags =
    (stat.isOpaque ? 1 : 0) |
    (stat.isMount ? 2 : 0) |
    (stat.isPruned ? 4 : 0) |
    (stat.kind !== 'unreadable' && (stat.mode & 0o6000) !== 0 ? 8 : 0);
  return (
    `kind=${KIND.indexOf(stat.kind)} statFlags=${flags} mode=${stat.mode} uid=${stat.uid} gid=${stat.gid} ` +
    `nlink=${stat.nlink} size=${stat.size} ino=${stat.ino} mtimeNs=${stat.mtimeNs} ctimeNs=${stat.ctimeNs}`
  );
}

const hex = (path: string | undefined) => encodePath(path ?? '').toString('hex');
const yes = (value: boolean) => (value ? 1 : 0);

/** What one frame of the guest says, in the vectors' words; throws for what breaks the protocol. */
function describeGuestFrame(frame: Frame, verb: string): string {
  const all = <T>(read: (reader: ByteReader) => T): T => answers.decodeAll(frame.payload, read);
  switch (frame.type) {
    case FRAME.hello: {
      const { hello, nonce } = decodeHello(frame.payload);
      return (
        `version=${hello.version} nonce=${nonce} pid=${hello.agentPid} build=${hex(hello.buildId)} ` +
        `kernel=${hex(hello.kernel)} bootId=${hex(hello.bootId)} arch=${hex(hello.arch)}`
      );
    }
    case FRAME.fatal:
    case FRAME.error: {
      const { errno, message } = decodeFailure(frame.payload);
      return `errno=${errno} message=${hex(message)}`;
    }
    case FRAME.eof:
      return '';
    case FRAME.data:
      return `bytes=${frame.payload.toString('hex')}`;
    case FRAME.credit:
      return `bytes=${all(answers.readCredit)}`;
    case FRAME.reply:
      if (verb === 'SPAWN') return `pid=${all((reader) => reader.u32())}`;
      if (verb === 'ACCEPT') return all(() => '');
      if (verb === 'READ') return statFields(all(answers.readReadReply));
      throw new Error('no reply in this verb');
    default:
      return describeEnd(all, verb);
  }
}

function describeEnd(all: <T>(read: (reader: ByteReader) => T) => T, verb: string): string {
  switch (verb) {
    case 'SPAWN': {
      const end = all(answers.readSpawnEnd);
      return (
        `how=${end.signal === undefined ? 0 : 1} code=${end.exitCode ?? end.signal} ` +
        `endFlags=${Number(end.wasKilledForMemory) + 2 * Number(end.wasRefusedProcesses)} wallUs=${Math.round(end.wallMs * 1000)} ` +
        `cpuUs=${Math.round(end.cpuMs * 1000)} peakMemory=${end.peakMemoryBytes}`
      );
    }
    case 'READ':
      return `bytes=${all((reader) => reader.count())}`;
    case 'WRITE': {
      const end = all(answers.readWriteEnd);
      return `${statFields(end.stat)} created=${yes(end.created)}`;
    }
    case 'STAT': {
      const end = all(answers.readStatEnd);
      return `${statFields(end.stat)} canonical=${hex(end.canonical)} target=${hex(end.target)}`;
    }
    case 'LIST': {
      const end = all(answers.readListEnd);
      return `entries=${end.entries} truncated=${yes(end.truncated)}`;
    }
    case 'CHANGES': {
      const end = all(answers.readChangesEnd);
      return `entries=${end.entries} truncated=${yes(end.truncated)}`;
    }
    case 'REMOVE':
    case 'UNPACK':
      return `entries=${all((reader) => reader.count())}`;
    case 'FETCH':
      return `paths=${all((reader) => reader.count())}`;
    case 'FREEZE':
      return `processes=${all((reader) => reader.u32())}`;
    case 'LISTEN':
      return `port=${all((reader) => reader.u16())}`;
    case 'PROBE': {
      const end = all(answers.readProbeEnd);
      return `errno=${end.errno} interfaces=${end.otherInterfaces} routes=${end.routes}`;
    }
    default:
      return all(() => '');
  }
}

/** The frame that our encoders make of a vector's fields. */
function encodeHostFrame(fields: Fields): Buffer {
  const type = fields.text('type');
  const stream = fields.number('stream');
  const frame = (payload?: Uint8Array) =>
    encodeFrame(FRAME[type.toLowerCase() as keyof typeof FRAME], stream, payload);
  const who = () => ({ uid: fields.number('uid'), gid: fields.number('gid') });
  const options = () => fields.number('options');
  switch (type) {
    case 'KNOCK':
      return frame(encodeKnock(BigInt(fields.text('nonce'))));
    case 'DATA':
    case 'ENTROPY':
      return frame(fields.bytes('bytes'));
    case 'CREDIT':
      return frame(requests.encodeU32(fields.number('bytes')));
    case 'SIGNAL':
      return frame(requests.encodeU32(fields.number('signal')));
    case 'RESIZE':
      return frame(requests.encodeSize(fields.number('rows'), fields.number('columns')));
    case 'SPAWN': {
      const size = { rows: fields.number('rows'), columns: fields.number('columns') };
      const env = fields.items('env').map((pair): [string, string] => {
        const at = pair.indexOf('=');
        return [pair.slice(0, at), pair.slice(at + 1)];
      });
      return frame(
        requests.encodeSpawn({
          ...who(),
          argv: fields.items('argv'),
          env: Object.fromEntries(env),
          cwd: fields.path('cwd'),
          ...((options() & 1) !== 0 ? { pty: size } : {}),
          mergeStderr: (options() & 2) !== 0,
          stdin: (options() & 4) !== 0,
          maxProcesses: fields.number('maxProcesses'),
          maxMemoryBytes: fields.number('maxMemory'),
          maxOpenFiles: fields.number('maxFiles'),
        }),
      );
    }
    case 'READ': {
      const noFollow = options() === 1;
      const range = { offset: fields.number('offset'), maxBytes: fields.number('most') };
      return frame(requests.encodeRead(fields.path('path'), { ...who(), ...range, noFollow }));
    }
    case 'WRITE':
      return frame(
        requests.encodeWrite(fields.path('path'), {
          ...who(),
          mode: fields.number('mode'),
          makeParents: (options() & 1) !== 0,
          exclusive: (options() & 2) !== 0,
        }),
      );
    case 'STAT':
      return frame(requests.encodeStatRequest(fields.path('path'), { ...who(), noFollow: options() === 1 }));
    case 'LIST':
      return frame(requests.encodeList(fields.path('path'), { ...who(), max: fields.number('most') }));
    case 'REMOVE':
      return frame(requests.encodeRemove(fields.path('path'), { ...who(), recursive: options() === 1 }));
    case 'CHANGES': {
      const mode = fields.number('mode') === 0 ? 'overlay' : 'walk';
      return frame(requests.encodeChanges(mode, fields.number('most'), fields.items('prune') as RelPath[]));
    }
    case 'FETCH':
      return frame(requests.encodeFetch(fields.number('most')));
    case 'UNPACK':
      return frame(requests.encodeUnpack(fields.path('path'), who()));
    case 'SETUP':
      return frame(encodeSetup(operations(fields)));
    case 'CLOCK':
      return frame(requests.encodeClock(BigInt(fields.text('realtimeNs'))));
    case 'PROBE':
      return frame(requests.encodeProbe(fields.number('port')));
    case 'LISTEN':
      return frame(requests.encodeListen(fields.number('port')));
    case 'ACCEPT':
      return frame(requests.encodeAccept());
    default:
      return frame();
  }
}

function operations(fields: Fields): SetupOperation[] {
  const groups: Fields[] = [];
  for (const [key, value] of fields.list.slice(4)) {
    if (key === 'op') groups.push(new Fields(''));
    groups.at(-1)?.list.push([key, value]);
  }
  return groups.map(operation);
}

function operation(of: Fields): SetupOperation {
  const owner = () => ({ mode: of.number('mode'), uid: of.number('uid'), gid: of.number('gid') });
  switch (of.text('op')) {
    case 'MKDIR':
      return { op: 'mkdir', path: of.path('path'), ...owner() };
    case 'MOUNT': {
      const what = { source: of.path('source'), target: of.path('target'), type: of.path('fstype') };
      return { op: 'mount', ...what, flags: of.number('mountFlags'), data: of.path('data') };
    }
    case 'SYMLINK':
      return { op: 'symlink', link: of.path('link'), target: of.path('target') };
    case 'FILE':
      return { op: 'file', path: of.path('path'), ...owner(), bytes: of.bytes('bytes') };
    case 'HOSTNAME':
      return { op: 'hostname', name: of.path('name') };
    case 'LOOPBACK':
      return { op: 'loopback' };
    case 'ROOT':
      return { op: 'root', path: of.path('path') };
    case 'WORKSPACE':
      return { op: 'workspace', path: of.path('path'), upper: of.path('upper') };
    case 'CGROUP':
      return { op: 'cgroup', path: of.path('path'), pids: of.number('maxProcesses') };
    case 'CONFINE':
      return { op: 'confine', keep: BigInt(of.text('keep')) };
    default:
      throw new Error(`no such operation: ${of.text('op')}`);
  }
}

function decodeOne(side: 'host' | 'guest', bytes: Buffer): Frame {
  let found: Frame | undefined;
  new FrameDecoder(side).push(bytes, (frame) => {
    found = frame;
  });
  if (found === undefined) throw new Error('not a whole frame');
  return found;
}

/** Values that JavaScript's numbers don't hold exactly; they are checked in tests of their own. */
const INEXACT = new Set(['reply-read-largest-values', 'read-no-follow']);

describe('frames as the golden vectors have them', () => {
  for (const [name = '', direction, verb = '', verdict, bytes = '', text = ''] of rows('frames.tsv')) {
    const frame = Buffer.from(bytes, 'hex');
    const fields = new Fields(text);
    if (direction === 'g2h' && verdict === 'ok') {
      it(`reads ${name}`, () => {
        const said = new Fields(describeGuestFrame(decodeOne('guest', frame), verb));
        const isOtherVersion = name === 'hello-other-version';
        for (const [key, value] of said.list) {
          if (INEXACT.has(name) && key === 'size') continue;
          if (isOtherVersion && key !== 'version' && key !== 'nonce') continue;
          expect([key, value]).toEqual([key, fields.text(key)]);
        }
      });
    } else if (direction === 'g2h') {
      it(`refuses ${name}`, () => {
        expect(() => describeGuestFrame(decodeOne('guest', frame), verb)).toThrow();
      });
    } else if (verdict === 'ok' && !INEXACT.has(name)) {
      it(`writes ${name}`, () => {
        expect(encodeHostFrame(fields).toString('hex')).toBe(bytes);
        expect(decodeOne('host', frame).payload.toString('hex')).toBe(bytes.slice(24));
      });
    }
  }

  it('reports the largest sizes as the largest safe number', () => {
    const bytes = rows('frames.tsv').find(([name]) => name === 'reply-read-largest-values')?.[4] ?? '';
    const stat = answers.decodeAll(
      decodeOne('guest', Buffer.from(bytes, 'hex')).payload,
      answers.readReadReply,
    );
    expect(stat.size).toBe(Number.MAX_SAFE_INTEGER);
    expect(stat.ino).toBe(2n ** 64n - 1n);
  });
});

describe('content as the golden vectors have it', () => {
  for (const [name = '', what, verdict, bytes = '', text = ''] of rows('streams.tsv')) {
    const content = Buffer.from(bytes, 'hex');
    if (what === 'unpack' || what === 'paths') {
      if (verdict === 'ok' && what === 'unpack') {
        it(`writes ${name}`, () => {
          expect(encodeEntries(text).toString('hex')).toBe(bytes);
        });
      }
      continue;
    }
    for (const step of [1, 7, content.length + 1]) {
      const title = `${verdict === 'ok' ? 'reads' : 'refuses'} ${name} in pieces of ${step} bytes`;
      it(title, () => {
        const read = () => decodeContent(what ?? '', cut(content, step));
        if (verdict === 'ok') expect(read()).toBe(text.replace(/ chunk=(\w+) chunk=/g, ' chunk=$1'));
        else expect(read).toThrow();
      });
    }
  }
});

function cut(bytes: Buffer, step: number): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += step) parts.push(bytes.subarray(at, at + step));
  return parts;
}

function encodeEntries(text: string): Buffer {
  const parts: Uint8Array[] = [];
  for (const record of text.split(' | ')) {
    const fields = new Fields(record);
    const kind = (['file', 'directory', 'symlink'] as const)[fields.number('kind') - 1];
    if (kind === undefined) throw new Error('no such kind');
    const target = kind === 'symlink' ? { target: fields.path('target') } : {};
    parts.push(
      encodeUnpackHead({
        kind,
        mode: fields.number('mode'),
        mtimeNs: BigInt(fields.text('mtimeNs')),
        path: fields.path('path') as RelPath,
        ...target,
      }),
    );
    if (kind !== 'file') continue;
    for (const [key, value] of fields.list) {
      if (key === 'chunk') parts.push(...encodeChunks(Buffer.from(value, 'hex')));
    }
    parts.push(CHUNKS_END);
  }
  return Buffer.concat(parts);
}

function decodeContent(what: string, parts: Buffer[]): string {
  if (what === 'list') {
    const decoder = new ListDecoder(100);
    for (const part of parts) decoder.push(part);
    decoder.finish();
    return decoder.entries.map(({ name, stat }) => `${statFields(stat)} name=${hex(name)}`).join(' | ');
  }
  if (what === 'changes') {
    const records: string[] = [];
    const decoder = new ChangesDecoder(100, ({ path, stat, target }) => {
      const end = target === undefined ? '' : ` target=${hex(target)}`;
      records.push(`${statFields(stat)} path=${hex(path)}${end}`);
    });
    for (const part of parts) decoder.push(part);
    decoder.finish();
    return records.join(' | ');
  }
  return decodeFetch(parts);
}

/** Chunks lose their borders on the way; the vectors' are put together for the comparison. */
function decodeFetch(parts: Buffer[]): string {
  const records: string[] = [];
  let content = '';
  const decoder = new FetchDecoder(1 << 20, {
    onContent: (bytes) => {
      content += bytes.toString('hex');
    },
    onEnd: (end) => {
      if (!end.ok) records.push(`errno=${end.errno}`);
      else {
        const flags = yes(end.wasUnstable) | (yes(end.wasCut) << 1);
        const chunk = content === '' ? '' : ` chunk=${content}`;
        records.push(`errno=0 ${statFields(end.stat)}${chunk} endFlags=${flags}`);
      }
      content = '';
    },
  });
  for (const part of parts) decoder.push(part);
  decoder.finish();
  return records.join(' | ');
}
