import { resolve } from 'node:path';
import { ffmpegRunner } from '../../../agent/capture/ffmpeg-runner.ts';
import { CameraDirectory } from '../../../agent/state/camera-directory.ts';
import { readStatus } from '../../../agent/status.ts';
import { asOwnerOf } from '../../../host/as-owner.ts';
import { type Light, type Paint, terminalPaint } from '../../paint.ts';
import { jsonLine, printable } from '../../text.ts';
import { releaseTimeMs } from '../../version.ts';
import { captureState, statusAgeMs } from '../show-status.ts';
import { certificateOf, clockOf, configOf, filesOf, spoolOf, toolsOf } from './camera-facts.ts';
import { judge } from './checks.ts';
import type { Facts } from './facts.ts';
import type { Finding, Result } from './finding.ts';
import { firewallOf, machineOf, ROOTS } from './machine-facts.ts';
import { sourceFacts } from './source-facts.ts';

/** `oriel camera selfcheck`. @returns whether no check failed. */
export async function selfcheck(dir: string, json: boolean): Promise<boolean> {
  const findings = judge(await gather(dir));
  if (json) console.log(jsonLine({ findings }));
  else console.log(findingsText(findings, terminalPaint));
  return findings.every(({ result }) => result !== 'fail');
}

async function gather(dir: string): Promise<Facts> {
  const directory = new CameraDirectory(resolve(dir));
  const status = readStatus(directory.status);
  const { machine, roles } = machineOf(ROOTS, status?.pid);
  const running = roles.some(({ role }) => role === 'agent') ? status : undefined;
  // What lies in the camera's directory may be there to lead root astray.
  const camera = await asOwnerOf(directory.path, async () => ({
    files: filesOf(directory),
    config: configOf(directory),
    certificate: await certificateOf(directory),
    clock: await clockOf(directory, releaseTimeMs(), running, statusAgeMs(directory)),
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
    nodeOptions: process.env.NODE_OPTIONS ?? '',
    firewall: await firewallOf(ROOTS),
  };
}

const LIGHTS: Readonly<Record<Result, Light | undefined>> = {
  ok: 'green',
  warn: 'yellow',
  fail: 'red',
  unknown: undefined,
};

export function findingsText(findings: readonly Finding[], paint: Paint): string {
  const lines = findings.flatMap(({ check, result, text, wayOut }) => {
    const light = LIGHTS[result];
    const word = result.toUpperCase().padEnd(8);
    const line = `${light === undefined ? word : paint(light, word)}${check.padEnd(15)}${printable(text)}`;
    return wayOut === undefined ? [line] : [line, `${' '.repeat(23)}${printable(wayOut)}`];
  });
  const count = (result: Result) => findings.filter((each) => each.result === result).length;
  const summary = `${findings.length} checks: ${count('fail')} failed, ${count('warn')} to look at, ${count('unknown')} unknown`;
  return [...lines, '', summary].join('\n');
}
