import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync } from 'node:fs';
import { diagnose } from '../../agent/capture/diagnosis.ts';
import { CaptureError, type Cause } from '../../agent/capture/errors.ts';
import { complaintsIn } from '../../agent/capture/ffmpeg-log.ts';
import { formatSize } from '../../agent/capture/frame-size.ts';
import { parseSource } from '../../agent/capture/source.ts';
import { patientTool } from '../capture/patient-runner.ts';

/** Runs in a machine with vivid, the kernel's camera for tests, and says a line of JSON for each source that it tries. */

interface Tried {
  readonly uri: string;
  /** Format, size and rate that were chosen, or the code of the refusal. */
  readonly chosen: string;
  readonly cause?: Cause | undefined;
  /** What ffmpeg then got: pixel format, size, frames a second. */
  readonly got?: string | undefined;
}

const tell = (tried: Tried) => console.log(JSON.stringify(tried));

async function attempt(uri: string): Promise<void> {
  const source = parseSource(uri, []);
  try {
    const facts = await source.probe(patientTool);
    const { mode } = facts;
    const chosen = `${mode?.format} ${mode?.size && formatSize(mode.size)} ${mode?.rate}`;
    const { options, url } = source.chosenBy(facts).input();
    const args = ['-hide_banner', '-nostdin', ...options, '-i', url, '-frames:v', '2', '-f', 'null', '-'];
    const { code, stderr } = await patientTool({ command: 'ffmpeg', args, stdin: null });
    const [, pixels, size, rate] =
      /Video: rawvideo[^,]*, (\w+)[^,]*, (\d+x\d+).*?, ([\d.]+) fps/.exec(stderr) ?? [];
    const got = code === 0 ? [pixels, size, rate].join(' ') : undefined;
    tell({ uri, chosen, got, cause: diagnose(complaintsIn(stderr, null), source) });
  } catch (error) {
    if (!(error instanceof CaptureError)) throw error;
    tell({ uri, chosen: error.code, cause: error.why });
  }
}

for (const options of ['', '?size=1280x720', '?format=nv12&rate=12.5', '?rate=30000/1001', '?format=gray'])
  await attempt(`v4l2:/dev/video0${options}`);
for (const options of ['?format=mjpeg', '?size=800x600']) await attempt(`v4l2:/dev/video0${options}`);
// What takes pictures instead of giving them, and what is not there.
for (const device of ['/dev/video1', '/dev/video9']) await attempt(`v4l2:${device}`);

const other = spawn('ffmpeg', ['-nostdin', '-f', 'v4l2', '-i', '/dev/video0', '-f', 'null', '-'], {
  stdio: ['ignore', 'ignore', 'pipe'],
});
// It says what it opened once it has.
while (!String((await once(other.stderr, 'data'))[0]).includes('Stream #0:0'));
await attempt('v4l2:/dev/video0?rate=5');
other.kill('SIGKILL');
await once(other, 'close');

chmodSync('/dev/video0', 0o600);
process.setgroups?.([]);
process.setgid?.(65534);
process.setuid?.(65534);
await attempt('v4l2:/dev/video0?rate=1');
