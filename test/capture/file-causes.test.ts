import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { diagnose } from '../../agent/capture/diagnosis.ts';
import type { Cause } from '../../agent/capture/errors.ts';
import { complaintsIn } from '../../agent/capture/ffmpeg-log.ts';
import { parseSource, type Source } from '../../agent/capture/source.ts';
import {
  acceptFile,
  causeOfFile,
  causeWithoutVideo,
  readFileFacts,
} from '../../agent/capture/sources/file-facts.ts';
import { makeFifo } from '../../host/fifo.ts';
import { makeClip } from './capture-process.ts';
import { patientTool as run } from './patient-runner.ts';
import { probedBy } from './refusals.ts';

let room: string;
beforeAll(() => {
  room = mkdtempSync(join(tmpdir(), 'oriel-files-'));
});
afterAll(() => rmSync(room, { recursive: true }));

const probed = (source: Source) => probedBy(run, source);

describe('[FC-75] files, opened by ffprobe', () => {
  const at = (name: string) => join(room, name);
  beforeAll(() => {
    const picture = ['-f', 'lavfi', '-i', 'testsrc2=size=160x120:rate=5', '-t', '2'];
    const clip = (name: string) => readFileSync(makeClip(room, name, [...picture, '-c:v', 'mpeg4']));
    const whole = clip('whole.mp4');
    writeFileSync(at('cut.mp4'), whole.subarray(0, whole.length / 2));
    writeFileSync(at('cut.avi'), clip('whole.avi').subarray(0, 100));
    const matroska = clip('whole.mkv');
    writeFileSync(at('cut.mkv'), matroska.subarray(0, 300));
    writeFileSync(at('cut-early.mkv'), matroska.subarray(0, 200));
    writeFileSync(at('cut.ts'), clip('whole.ts').subarray(0, 200));
    const noise = createHash('shake256', { outputLength: 50_000 }).update('noise').digest();
    for (const name of ['noise.mp4', 'noise.bin']) writeFileSync(at(name), noise);
    writeFileSync(at('zeros.mp4'), Buffer.alloc(50_000));
    writeFileSync(at('text.mp4'), 'My holiday\n');
    writeFileSync(at('empty.mp4'), '');
    writeFileSync(at('denied.mp4'), whole, { mode: 0 });
    mkdirSync(at('directory.mp4'));
    makeFifo(at('fifo.mp4'));
  });

  test('what is cut off begins as a video; what does not is none', async () => {
    const causes = {
      'cut.mp4': 'file-cut',
      'cut.avi': 'file-cut',
      'cut.mkv': 'file-cut',
      'cut-early.mkv': 'file-cut',
      'cut.ts': 'file-unknown',
      'noise.mp4': 'file-unknown',
      'noise.bin': 'file-unknown',
      'zeros.mp4': 'file-unknown',
      'text.mp4': 'file-unknown',
    };
    const found = Object.keys(causes).map(async (name) => {
      const source = parseSource(`file:${at(name)}`, []);
      const result = await probed(source);
      expect(result.code).toBe(1);
      return [name, await source.diagnoseProbe(result, run, acceptFile(at(name)))];
    });
    expect(Object.fromEntries(await Promise.all(found))).toEqual(causes);
  });

  test.each<[Cause | undefined, string]>([
    ['file-missing', 'missing.mp4'],
    ['file-missing', 'whole.mp4/x'],
    ['file-directory', 'directory.mp4'],
    ['file-empty', 'empty.mp4'],
    ['file-irregular', 'fifo.mp4'],
    ['file-irregular', '/dev/null'],
    ['file-irregular', '/dev/zero'],
    [undefined, 'whole.mp4'],
  ])('%s: %s, before ffprobe opens it', (cause, name) => {
    expect(causeOfFile(readFileFacts(name.startsWith('/') ? name : at(name)))).toBe(cause);
  });

  test('ffprobe says the same of a file that vanishes between, and of a directory', async () => {
    for (const [cause, name] of [
      ['file-missing', 'missing.mp4'],
      ['file-directory', 'directory.mp4'],
    ] as const) {
      const source = parseSource(`file:${at(name)}`, []);
      expect(diagnose(complaintsIn((await probed(source)).stderr, null), source)).toBe(cause);
    }
  });

  test('without a stream of any kind it lacks a part, without video it is sound', () => {
    const begins = (text: string) => ({ kind: 'file' as const, size: 99, head: Buffer.from(text) });
    expect(causeWithoutVideo(0, begins('\0\0\0\x20ftypisom'))).toBe('file-cut');
    expect(causeWithoutVideo(0, begins('noise noise noise'))).toBe('file-unknown');
    expect(causeWithoutVideo(1, begins('\0\0\0\x20ftypM4A '))).toBe('no-video');
    expect(causeWithoutVideo(0)).toBe('no-video');
  });

  test('acceptFile refuses with the cause, and without waiting [TM-48]', () => {
    expect(acceptFile(at('whole.mp4'))).toMatchObject({ kind: 'file' });
    expect(() => acceptFile(at('fifo.mp4'))).toThrow(
      expect.objectContaining({ code: 'PROBE_FAILED', why: 'file-irregular' }),
    );
  });

  test('any name is taken as it is, a relative one too', async () => {
    const odd = ['-dash.mp4', 'what?.mp4', 'what?now', 'two words ä€.mp4', '100%.mp4', '%3F%d.mp4'];
    const names = [...odd, "a#b'c|d\\.mp4", 'a:b.mp4'];
    for (const name of names) copyFileSync(at('whole.mp4'), at(name));
    const deployment = process.cwd();
    process.chdir(room);
    try {
      const results = names.map(async (name) => {
        const source = parseSource(`file:${name}?once`, []);
        expect(source).toMatchObject({ path: name });
        expect(causeOfFile(readFileFacts(name))).toBeUndefined();
        const { code, stderr } = await probed(source);
        return [name, code, stderr];
      });
      expect(await Promise.all(results)).toEqual(names.map((name) => [name, 0, '']));
    } finally {
      process.chdir(deployment);
    }
  });

  test('file-denied: a file of another user', () => {
    const script = `import { readFileFacts } from '${join(import.meta.dirname, '../../agent/capture/sources/file-facts.ts')}';
      process.setuid(65534); console.log(readFileFacts('${at('denied.mp4')}').kind);`;
    execFileSync('chmod', ['711', room]);
    const said = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    expect(said.trim()).toBe('denied');
  });
});
