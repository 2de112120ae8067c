import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import type * as ServerDialling from '../../agent/client/dial.ts';
import type * as Clocks from '../../agent/clock/camera-clock.ts';
import type * as Pinning from '../../agent/pairing/pinned-server.ts';
import type * as Directories from '../../agent/state/camera-directory.ts';
import type * as Devices from '../../agent/state/device-key.ts';
import { fromBase64Url } from '../../crypto/bytes.ts';
import { systemClock } from '../../host/clock.ts';
import { systemDisk } from '../../host/disk.ts';
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
  readonly owner: string;
  readonly releaseTimeMs: number;
  /** An empty directory. */
  readonly directory: string;
}

export interface Report {
  /** What its clock says, ms since 1970. */
  readonly clock: number;
  /**
   * One a trick: the codes with which pin statements were refused, if any were, and `connect` or the code of the
   * refusal to talk, parted by blanks.
   */
  readonly outcomes: readonly string[];
}

const [, , root = ''] = process.argv;
const load = (path: string) => import(pathToFileURL(join(root, path)).href);
type Load<Module> = Promise<Module>;
const { serverDial } = await (load('agent/client/dial.ts') as Load<typeof ServerDialling>);
const { PinnedServer } = await (load('agent/pairing/pinned-server.ts') as Load<typeof Pinning>);
const { CameraClock } = await (load('agent/clock/camera-clock.ts') as Load<typeof Clocks>);
const { CameraDirectory } = await (load('agent/state/camera-directory.ts') as Load<typeof Directories>);
const { deviceKeyFromPem } = await (load('agent/state/device-key.ts') as Load<typeof Devices>);

const task = JSON.parse(await text(process.stdin)) as Task;
const device = await deviceKeyFromPem(task.key);
const time = await CameraClock.open({
  clock: systemClock,
  disk: systemDisk,
  path: join(task.directory, 'time.json'),
  releaseTimeMs: task.releaseTimeMs,
});

/** The server of a set-up, after what its owner or somebody else stated. @returns it and the codes of refusals. */
async function pinned(port: number, { name, pins, statements }: Trick) {
  const directory = new CameraDirectory(join(task.directory, name.replaceAll(/\W/g, '-')));
  directory.make();
  const server = await PinnedServer.open({
    directory,
    disk: systemDisk,
    config: {
      server: { origin: `https://127.0.0.1:${port}`, pins: [...pins] },
      owner: fromBase64Url(task.owner)!,
    },
    camera: device.camera,
    epoch: () => 1,
    withoutCertificate: (change: () => Promise<void>) => change(),
    onChange: () => undefined,
  } as unknown as Pinning.PinnedServerOptions);
  const refusals: string[] = [];
  for (const line of statements) await server.take(line).catch(({ code }) => refusals.push(String(code)));
  return { server, refusals };
}

async function outcome(port: number, trick: Trick): Promise<string> {
  const { server, refusals } = await pinned(port, trick);
  const dial = serverDial({ server, device, trustedTimeMs: () => time.trustedMs });
  return [...refusals, await talk(dial)].join(' ');
}

async function talk(dial: ServerDialling.ServerDial): Promise<string> {
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
for (const trick of task.tricks) {
  const all: string[] = [];
  for (const port of trick.ports) all.push(await outcome(port, trick));
  outcomes.push(all.at(-1) ?? '');
}
console.log(JSON.stringify({ clock: Date.now(), outcomes } satisfies Report));
