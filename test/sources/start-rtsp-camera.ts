import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { endProcess } from '../../scripts/demonstration/oriel-command.ts';
import { until } from '../e2e/until.ts';
import type { CameraEvent, NetworkCameraOptions } from './network-camera.ts';

/** rtsp-camera.ts as a process of its own, so that what a test does meanwhile delays none of its frames. */
export interface StartedCamera {
  readonly port: number;
  /** When it was ready, milliseconds since 1970. */
  readonly readyAt: number;
  readonly events: readonly CameraEvent[];
  close(): Promise<void>;
}

const PROGRAM = join(import.meta.dirname, 'rtsp-camera.ts');

export async function startRtspCamera(options: NetworkCameraOptions): Promise<StartedCamera> {
  const child = spawn(process.execPath, [PROGRAM, '--options', JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const events: CameraEvent[] = [];
  const said: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => events.push(JSON.parse(line)));
  child.stderr.on('data', (chunk) => said.push(String(chunk)));
  const ready = await until('the camera is ready', () => {
    if (child.exitCode !== null) throw new Error(`the camera ended: ${said.join('')}`);
    return events.find(({ event }) => event === 'ready');
  });
  if (ready.event !== 'ready') throw new Error('it is never told otherwise');
  return {
    port: ready.port,
    readyAt: ready.readyAt,
    events,
    async close() {
      await endProcess(child);
    },
  };
}
