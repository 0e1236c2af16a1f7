import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  writeFileSync,
} from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, expect, test } from 'vitest';
import { SYSTEM_PATH } from '../../src/backends/programs.ts';
import { delay } from '../../src/base/lifetime.ts';
import type { HostPath } from '../../src/base/path-bytes.ts';
import { prepareKernel } from '../../src/image/kernel.ts';
import type { SetupOperation } from '../../src/protocol/setup.ts';
import { asOrdinaryUser } from '../support/ordinary-user.ts';
import { temporaryFolder } from '../support/temp.ts';
import { smallMachine, testCache, testQemu, vmOrSkip, vmSpec } from '../support/vm.ts';
import { startVm } from '../support/vm-sandbox.ts';

// The first preparation on a machine fetches a kernel and boots once.
beforeEach((context) => vmOrSkip(context), 300_000);

/** Processes of this machine whose command line names the text. */
function processesNaming(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(text);
      } catch {
        // Gone between the listing and the look.
        return false;
      }
    })
    .map(Number);
}

async function untilGone(text: string): Promise<number[]> {
  for (let tries = 0; tries < 200 && processesNaming(text).length > 0; tries++) await delay(50);
  return processesNaming(text);
}

test('a machine boots from its kernel when saved states are off', async () => {
  const { launched, guest, sh } = await startVm(testQemu({ useSavedStates: false }));
  expect(launched.restored).toBe(false);
  expect(guest.hello.hasPid1).toBe(true);
  expect((await sh('cat a.txt')).text).toBe('content of a\n');
});

test('a machine starts from a saved state and shows the project, the toolchain and a clock that is right', async () => {
  const { launched, sh } = await startVm();
  expect(launched.restored).toBe(true);
  expect((await sh('cat a.txt')).text).toBe('content of a\n');
  expect((await sh('rg --version')).text).toContain('ripgrep');
  const seconds = Number((await sh('date +%s')).text);
  expect(Math.abs(seconds - Date.now() / 1000)).toBeLessThan(120);
});

test("the guest's clock keeps the host's pace", async () => {
  const { sh } = await startVm();
  const look = async () => ({ guest: Number((await sh('date +%s.%N')).text), host: Date.now() / 1000 });
  const start = await look();
  await sh('sleep 4');
  const end = await look();
  const pace = (end.guest - start.guest) / (end.host - start.host);
  // A rate that is told wrongly is off by half or more; a busy host moves this by a few hundredths.
  expect(pace).toBeGreaterThan(0.7);
  expect(pace).toBeLessThan(1.4);
});

test('two machines from one saved state run at once and differ in name, machine id and randomness', async () => {
  const [one, two] = await Promise.all([startVm(), startVm()]);
  const look = 'cat /etc/machine-id /etc/hostname; head -c 16 /dev/urandom | od -An -tx1';
  const [first, second] = await Promise.all([one.sh(look), two.sh(look)]);
  expect(new Set([...first.text.trim().split('\n'), ...second.text.trim().split('\n')]).size).toBe(6);
  await one.sh('echo changed > a.txt');
  expect((await two.sh('cat a.txt')).text).toBe('content of a\n');
});

test('the guest has no network but loopback, and nothing of the host but the toolchain', async () => {
  const { guest, sh } = await startVm();
  const probe = await guest.probe(9);
  expect(probe.otherInterfaces).toBe(0);
  expect(probe.routes).toBe(0);
  const canary = `${temporaryFolder()}/canary`;
  writeFileSync(canary, 'of the host');
  expect((await sh(`cat ${canary}`)).exitCode).not.toBe(0);
  expect((await sh('cat /etc/shadow; ls -A /root /mnt /srv')).text).not.toMatch(/root:[x*!$]|id_/);
  expect((await sh('ls -A /home')).text).toBe('dev\n');
  expect((await sh('ls -A /home/dev')).text).toBe('project\n');
});

test("the guest's root can write neither to the toolchain nor to the project's image on the host", async () => {
  // What the guest mounts read-only is the guest's own affair: here it mounts the toolchain writable, where it can reach it.
  const { sh, runDir } = await startVm(testQemu(), (operations) =>
    operations.flatMap((operation): SetupOperation[] => {
      if (operation.op !== 'mount') return [operation];
      if (operation.type === '9p') return [{ ...operation, flags: 0 }];
      const reach = {
        op: 'mount',
        source: '/tree-ro',
        target: '/newroot/m',
        type: '',
        flags: 4096,
        data: '',
      } as const;
      return operation.target === '/newroot' ? [operation, reach] : [operation];
    }),
  );
  const attack = await sh(
    'cd /m; echo x > usr/bin/safe-coder-canary; echo x > etc/passwd; ln -s /x etc/canary; rm etc/group; chmod 4777 usr/bin/env; mknod null c 1 3',
  );
  expect(attack.text.match(/Read-only file system/g)).toHaveLength(6);
  expect((await sh('ls /m/etc/passwd /m/etc/group')).exitCode).toBe(0);
  expect(existsSync('/usr/bin/safe-coder-canary')).toBe(false);
  const image = `${runDir}/project.erofs`;
  const before = firstBlock(image);
  expect((await sh('dd if=/dev/zero of=/dev/vda bs=4096 count=1 conv=fsync')).exitCode).not.toBe(0);
  expect(firstBlock(image)).toBe(before);
});

function firstBlock(file: string): string {
  const fd = openSync(file, 'r');
  try {
    const block = Buffer.alloc(4096);
    readSync(fd, block, 0, block.length, 0);
    return block.toString('hex');
  } finally {
    closeSync(fd);
  }
}

test('packages can change the root: what is written to it is seen by later executions', async () => {
  const { sh } = await startVm();
  expect((await sh('echo "#!/bin/sh\necho mine" > /usr/bin/mine && chmod +x /usr/bin/mine')).exitCode).toBe(
    0,
  );
  expect((await sh('mine; echo > /etc/mine.conf; rm /usr/bin/env; ls /usr/bin/env')).text).toMatch(
    /^mine\n.*No such file/,
  );
});

test('a full disk is an error inside, and the machine goes on', async () => {
  const { sh } = await startVm();
  const fill = await sh('fallocate -l 900M most; dd if=/dev/urandom of=rest bs=1M count=300');
  expect(fill.text).toContain('No space left on device');
  expect((await sh('rm most rest; echo again > small; cat small')).text).toBe('again\n');
});

test('when the machine is killed while an execution runs, the call reports the guest as lost', async () => {
  const { launched, guest } = await startVm();
  const running = await guest.spawn({
    argv: ['/bin/sleep', '600'],
    env: launched.info.env,
    cwd: '/',
    uid: 0,
    gid: 0,
    onOutput: () => undefined,
  });
  const outcome = running.ended.then(
    () => 'ended',
    (error: { code?: string }) => error.code,
  );
  await launched.end();
  expect(await outcome).toBe('guest/lost');
  expect(await launched.ended).toContain('QEMU ended');
});

test('nothing is left of ten machines that were started and ended in a row', async () => {
  const backend = testQemu();
  for (let count = 0; count < 10; count++) {
    const runDir = temporaryFolder();
    const launched = await backend.launch(vmSpec(runDir), new AbortController().signal);
    expect(processesNaming(runDir).length).toBeGreaterThan(0);
    await launched.end();
    expect(processesNaming(runDir)).toEqual([]);
  }
});

test('a cancelled launch leaves nothing running', async () => {
  const runDir = temporaryFolder();
  const controller = new AbortController();
  const launch = testQemu({ useSavedStates: false }).launch(vmSpec(runDir), controller.signal);
  setTimeout(() => controller.abort(), 20);
  const outcome = await launch.then(
    async (launched) => {
      await launched.end();
      return 'launched';
    },
    (error: { code?: string }) => error.code,
  );
  expect(['cancelled', 'launched']).toContain(outcome);
  expect(processesNaming(runDir)).toEqual([]);
});

test('the jail and the machine die with the process that started them, even by SIGKILL', async () => {
  const runDir = temporaryFolder();
  const script = fileURLToPath(new URL('../support/launch-and-wait.ts', import.meta.url));
  const child = spawn(process.execPath, [script, testCache(), runDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  expect(processesNaming(runDir).length).toBeGreaterThan(1);
  child.kill('SIGKILL');
  expect(await untilGone(runDir)).toEqual([]);
});

test('a damaged saved state is removed, and the machine starts without it', async () => {
  const cacheDir = `${temporaryFolder()}/cache` as HostPath;
  const warnings: string[] = [];
  execFileSync('cp', ['-a', '--sparse=always', testCache(), cacheDir]);
  const states = `${cacheDir}/states`;
  // Those of other versions and sizes may be there too; one of them is this machine's.
  const before = readdirSync(states).filter((name) => /^[0-9a-f]{32}$/.test(name));
  for (const name of before) {
    const devices = readFileSync(`${states}/${name}/devices`);
    devices.fill(0xff, 4096, 8192);
    writeFileSync(`${states}/${name}/devices`, devices);
    // As if it had been written so: what is damaged is found by QEMU, not by us.
    const manifest = JSON.parse(readFileSync(`${states}/${name}/manifest.json`, 'utf8'));
    manifest.devicesSha256 = createHash('sha256').update(devices).digest('hex');
    writeFileSync(`${states}/${name}/manifest.json`, JSON.stringify(manifest));
  }
  const { launched, sh } = await startVm(
    testQemu({ cacheDir, onWarning: (message) => warnings.push(message) }),
  );
  expect(launched.restored).toBe(false);
  expect(warnings.join()).toContain('booted instead of restored');
  expect((await sh('cat a.txt')).text).toBe('content of a\n');
  expect(before.filter((name) => !existsSync(`${states}/${name}`))).toHaveLength(1);
});

test('a jail that stopped working since it was tried is told of with its mend, and costs no saved state', async () => {
  const folder = temporaryFolder();
  const script = `[ ! -e ${folder}/broken ] || { echo "bwrap: no namespace" >&2; exit 1; }; exec /usr/bin/bwrap "$@"`;
  writeFileSync(`${folder}/bwrap`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const warnings: string[] = [];
  const options = {
    path: `${folder}:${SYSTEM_PATH}`,
    onWarning: (message: string) => warnings.push(message),
  };
  expect(await testQemu(options).missing()).toBeUndefined();
  await testQemu(options).prepare(smallMachine);
  const states = readdirSync(`${testCache()}/states`);
  writeFileSync(`${folder}/broken`, '');
  const launch = testQemu(options).launch(vmSpec(temporaryFolder()), new AbortController().signal);
  const said = { code: 'backend/unavailable', hint: expect.stringContaining('userns') };
  await expect(launch).rejects.toMatchObject(said);
  expect(readdirSync(`${testCache()}/states`)).toEqual(expect.arrayContaining(states));
  expect(warnings).toEqual([]);
});

test('an ordinary user can do all of it, with a cache of their own', (context) => {
  if (process.getuid?.() !== 0) context.skip('needs root, to become somebody else');
  const nobody = 65534;
  const folder = temporaryFolder();
  execFileSync('cp', ['-a', '--sparse=always', testCache(), `${folder}/cache`]);
  mkdirSync(`${folder}/project`);
  writeFileSync(`${folder}/project/a.txt`, 'content of a\n');
  execFileSync('chown', ['-R', `${nobody}:${nobody}`, folder]);
  const script = fileURLToPath(new URL('../support/launch-and-run.ts', import.meta.url));
  const command =
    'id -u; cat a.txt; echo more >> a.txt; wc -l < a.txt; touch /usr/canary || echo refused; rg --version | head -1';
  const [file = '', ...argv] = [
    ...asOrdinaryUser(),
    process.execPath,
    script,
    `${folder}/cache`,
    folder,
    command,
  ];
  const run = spawnSync(file, argv, {
    env: { PATH: process.env.PATH, HOME: folder },
    encoding: 'utf8',
  });
  expect(run.stderr).toBe('');
  const lines = run.stdout.trim().split('\n');
  expect(lines.slice(0, 3)).toEqual([String(nobody), 'content of a', '2']);
  expect(lines.slice(-2)).toEqual([expect.stringContaining('ripgrep'), `processes of uid ${nobody}`]);
  expect(processesNaming(folder)).toEqual([]);
}, 180_000);

test('the kernel that was fetched starts directly, without unpacking itself first', async () => {
  const kernel = await prepareKernel({ cacheDir: testCache(), env: {} });
  expect(kernel.kernel).toMatch(/\/vmlinux$/);
  expect(kernel.modules.map((file) => basename(file)).join()).toMatch(/virtio_mmio.*erofs.*ext4/);
});
