import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { diagnose } from '../../agent/capture/diagnosis.ts';
import { complaintsIn } from '../../agent/capture/ffmpeg-log.ts';
import type { RunFfmpeg } from '../../agent/capture/ffmpeg-runner.ts';
import { parseSource } from '../../agent/capture/source.ts';
import { readFileFacts } from '../../agent/capture/sources/file-facts.ts';
import { collect } from '../../host/child.ts';
import { makeClip } from '../capture/capture-process.ts';
import { causesOfRefusals, probedBy, REFUSALS } from '../capture/refusals.ts';
import { copyDebian } from './debian.ts';

/** The words of the other ffmpeg that Oriel is tried with, 7.1: what everyday tests ask of this machine's. */

const MINUTES = 60_000;
const CHROOT = '/usr/sbin/chroot';
let room: string;
let debian: string;

/** ffmpeg of a Debian in a directory, with this machine's network. */
const run: RunFfmpeg = async ({ command, args, stdin }) => {
  const [program = '', ...first] = process.getuid?.() === 0 ? [CHROOT] : ['sudo', CHROOT];
  const { code, stdout, stderr } = await collect(program, [...first, debian, command, ...args], {
    stdin: stdin ?? undefined,
    timeoutMs: 4 * MINUTES,
    maxBytes: 1 << 20,
    signal: new AbortController().signal,
  });
  return { code, stdout: stdout.toString('latin1'), stderr };
};

beforeAll(() => {
  room = mkdtempSync(join(tmpdir(), 'oriel-words-'));
  debian = join(room, 'debian');
  copyDebian(debian, 'trixie', ['ffmpeg', 'libatomic1']);
}, 10 * MINUTES);
afterAll(() => rmSync(room, { recursive: true, force: true }));

test('[FC-75] it is another version', async () => {
  const { stdout } = await run({ command: 'ffmpeg', args: ['-version'], stdin: null });
  expect(stdout).toMatch(/^ffmpeg version 7\.1/);
});

test('[FC-75] each refusal of a network camera has its cause', async () => {
  // This one says that it waits in vain, or as the other that what came is nothing: one way out for both.
  const alike = (cause: unknown) => (cause === 'not-rtsp' ? 'host-silent' : cause);
  const expected = REFUSALS.map(([cause, what]) => [alike(cause), what, 1]);
  const came = await causesOfRefusals(run);
  expect(came.map(([cause, ...rest]) => [alike(cause), ...rest])).toEqual(expected);
});

test('[FC-75] so has each file, and each device', async () => {
  const whole = readFileSync(makeClip(room, 'whole.mp4', ['-f', 'lavfi', '-i', 'testsrc2', '-t', '1']));
  const files = {
    'cut.mp4': ['file-cut', whole.subarray(0, whole.length / 2)],
    'noise.mp4': ['file-unknown', Buffer.from('no film '.repeat(1000))],
  } as const;
  for (const [name, [cause, bytes]] of Object.entries(files)) {
    writeFileSync(join(debian, 'tmp', name), bytes);
    const source = parseSource(`file:/tmp/${name}`, []);
    const facts = readFileFacts(join(debian, 'tmp', name));
    expect([name, await source.diagnoseProbe(await probedBy(run, source), run, facts)]).toEqual([
      name,
      cause,
    ]);
  }
  copyFileSync(join(room, 'whole.mp4'), join(debian, 'tmp/what?.mp4'));
  expect(await probedBy(run, parseSource('file:/tmp/what?.mp4', []))).toMatchObject({ code: 0 });
  mkdirSync(join(debian, 'tmp/directory.mp4'));
  for (const [cause, uri] of [
    ['file-directory', 'file:/tmp/directory.mp4'],
    ['file-missing', 'file:/tmp/missing.mp4'],
    ['device-missing', 'v4l2:/dev/video987'],
  ] as const) {
    const source = parseSource(uri, []);
    expect(diagnose(complaintsIn((await probedBy(run, source)).stderr, null), source)).toBe(cause);
  }
});
