/** Linux's signal numbers by name; the guest is always Linux, whatever the host is. */
const NAMES = [
  '',
  'HUP',
  'INT',
  'QUIT',
  'ILL',
  'TRAP',
  'ABRT',
  'BUS',
  'FPE',
  'KILL',
  'USR1',
  'SEGV',
  'USR2',
  'PIPE',
  'ALRM',
  'TERM',
  'STKFLT',
  'CHLD',
  'CONT',
  'STOP',
  'TSTP',
  'TTIN',
  'TTOU',
  'URG',
  'XCPU',
  'XFSZ',
  'VTALRM',
  'PROF',
  'WINCH',
  'IO',
  'PWR',
  'SYS',
];

export const SIGINT = 2;
export const SIGTERM = 15;

/** `SIGKILL`, or `signal 40` for one without a name. */
export function signalName(signo: number): string {
  const name = NAMES[signo];
  return name === undefined || name === '' ? `signal ${signo}` : `SIG${name}`;
}
