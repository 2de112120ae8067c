import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CaptureState, readCaptureState, writeCaptureState } from '../../agent/capture/state.ts';
import { type AgentStatus, readStatus, writeStatus } from '../../agent/status.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'oriel-status-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

test('a status that cannot be written ends nothing, and the old one stays', () => {
  const path = join(dir, 'status.json');
  const status = (at: number) => ({ at }) as AgentStatus;
  writeStatus(path, status(1));
  mkdirSync(`${path}.tmp`);
  writeStatus(path, status(2));
  expect(readStatus(path)).toEqual({ at: 1 });
});

test('nor does a state of capture that cannot be written', () => {
  mkdirSync(join(dir, 'capture.json.tmp'));
  writeCaptureState(dir, {} as CaptureState);
  expect(readCaptureState(dir)).toBeNull();
});
