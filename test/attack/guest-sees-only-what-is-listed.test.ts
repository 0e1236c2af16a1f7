import { readFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { beforeEach, expect, test } from 'vitest';
import { vmOrSkip } from '../support/vm.ts';
import { startVm } from '../support/vm-sandbox.ts';

beforeEach((context) => vmOrSkip(context), 300_000);

const LOOK = `
echo "# mounts"; sort -u /proc/mounts
echo "# users"; cut -d: -f1,3 /etc/passwd | grep -v "^user:\\|^root:" | sort
echo "# block devices"; cat /proc/partitions | awk 'NR > 2 { print $4, $3 }'
echo "# devices"; find /dev -type c -o -type b | grep -v "/pts/\\|/dev/tty[0-9S]\\|/dev/vcs" | sort
echo "# buses"; ls /sys/bus/virtio/drivers /sys/bus/pci/devices /sys/class/net /sys/class/dmi/id 2>/dev/null | sort
echo "# environment"; env | sort | grep -v "^_=\\|^PWD=\\|^SHLVL=\\|^OLDPWD="
echo "# kernel"; cat /proc/cmdline
echo "# processor"; grep -m1 "model name" /proc/cpuinfo
echo "# names"; hostname; cat /etc/hosts
echo "# homes"; ls -A /home /root /mnt /media /srv /opt /boot 2>/dev/null
echo "# routes"; cat /proc/net/route | wc -l
echo "# sockets"; awk 'NR > 1 && NF > 7' /proc/net/unix | wc -l
`;

/** What differs from machine to machine, and says nothing: numbers made up, versions. */
function normalise(text: string): string {
  return text
    .replace(/sandbox-[0-9a-f]+/g, 'sandbox-ID')
    .replace(/tsc_early_khz=\d+/, 'tsc_early_khz=N')
    .replace(/\b(size|nr_inodes)=\d+k?/g, '$1=N')
    .replace(/^(PATH=).*?(\/usr\/)/m, '$1$2')
    .replace(/^HOME=.*$|^USER=.*$|^LOGNAME=.*$/gm, (line) => `${line.split('=')[0]}=OWN`);
}

test('the guest sees of the host what is listed here, and nothing else', async () => {
  const { sh } = await startVm();
  const { text } = await sh(LOOK);
  expect(normalise(text)).toBe(readFileSync(new URL('guest-view.txt', import.meta.url), 'utf8'));
});

test("no name of the host, of its user or of the program's own folders is anywhere a guest looks first", async () => {
  const { sh, runDir } = await startVm();
  const { text } = await sh(
    `${LOOK}; dmesg; cat /proc/*/environ /proc/*/cmdline /proc/config.gz /etc/* 2>/dev/null | tr '\\0' '\\n'`,
  );
  expect(text.length).toBeGreaterThan(1000);
  const { username } = userInfo();
  const secrets = [
    runDir,
    ...(username === 'root' ? [] : [username]),
    ...(hostname().length > 4 ? [hostname()] : []),
  ];
  for (const secret of secrets) expect(text).not.toContain(secret);
});
