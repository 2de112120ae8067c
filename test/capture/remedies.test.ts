import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { planCamera } from '../../agent/pairing/plan-camera.ts';
import { CameraDirectory } from '../../agent/state/camera-directory.ts';
import { unpairedStatus, writeStatus } from '../../agent/status/status.ts';
import { makeFifos } from '../../launcher/privilege-separation.ts';
import { ORIEL } from '../../scripts/demonstration/oriel-command.ts';
import { commandsNamedIn } from '../repository/named-commands.ts';
import { runCommand, wordsOf } from '../repository/run-command.ts';
import { credentialsOf } from '../sources/credentials.ts';
import { openNetworkCamera } from '../sources/network-camera.ts';
import { type CaptureRig, flows, makeClip, openCaptureRig, type SeenRun, until } from './capture-process.ts';

/** What the status advises about a source that is not filmed, done in that state, until its video flows. */

const PATTERN = 'test:?size=320x240&rate=25';
const PICTURE = ['-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=25', '-t', '1'];
const H264 = ['-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-g', '25', '-bf', '0'];
const PIN = `sha256/${Buffer.alloc(32, 7).toString('base64')}`;
const BLIND_MS = 31_000;

let room: string;
let directory: CameraDirectory;
let line: CaptureRig;
let runs: SeenRun[];
const at = (name: string) => join(room, name);
const state = () => ['--firewall-state', at('firewall')];

/** A camera of `oriel camera init`, and the agent's end of its FIFOs. */
async function openCamera(source: string, ...more: string[]): Promise<void> {
  const server = ['--server', 'https://home.test', '--pin', PIN, '--owner', 'A'.repeat(43)];
  await runCommand('camera', 'init', at('camera'), ...server, '--source', source, ...more, ...state());
  directory = new CameraDirectory(at('camera'));
  makeFifos(directory);
  line = openCaptureRig(directory.captureRun);
  ({ runs } = line.startAgent());
}
beforeEach(() => {
  room = mkdtempSync(join(tmpdir(), 'oriel-source-'));
});
afterEach(async () => {
  await line.close();
  rmSync(room, { recursive: true });
});

/** Starts capture with what the camera's configuration says now. */
const film = async () => line.startCapture((await planCamera(directory.path)).capture);

interface Shown {
  readonly code: string;
  readonly text: string;
  readonly wayOut?: string;
}

/** The concerns that `oriel camera status` shows of an agent that has recorded for so long. */
async function shown(sinceMs = BLIND_MS): Promise<Shown[]> {
  const at = Date.now();
  const lastFragmentAt = flows(runs.at(-1)) ? at : undefined;
  const status = { ...unpairedStatus(at, at - sinceMs), state: 'running' as const, lastFragmentAt };
  writeStatus(directory.status, status);
  const json = await runCommand('camera', 'status', directory.path, '--json').catch((error: Error) =>
    error.message.replace(/^exit code \d+: /, ''),
  );
  return JSON.parse(json).concerns;
}

/** The concern of that code and, from its own text, the commands that it advises. */
async function advised(code: string): Promise<Shown & { readonly commands: string[] }> {
  const concern = (await shown()).find((each) => each.code === code);
  if (concern === undefined) throw new Error(`${code} is not shown`);
  return { ...concern, commands: commandsNamedIn(concern.wayOut ?? '') };
}

const follow = (advice: string | undefined, places: Record<string, string>) =>
  runCommand(...wordsOf(advice ?? '', places, state()));

/** It films, and its status has nothing more to say. */
async function filmsWell(): Promise<void> {
  await until('its video flows', () => flows(runs.at(-1)));
  expect(await shown()).toEqual([]);
}

test.each<[string, () => { source: string; other: () => string }]>([
  ['REM-PROBE_FAILED', () => ({ source: `file:${at('missing.mp4')}`, other: () => PATTERN })],
  [
    'REM-NO_VIDEO',
    () => {
      writeFileSync(at('words.srt'), '1\n00:00:00,000 --> 00:00:01,000\nwords\n');
      return { source: `file:${at('words.srt')}`, other: () => PATTERN };
    },
  ],
  [
    'REM-CODEC_REFUSED',
    () => {
      const clip = makeClip(room, 'old.avi', [...PICTURE, '-vf', 'scale=160:-2,fps=5', '-c:v', 'cinepak']);
      // As the message advises.
      const made = () => `file:${makeClip(room, 'new.mp4', ['-i', clip, ...H264])}?loop`;
      return { source: `file:${clip}`, other: made };
    },
  ],
])('[%s] [REM-CAPTURE_FAILED] a file that cannot be played: another source', async (id, bring) => {
  const code = id.slice('REM-'.length);
  const { source, other } = bring();
  await openCamera(source);
  await expect((await film()).ended).rejects.toMatchObject({ code });
  const { text, commands } = await advised('CAPTURE_FAILED');
  expect(text).toContain(`capture: ${code}: `);
  if (code === 'CODEC_REFUSED') expect(text).toContain('have it made with H.264 and AAC');
  await follow(commands[0], { SOURCE: other() });
  await film();
  await filmsWell();
});

test('[REM-SOURCE_SILENT] a V4L2 camera that was to bring sound: the same again, and without', async () => {
  const device = 'v4l2:/dev/video987';
  await openCamera(PATTERN, '--audio');
  const config = { ...directory.readConfig(), owner: 'A'.repeat(43), source: device };
  writeFileSync(directory.config, JSON.stringify(config));
  await expect((await film()).ended).rejects.toMatchObject({ code: 'SOURCE_SILENT' });
  const { commands } = await advised('CAPTURE_FAILED');
  await follow(commands[0], { SOURCE: device });
  await film();
  // It is opened now, though none is there.
  await until('capture tries the device', () => line.state().lastError?.code === 'unprobed');
  const again = ['camera', 'init', at('other'), '--server', 'https://home.test', '--pin', PIN, '--audio'];
  await expect(
    runCommand(...again, '--owner', 'A'.repeat(43), '--source', device, ...state()),
  ).rejects.toMatchObject({ code: 'USAGE', message: expect.stringContaining('leave the option out') });
});

test('[REM-NO_PICTURE] a camera that is not there: which, and how to give another', async () => {
  await openCamera('v4l2:/dev/video987');
  const { stop, ended } = await film();
  await until('capture has tried', () => line.state().restarts.unprobed > 0);
  const { text: shown, commands } = await advised('NO_PICTURE');
  expect(shown).toContain('the device does not exist');
  expect(commands[0]).toMatch(/camera source /);
  const said = await runCommand('camera', 'selfcheck', directory.path, '--json').catch(
    (error) => error.message,
  );
  const { findings } = JSON.parse(said.replace(/^exit code \d+: /, ''));
  const { text, wayOut } = findings.find(({ check }: { check: string }) => check === 'source');
  expect(text).toContain('v4l2:/dev/video987: the device does not exist');
  stop();
  await ended;
  await follow(commandsNamedIn(wayOut)[0], { SOURCE: PATTERN });
  await film();
  await filmsWell();
});

test('[REM-SOURCE_REDIRECTED] a network camera that has moved: its new address', async () => {
  const clip = makeClip(room, 'clip.mp4', [...PICTURE, ...H264]);
  const credentials = credentialsOf('eve:pw', 'basic');
  const moved = await openNetworkCamera({ file: clip, faults: { credentials } });
  const address = `127.0.0.1:${moved.port}`;
  const former = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (request) => {
      const [, sequence = ''] = /^CSeq: *(\d+)/im.exec(String(request)) ?? [];
      const status = String(request).startsWith('OPTIONS') ? '200 OK' : '302 Moved';
      socket.write(
        `RTSP/1.0 ${status}\r\nCSeq: ${sequence}\r\nPublic: DESCRIBE\r\nLocation: rtsp://${address}/x\r\n\r\n`,
      );
    });
  });
  await once(former.listen(0, '127.0.0.1'), 'listening');
  try {
    const { port } = former.address() as AddressInfo;
    await openCamera(`rtsp://eve:pw@127.0.0.1:${port}/x`, '--lan', `127.0.0.1:${port}`);
    const { stop, ended } = await film();
    await until('it is sent elsewhere', () => line.state().lastError?.code === 'redirected');
    await until('capture waits', () => line.state().state === 'backoff');
    const { text, commands } = await advised('CAPTURE_RESTARTS');
    expect(text).toContain(`Redirecting to rtsp://${address}/x`);
    expect((await advised('NO_PICTURE')).commands).toEqual(commands);
    stop();
    await ended;
    await follow(commands[0], { SOURCE: `rtsp://eve:pw@${address}/x`, HOST: address });
    await film();
    await filmsWell();
  } finally {
    former.close();
    await moved.close();
  }
});

test('[REM-COMMAND_MISSING] a machine without ffmpeg: the package that is named', async () => {
  await openCamera(PATTERN);
  expect(await withoutFfmpeg('capture', directory.path)).toMatchObject({ code: 2 });
  const { text } = await advised('CAPTURE_FAILED');
  // What the named package brings is on this machine.
  const [, named = ''] = /ffmpeg cannot be run: apt-get install ([\w-]+)$/.exec(text) ?? [];
  const brought = execFileSync('dpkg', ['-L', named], { encoding: 'utf8' }).split('\n');
  expect(brought).toEqual(expect.arrayContaining(['/usr/bin/ffmpeg', '/usr/bin/ffprobe']));
  await film();
  await filmsWell();

  // Nor is a picture that cannot be made for want of it called damaged.
  const video = runs.at(-1)?.bytes;
  const snapshot = await withoutFfmpeg('snapshot', '', video);
  expect(snapshot).toEqual({ code: 1, stderr: `ffmpeg cannot be run: apt-get install ${named}\n` });
});

/** Runs a role of the camera's in a mount namespace of its own, in which execve(2) finds no ffmpeg. */
async function withoutFfmpeg(role: string, argument: string, input?: Uint8Array) {
  writeFileSync(at('absent'), '#!/nowhere\n');
  chmodSync(at('absent'), 0o755);
  const hide = 'mount --bind "$1" /usr/bin/ffmpeg && exec "$2" camera "$3" $4';
  const args = ['--mount', 'sh', '-c', hide, 'sh', at('absent'), ORIEL, role, argument];
  const child = spawn('unshare', args, { stdio: ['pipe', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (said) => {
    stderr += said;
  });
  child.stdin.on('error', () => undefined).end(input);
  const [code] = await once(child, 'close');
  return { code, stderr };
}
