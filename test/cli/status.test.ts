import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CaptureState, readCaptureState, writeCaptureState } from '../../agent/capture/status-file.ts';
import { CameraDirectory } from '../../agent/state/camera-directory.ts';
import { type AgentStatus, readStatus, writeStatus } from '../../agent/status/status.ts';
import { StatusFile, statusIsDue } from '../../agent/status/status-file.ts';

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

test.each([
  [{ isNews: true, wasRead: false, sinceMs: 0 }, true],
  [{ isNews: false, wasRead: false, sinceMs: 1_000 }, false],
  [{ isNews: false, wasRead: false, sinceMs: 4_999 }, false],
  [{ isNews: false, wasRead: false, sinceMs: 5_000 }, true],
  [{ isNews: false, wasRead: true, sinceMs: 1_000 }, true],
])('with %j the status is written: %j', (age, due) => {
  expect(statusIsDue(age)).toBe(due);
});

test('an agent knows whether its status was read since it wrote it', () => {
  const file = new StatusFile(new CameraDirectory(dir, dir));
  expect(file.wasRead).toBe(false);
  file.write({ at: 1 } as AgentStatus);
  expect(file.wasRead).toBe(false);
  const path = join(dir, 'status.json');
  // As its reading leaves it, on a file system that keeps times of access.
  const { mtimeMs } = statSync(path);
  utimesSync(path, mtimeMs / 1000 + 1, mtimeMs / 1000);
  expect(file.wasRead).toBe(true);
  file.write({ at: 2 } as AgentStatus);
  expect(file.wasRead).toBe(false);
  expect(readStatus(path)).toEqual({ at: 2 });
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

  test('a FIFO [TM-48]', () => {
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
