import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import type { Trick } from './hostile-servers.ts';

/**
 * A camera that dials, as its agent does, whatever it is told to, in a process whose clock may have been turned:
 * `node dialling-camera.ts ROOT`, ROOT being the build under test. Reads one {@link Task} from stdin and prints
 * a {@link Report}.
 */
export interface Task {
  readonly tricks: readonly Trick[];
  readonly key: string;
  readonly certificate: string;
  readonly releaseTimeMs: number;
  /** Where it keeps trusted time. */
  readonly timePath: string;
}

export interface Report {
  /** What its clock says, ms since 1970. */
  readonly clock: number;
  /** One a trick: `connect`, or the code of the refusal. */
  readonly outcomes: readonly string[];
}

const [, , root = ''] = process.argv;
const load = (path: string) => import(pathToFileURL(join(root, path)).href);
const { serverDial } = (await load('agent/server-dial.ts')) as typeof import('../../agent/server-dial.ts');
const { CameraClock } = (await load(
  'agent/clock/camera-clock.ts',
)) as typeof import('../../agent/clock/camera-clock.ts');
const { deviceKeyFromPem } = (await load(
  'agent/camera/device-key.ts',
)) as typeof import('../../agent/camera/device-key.ts');
const { systemClock } = (await load('host/clock.ts')) as typeof import('../../host/clock.ts');
const { systemDisk } = (await load('host/disk.ts')) as typeof import('../../host/disk.ts');

const task = JSON.parse(await text(process.stdin)) as Task;
const device = await deviceKeyFromPem(task.key);
const time = await CameraClock.open({
  clock: systemClock,
  disk: systemDisk,
  path: task.timePath,
  releaseTimeMs: task.releaseTimeMs,
});

async function outcome(port: number, pins: readonly string[]): Promise<string> {
  const server = { origin: `https://127.0.0.1:${port}`, pins: [...pins] };
  const dial = serverDial({ server, device, trustedTimeMs: () => time.trustedMs });
  try {
    const socket = await dial.dialWith(() => task.certificate)(new AbortController().signal);
    socket.write('secret');
    await once(socket, 'data');
    socket.destroy();
    return 'connect';
  } catch (error) {
    const { code, reason } = error as { code?: string; reason?: string };
    return reason ?? code ?? String(error);
  }
}

const outcomes: string[] = [];
for (const { ports, pins } of task.tricks) {
  const all: string[] = [];
  for (const port of ports) all.push(await outcome(port, pins));
  outcomes.push(all.at(-1) ?? '');
}
console.log(JSON.stringify({ clock: Date.now(), outcomes } satisfies Report));
