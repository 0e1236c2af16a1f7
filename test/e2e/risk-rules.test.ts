import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { jsonLines, runCli } from '../support/cli.ts';
import { makeProject, writeReplay } from '../support/project.ts';
import { temporaryFolder } from '../support/temp.ts';

it('risk rules of the user and of the project hold back what they name, from what is said to be safe', async () => {
  const home = temporaryFolder();
  const project = makeProject(home, {
    'src/a.ts': 'export const a = 1;\n',
    'db/schema.sql': 'create table a;\n',
    'notes.txt': 'one\n',
    '.safe-coder.jsonc': '{"risk": {"rules": [{"match": "*.txt", "reason": "is read aloud"}]}}',
  });
  const settings = join(home, 'settings.jsonc');
  writeFileSync(
    settings,
    '{"risk": {"rules": [{"match": "db/", "reason": "drops a table", "contains": ["drop table"]}]}}',
  );
  const replay = join(home, 'conversation.jsonl');
  const command =
    'echo "drop table a;" >> db/schema.sql; echo two >> notes.txt; echo "// more" >> src/a.ts; echo "create table b;" > db/b.sql';
  writeReplay(replay, [{ calls: [{ tool: 'bash', input: { command } }] }, { text: 'Done.' }]);
  const result = await runCli(
    [
      'run',
      'work',
      '--demo',
      '--json',
      '--apply',
      'safe',
      '--config',
      settings,
      '--model',
      `replay/${replay}`,
    ],
    { home, cwd: project },
  );
  expect(result.code, result.stderr).toBe(0);
  const end = jsonLines(result.stdout).find(({ type }) => type === 'session.end');
  const changes = end?.changes as { path: string; risk: string[] }[];
  expect(Object.fromEntries(changes.map(({ path, risk }) => [path, risk]))).toMatchObject({
    'db/schema.sql': ['drops a table'],
    'notes.txt': ["the project's own rule: is read aloud"],
  });
  expect(end?.applied).toEqual(['db/b.sql', 'src/a.ts']);
  expect(existsSync(join(project, 'db/b.sql'))).toBe(true);
  expect(readFileSync(join(project, 'notes.txt'), 'utf8')).toBe('one\n');
  expect(readFileSync(join(project, 'db/schema.sql'), 'utf8')).toBe('create table a;\n');
});
