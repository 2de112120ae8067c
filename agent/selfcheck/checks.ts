import { resolve } from 'node:path';
import { asOwnerOf } from '../../host/as-owner.ts';
import { ffmpegRunner } from '../capture/ffmpeg-runner.ts';
import { captureState, statusAgeMs } from '../health/camera-view.ts';
import { CameraDirectory } from '../state/camera-directory.ts';
import { readStatus } from '../status/status.ts';
import {
  checkCertificate,
  checkClock,
  checkConfiguration,
  checkDeviceKey,
  checkDirectory,
  checkFfmpeg,
  checkPins,
  checkSetupCode,
  checkSource,
  checkSpool,
} from './camera-checks.ts';
import { certificateOf, clockOf, configOf, filesOf, spoolOf, toolsOf } from './camera-facts.ts';
import type { Facts, Finding, Verdict } from './facts.ts';
import {
  checkCoreDumps,
  checkFirewall,
  checkInspector,
  checkPorts,
  checkSwap,
  checkUsers,
} from './machine-checks.ts';
import { firewallOf, machineOf, ROOTS } from './machine-facts.ts';
import { sourceFacts } from './source-facts.ts';

interface Inspector {
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

const CHECKS = {
  directory: checkDirectory,
  'device key': checkDeviceKey,
  configuration: checkConfiguration,
  pins: checkPins,
  'setup code': checkSetupCode,
  certificate: checkCertificate,
  clock: checkClock,
  spool: checkSpool,
  ffmpeg: checkFfmpeg,
  source: checkSource,
  users: checkUsers,
  inspector: checkInspector,
  ports: checkPorts,
  swap: checkSwap,
  'core dumps': checkCoreDumps,
  'packet filter': checkFirewall,
} as const satisfies Readonly<Record<string, (facts: Facts) => Verdict>>;

export type CheckName = keyof typeof CHECKS;

/** Every check, in the order in which they are shown. */
export function judge(facts: Facts): Finding[] {
  return Object.entries(CHECKS).map(([check, judgeOne]) => ({ check, ...judgeOne(facts) }));
}
