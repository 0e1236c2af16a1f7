/** Launches a machine, runs a shell command in it as the person who started this, and prints what it said. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import type { HostPath } from '../../src/base/path-bytes.ts';
import { openGuest } from '../../src/guest/client.ts';
import { testQemu, vmSpec } from './vm.ts';

const [cacheDir, folder, command] = process.argv.slice(2) as [HostPath, HostPath, string];
const runDir = `${folder}/run` as HostPath;
mkdirSync(runDir, { mode: 0o700 });
const spec = vmSpec(runDir, `${folder}/project` as HostPath);
await using launched = await testQemu({ cacheDir, accel: 'tcg' }).launch(spec, new AbortController().signal);
const guest = await openGuest(launched.channel, { restored: launched.restored });
await guest.setup(launched.setup);
const running = await guest.spawn({
  argv: ['/bin/sh', '-c', command],
  env: launched.info.env,
  cwd: spec.workspace,
  uid: spec.uid,
  gid: spec.gid,
  mergeStderr: true,
  onOutput: (chunk) => {
    process.stdout.write(chunk);
  },
});
await running.ended;
const status = execFileSync('ps', ['-eo', 'uid,args'], { encoding: 'utf8' });
const machine = status.split('\n').filter((line) => line.includes(`${runDir} /run/vm`));
process.stdout.write(`processes of uid ${machine[0]?.trim().split(' ')[0]}\n`);
