import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
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

test.each([
  ['a FIFO', (path: string) => execFileSync('mkfifo', [path])],
  ['a symbolic link', (path: string) => symlinkSync(`${path}.elsewhere`, path)],
  ['a file without end', (path: string) => writeFileSync(path, JSON.stringify('x'.repeat(300_000)))],
])('%s in its place makes nobody wait, and is no status', (_what, put) => {
  const path = join(dir, 'status.json');
  writeFileSync(`${path}.elsewhere`, '{"at":1}');
  put(path);
  const held = openSync(path, constants.O_RDWR);
  if (_what === 'a FIFO') writeSync(held, '{"at":1}');
  expect(readStatus(path)).toBeUndefined();
  closeSync(held);
});

test('nor does a state of capture that cannot be written', () => {
  mkdirSync(join(dir, 'capture.json.tmp'));
  writeCaptureState(dir, {} as CaptureState);
  expect(readCaptureState(dir)).toBeNull();
});

describe("what capture's user puts in place of its state makes nobody wait, and leads nowhere", () => {
  const state = {
    state: 'running',
    run: 1,
    source: 'test:',
    mode: null,
    encoder: null,
    restarts: {
      exited: 0,
      stalled: 0,
      rubbish: 0,
      gop: 0,
      time: 0,
      replanned: 0,
      unread: 0,
      superseded: 0,
      unprobed: 0,
      redirected: 0,
    },
    lastError: null,
    givenUp: [] as CaptureState['givenUp'],
    pid: null,
    since: 0,
  } as const;
  const invalid = expect.objectContaining({ code: 'STATE_INVALID' });

  test('a FIFO', () => {
    const path = join(dir, 'capture.json');
    execFileSync('mkfifo', [path]);
    // Held open and filled, so that a build that reads it fails here instead of waiting.
    const fifo = openSync(path, constants.O_RDWR);
    writeSync(fifo, JSON.stringify(state));
    expect(() => readCaptureState(dir)).toThrow(invalid);
    closeSync(fifo);
  });

  test('a symbolic link', () => {
    const elsewhere = join(dir, 'elsewhere.json');
    writeFileSync(elsewhere, JSON.stringify(state));
    symlinkSync(elsewhere, join(dir, 'capture.json'));
    expect(() => readCaptureState(dir)).toThrow(invalid);
  });

  test('control: as a file it is read', () => {
    writeCaptureState(dir, state);
    expect(readCaptureState(dir)).toEqual(state);
  });
});
