/** Safe Coder as a library: sessions in sandboxes, for programs of your own. What is exported here is kept stable. */
export type { Backend, Launched, LaunchSpec } from './backends/backend.ts';
export { createDemoBackend } from './backends/demo/demo-backend.ts';
export { createQemuBackend, type QemuOptions } from './backends/qemu/qemu-backend.ts';
export { EXIT, SafeCoderError } from './base/errors.ts';
export type { ChangeSummary, IsolationInfo, SafeCoderEvent, Usage } from './base/events.ts';
export type { Settings } from './config/schema.ts';
export { openLedger } from './ledger/reader.ts';
export { createModel, type ModelOptions } from './providers/create-model.ts';
export type { Model } from './providers/model.ts';
export { createReplayModel } from './providers/replay-model.ts';
export { decideAll, decideByPatterns } from './review/select.ts';
export { Session } from './session/session.ts';
export type { SessionOptions } from './session/session-parts.ts';
