import { mkdirSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { HostRoot } from '../../../src/apply/host-root.ts';
import type { ApplyRecord } from '../../../src/apply/journal.ts';
import { ContentKeeper, readKept } from '../../../src/apply/kept-content.ts';
import { StateStore } from '../../../src/apply/state-store.ts';
import type { HostPath, RelPath } from '../../../src/base/path-bytes.ts';
import { sha256Of } from '../../integration/apply/fixture.ts';
import { temporaryFolder } from '../../support/temp.ts';

function record(id: string): ApplyRecord {
  const root = { path: '/p', dev: '1', ino: '2' };
  const empty = { steps: [], kept: [], createdFolders: [], removedFolders: [] };
  return { version: 1, id, kind: 'apply', session: 's', at: 'now', root, ...empty };
}

describe('StateStore', () => {
  it('keeps records in order, each once, for nobody else to read', () => {
    const state = temporaryFolder();
    const store = new StateStore(state);
    const [one, two] = [record('1'.repeat(16)), record('2'.repeat(16))];
    for (const each of [one, two, one]) store.addRecord(each);
    expect(store.records('s')).toEqual([one, two]);
    const folder = join(state, 'sessions/s/apply/applied');
    expect(readdirSync(folder)).toEqual(['000001.json', '000002.json']);
    expect(statSync(join(folder, '000001.json')).mode & 0o777).toBe(0o600);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  it('never writes over a record, also when an earlier one was moved away or is damaged', () => {
    const state = temporaryFolder();
    const store = new StateStore(state);
    const ids = ['1', '2', '3', '4'].map((digit) => digit.repeat(16));
    const [one, two, three, four] = ids.map(record) as [ApplyRecord, ApplyRecord, ApplyRecord, ApplyRecord];
    for (const each of [one, two]) store.addRecord(each);
    const folder = join(state, 'sessions/s/apply/applied');
    rmSync(join(folder, '000001.json'));
    store.addRecord(three);
    expect(store.records('s')).toEqual([two, three]);
    writeFileSync(join(folder, '000002.json'), '{');
    for (const each of [three, four]) store.addRecord(each);
    expect(readdirSync(folder)).toEqual(['000002.json', '000003.json', '000004.json']);
    expect(() => store.records('s')).toThrow(expect.objectContaining({ code: 'session/damaged' }));
  });

  it('calls a record damaged that is no file', () => {
    const state = temporaryFolder();
    const store = new StateStore(state);
    const folder = join(state, 'sessions/s/apply/applied');
    mkdirSync(join(folder, '000001.json'), { recursive: true });
    expect(() => store.records('s')).toThrow(expect.objectContaining({ code: 'session/damaged' }));
    rmSync(join(folder, '000001.json'), { recursive: true });
    symlinkSync('nowhere', join(folder, '000001.json'));
    expect(() => store.records('s')).toThrow(expect.objectContaining({ code: 'session/damaged' }));
  });

  it('reads its journal back, and has none when it was removed', () => {
    const store = new StateStore(temporaryFolder());
    const journal = { state: 'working' as const, stage: 'x', record: record('3'.repeat(16)) };
    store.writeJournal(journal);
    expect(store.journal(journal.record.root)).toEqual(journal);
    expect(store.journals()).toEqual([journal]);
    store.removeJournal(journal.record.root);
    expect(store.journal(journal.record.root)).toBeUndefined();
    expect(store.journals()).toEqual([]);
  });

  it('says which file it can not understand', () => {
    const state = temporaryFolder();
    const store = new StateStore(state);
    writeFileSync(join(state, 'apply/1-2.journal'), '{"state":"working"}');
    expect(() => store.journals()).toThrow(expect.objectContaining({ code: 'session/damaged' }));
  });

  it('reads the other journals beside one that is damaged', () => {
    const state = temporaryFolder();
    const store = new StateStore(state);
    const journal = { state: 'working' as const, stage: 'x', record: record('3'.repeat(16)) };
    store.writeJournal(journal);
    writeFileSync(join(state, 'apply/3-4.journal'), '');
    const { journals, damaged } = store.surveyJournals();
    expect(journals).toEqual([journal]);
    expect(damaged.map(({ message }) => message)).toEqual([expect.stringContaining('3-4.journal')]);
  });

  it.each(['../x', 'a/b', '', '.', 'a\0b'])('takes %j for no session', (session) => {
    const store = new StateStore(temporaryFolder());
    expect(() => store.records(session)).toThrow(expect.objectContaining({ code: 'usage/bad-argument' }));
  });
});

describe('kept contents', () => {
  it('come back by their SHA-256, each kept once', () => {
    const folder = temporaryFolder();
    const project = join(folder, 'project') as HostPath;
    mkdirSync(project);
    for (const [name, text] of Object.entries({ a: 'one', b: 'two', c: 'one', d: '' })) {
      writeFileSync(join(project, name), text);
    }
    using root = HostRoot.open(project);
    const file = join(folder, 'kept') as HostPath;
    using keeper = new ContentKeeper(file);
    const side = (text: string) => ({
      kind: 'file' as const,
      sha256: sha256Of(Buffer.from(text)),
      executable: false,
    });
    for (const [name, text] of Object.entries({ a: 'one', b: 'two', c: 'one', d: '' })) {
      keeper.keep(root, name as RelPath, side(text));
    }
    expect(() => keeper.keep(root, 'a' as RelPath, side('other'))).toThrow('changed');
    const ranges = keeper.finish();
    expect(ranges).toHaveLength(3);
    for (const text of ['one', 'two', '']) {
      expect(readKept(file, ranges, side(text).sha256).toString()).toBe(text);
    }
    const damaged = expect.objectContaining({ code: 'session/damaged' });
    expect(() => readKept(file, ranges, side('never').sha256)).toThrow(damaged);
    rmSync(file);
    expect(() => readKept(file, ranges, side('one').sha256)).toThrow(damaged);
  });
});
