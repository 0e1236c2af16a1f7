/** Launches a machine, says so, and waits to be killed: run as a process of its own by a test. */
import type { HostPath } from '../../src/base/path-bytes.ts';
import { testQemu, vmSpec } from './vm.ts';

const [cacheDir, runDir] = process.argv.slice(2) as [HostPath, HostPath];
const launched = await testQemu({ cacheDir }).launch(vmSpec(runDir), new AbortController().signal);
console.log('launched');
setInterval(() => launched.restored, 1000);
