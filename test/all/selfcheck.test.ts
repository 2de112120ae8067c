import { execFile } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkFfmpeg } from '../../agent/selfcheck/camera-checks.ts';
import { toolsOf } from '../../agent/selfcheck/camera-facts.ts';
import type { Facts, Finding } from '../../agent/selfcheck/facts.ts';
import { collect } from '../../host/child.ts';
import { ORIEL } from '../../scripts/demonstration/oriel-command.ts';
import { breakBuild } from '../broken-build.ts';
import { TestDeployment } from '../e2e/test-deployment.ts';
import { GUARD_OFF, LISTENS } from '../no-way-in/shipment.ts';

/** What is planted in real cameras, `oriel camera selfcheck` finds; and in one that is whole it finds nothing. */

const scratch = mkdtempSync(join(tmpdir(), 'oriel-selfcheck-'));
afterAll(() => rmSync(scratch, { recursive: true }));

interface Checked {
  readonly code: number;
  readonly results: Readonly<Record<string, string>>;
  readonly findings: readonly Finding[];
}

/** @param under the command to run it under. */
function selfcheck(
  directory: string,
  under: readonly string[] = ['prlimit', '--core=0:0', '--'],
): Promise<Checked> {
  const [program = '', ...args] = [...under, ORIEL, 'camera', 'selfcheck', directory, '--json'];
  return new Promise((resolve, reject) => {
    execFile(program, args, (error, stdout, stderr) => {
      if (!stdout.startsWith('{')) {
        reject(new Error(stderr || error?.message));
        return;
      }
      const { findings } = JSON.parse(stdout) as { findings: Finding[] };
      const results = Object.fromEntries(findings.map(({ check, result }) => [check, result]));
      resolve({ code: Number(error?.code ?? 0), results, findings });
    });
  });
}

const failed = ({ results }: Checked) => Object.keys(results).filter((check) => results[check] === 'fail');

/** With a tiny file system mounted on the spool, which nobody else sees, full to the last block. */
const withFullSpool = (directory: string) => [
  ...['unshare', '--user', '--map-root-user', '--mount', 'sh', '-c'],
  'mount -t tmpfs -o size=64k tmpfs "$0"; head -c 1M /dev/zero > "$0/full" 2> /dev/null; exec "$@"',
  join(directory, 'spool'),
];

test('a whole camera has nothing to be found, and each thing planted in it is', () =>
  TestDeployment.with({ source: 'test:' }, async (deployment) => {
    const camera = deployment.cameraDirectory;
    const healthy = await selfcheck(camera);
    expect(healthy).toMatchObject({ code: 0 });
    expect(healthy.results).toMatchObject({
      directory: 'ok',
      'device key': 'ok',
      configuration: 'ok',
      pins: 'ok',
      'setup code': 'ok',
      certificate: 'ok',
      clock: 'ok',
      ffmpeg: 'ok',
      source: 'ok',
      users: 'unknown',
      inspector: 'ok',
      'core dumps': expect.stringMatching('ok|warn'),
      'packet filter': 'ok',
    });
    expect(failed(healthy)).toEqual([]);

    const planted = join(scratch, 'planted');
    cpSync(camera, planted, { recursive: true });
    const file = (name: string) => join(planted, name);
    const config = JSON.parse(readFileSync(file('camera.json'), 'utf8'));
    config.server.pins = config.server.pins.slice(0, 1);
    config.source = 'v4l2:/dev/video63';
    writeFileSync(file('camera.json'), JSON.stringify(config));
    writeFileSync(file('setup-code'), 'left over', { mode: 0o644 });
    writeFileSync(file('client.pem'), 'no certificate');
    const tomorrow = Date.now() + 86_400_000;
    writeFileSync(file('time.json'), JSON.stringify({ version: 1, trustedMs: tomorrow }));
    for (const name of ['camera.json', 'device.key']) chmodSync(file(name), 0o644);
    chmodSync(planted, 0o755);
    const many = await selfcheck(planted, ['env', 'NODE_OPTIONS=--require=/dev/null']);
    expect(many.code).toBe(1);
    expect(many.results).toMatchObject({ pins: 'warn' });
    expect(failed(many)).toEqual(
      expect.arrayContaining([
        'directory',
        'device key',
        'configuration',
        'setup code',
        'certificate',
        'clock',
        'source',
        'inspector',
      ]),
    );

    rmSync(file('device.key'));
    writeFileSync(file('camera.json'), '{}');
    const missing = await selfcheck(planted);
    expect(failed(missing)).toEqual(expect.arrayContaining(['device key', 'configuration']));

    mkdirSync(join(camera, 'spool'), { recursive: true });
    const full = await selfcheck(camera, withFullSpool(camera));
    expect(full.findings).toContainEqual(
      expect.objectContaining({ check: 'spool', result: 'fail', text: expect.stringContaining('ENOSPC') }),
    );
  }));

test('a running camera without a door has none; one that listens is told from others on the board', async () => {
  const broken = breakBuild(GUARD_OFF, LISTENS);
  try {
    await TestDeployment.with({ source: 'test:' }, async (deployment) => {
      await deployment.startCamera();
      const { results } = await selfcheck(deployment.cameraDirectory);
      expect(results).toMatchObject({
        ports: expect.stringMatching('ok|warn'),
        inspector: 'ok',
        spool: 'ok',
      });
      // A camera started by root without users of its own, or by another user with one for both.
      expect(results.users).toBe(process.geteuid?.() === 0 ? 'fail' : 'warn');
    });
    await TestDeployment.with({ source: 'test:', camera: broken.oriel }, async (deployment) => {
      await deployment.startCamera();
      const checked = await selfcheck(deployment.cameraDirectory);
      expect(checked.code).toBe(1);
      const { text } = checked.findings.find(({ check }) => check === 'ports') ?? { text: '' };
      expect(text).toMatch(/^the camera itself has open .*TCP \[::\]:47470/);
      expect(text).toMatch(/UDP \[::\]:5353/);
    });
  } finally {
    broken.remove();
  }
});

describe('ffmpeg', () => {
  /** The tools of a machine whose PATH is one directory, with these commands in it. */
  async function toolsIn(commands: Readonly<Record<string, string>>) {
    const path = mkdtempSync(join(scratch, 'path-'));
    for (const [name, script] of Object.entries(commands)) {
      writeFileSync(join(path, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    }
    symlinkSync('/usr/bin/setpriv', join(path, 'setpriv'));
    const tools = await toolsOf(async ({ command, args, stdin }) => {
      const { code, stdout, stderr } = await collect(command, args, {
        stdin: stdin ?? undefined,
        timeoutMs: 20_000,
        maxBytes: 1 << 20,
        signal: new AbortController().signal,
        under: ['env', `PATH=${path}`],
      });
      return { code, stdout: stdout.toString('latin1'), stderr };
    });
    return checkFfmpeg({ tools } as Facts);
  }

  const PASS_ON = 'exec /usr/bin/$(/usr/bin/basename "$0") "$@"';

  test.each<[string, Readonly<Record<string, string>>, object]>([
    ['as the machine has it', { ffmpeg: PASS_ON, ffprobe: PASS_ON }, { result: 'ok' }],
    ['none', {}, { result: 'fail', text: 'ffmpeg cannot be run' }],
    ['no ffprobe', { ffmpeg: PASS_ON }, { result: 'fail', text: 'ffprobe cannot be run' }],
    [
      'built without libx264',
      { ffmpeg: '/usr/bin/ffmpeg "$@" | /usr/bin/grep -v 264', ffprobe: PASS_ON },
      { result: 'fail', text: expect.stringContaining('no H.264 encoder') },
    ],
    [
      'years old',
      {
        ffmpeg: '/usr/bin/ffmpeg "$@" | /usr/bin/sed "s/^ffmpeg version [^ ]*/ffmpeg version 4.1.11/"',
        ffprobe: PASS_ON,
      },
      { result: 'warn', text: expect.stringContaining('4.1.11') },
    ],
  ])('%s', async (_, commands, verdict) => {
    expect(await toolsIn(commands)).toMatchObject(verdict);
  });
});
