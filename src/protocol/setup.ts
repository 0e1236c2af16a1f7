/** SETUP operations of the wire, see guest/PROTOCOL.md. Paths are guest paths; strings are encoded with `encodePath`. */
export type SetupOperation =
  | { op: 'mkdir'; path: string; mode: number; uid: number; gid: number }
  | { op: 'mount'; source: string; target: string; type: string; flags: number; data: string }
  | { op: 'symlink'; link: string; target: string }
  | { op: 'file'; path: string; mode: number; uid: number; gid: number; bytes: Uint8Array }
  | { op: 'hostname'; name: string }
  | { op: 'loopback' }
  | { op: 'root'; path: string }
  | { op: 'workspace'; path: string; upper: string }
  | { op: 'cgroup'; path: string; pids: number }
  /** Executions keep these capabilities (a bit each) and are held to ordinary system calls. */
  | { op: 'confine'; keep: bigint };
