import { resolve } from 'node:path';
import { asOwnerOf } from '../../host/as-owner.ts';
import { ffmpegRunner } from '../capture/ffmpeg-runner.ts';
import { captureState, statusAgeMs } from '../health/camera-view.ts';
import { CameraDirectory } from '../state/camera-directory.ts';
import { readStatus } from '../status/status.ts';
import { certificateOf, clockOf, configOf, filesOf, spoolOf, toolsOf } from './camera-facts.ts';
import type { Facts } from './facts.ts';
import { firewallOf, machineOf, ROOTS } from './machine-facts.ts';
import { sourceFacts } from './source-facts.ts';

export interface Inspector {
  /** When this build was released, ms since 1970. */
  readonly releaseTimeMs: number;
  /** NODE_OPTIONS of whoever looks. */
  readonly nodeOptions: string;
}

/** All that the checks judge, of a camera's directory and the machine it lies on. @throws CameraError. */
export async function gatherFacts(dir: string, { releaseTimeMs, nodeOptions }: Inspector): Promise<Facts> {
  const directory = new CameraDirectory(resolve(dir));
  const status = readStatus(directory.status);
  const { machine, roles } = machineOf(ROOTS, status?.pid);
  const running = roles.some(({ role }) => role === 'agent') ? status : undefined;
  // What lies in the camera's directory may be there to lead root astray.
  const camera = await asOwnerOf(directory.path, async () => ({
    files: filesOf(directory),
    config: configOf(directory),
    certificate: await certificateOf(directory),
    clock: await clockOf(directory, releaseTimeMs, running, statusAgeMs(directory)),
    spool: spoolOf(directory, running),
    state: captureState(directory),
  }));
  const { state, ...facts } = camera;
  const { config } = facts;
  const source = 'error' in config ? undefined : config.source;
  const capture = roles.find(({ role }) => role === 'capture');
  const run = ffmpegRunner(new AbortController().signal);
  const isRoot = process.geteuid?.() === 0;
  return {
    directory: dir,
    ...facts,
    tools: await toolsOf(run),
    source: source && (await sourceFacts(source, { capture, state, isRoot, run })),
    machine,
    roles,
    nodeOptions,
    firewall: await firewallOf(ROOTS),
  };
}
