import type { Telemetry } from '../../wire/telemetry.ts';

/** A camera that is well. */
export const telemetry = (changes: Partial<Telemetry> = {}): Telemetry => ({
  at: 1_790_000_000_000,
  clock: 'machine',
  state: 'running',
  versions: { oriel: '0.1.0', node: '26.10.0' },
  uptimeSeconds: 61.5,
  footage: {
    capturedSeconds: 60,
    acknowledgedSeconds: 54.2,
    heldSeconds: 5.8,
    droppedSeconds: 0,
    skippedSeconds: 0,
    interruptedSeconds: 0,
    heldBytes: 123_456,
    spooledBytes: 0,
  },
  restarts: { agent: 0, capture: 2 },
  capture: 'running',
  upload: { connected: true, retries: 1, reconnects: 0 },
  machine: { temperature: 48.3, diskFreeBytes: 10e9, memoryFreeBytes: 200e6, agentMemoryBytes: 80e6 },
  messagesDropped: 0,
  ...changes,
});
