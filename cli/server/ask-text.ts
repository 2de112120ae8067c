import { rfc3339 } from '../../crypto/time.ts';
import { type Answer, called, type OperatorRequest, type Silence } from '../../server/control/ask.ts';
import { printable } from '../../text/printable.ts';
import { CONTROL_REQUESTS } from '../../wire/control-requests.ts';
import type { Telemetry } from '../../wire/telemetry.ts';
import type { CommandResult } from './camera-verbs.ts';

/** What cameras replied, for people and for programs. Pure. */

export interface Asked extends CommandResult {
  /** Whether each camera did what it was asked. */
  readonly done: boolean;
}

export function askedAllResult(request: OperatorRequest, answers: readonly (Answer | Silence)[]): Asked {
  const results = answers.map(askedResult);
  const done = results.filter((result) => result.done).length;
  return {
    done: done === results.length,
    json: { request, asked: results.length, done, cameras: results.map(({ json }) => json) },
    text: [...results.map(({ text }) => text), `${done} of ${results.length} cameras did it`].join('\n'),
  };
}

export function askedResult(answer: Answer | Silence): Asked {
  if ('error' in answer) {
    const { camera, request, error } = answer;
    return {
      done: false,
      json: { camera: camera.id, request, code: error.code, message: error.message },
      text: error.message,
    };
  }
  const { camera, request, reply, tookMs } = answer;
  const done = reply.code === 'DONE';
  const why = reply.message === undefined ? '' : `: ${printable(reply.message)}`;
  const said = done ? CONTROL_REQUESTS[request].done : `did not do it: ${reply.code}${why}`;
  const lines = reply.telemetry === undefined ? [] : telemetryLines(reply.telemetry);
  return {
    done,
    json: { camera: camera.id, request, tookMs, ...reply },
    text: [`camera ${called(camera)} ${said} (${tookMs} ms, request ${reply.id})`, ...lines].join('\n'),
  };
}

function telemetryLines(telemetry: Telemetry): string[] {
  const { footage, restarts, machine, versions, upload } = telemetry;
  const rows: [string, string][] = [
    ['time', `${rfc3339(telemetry.at)}, by ${telemetry.clock}`],
    ['state', `${telemetry.state} for ${telemetry.uptimeSeconds} s; capture ${telemetry.capture}`],
    ['version', `${versions.oriel} on Node ${versions.node}`],
    ['upload', upload.connected ? 'connected' : 'not connected'],
    ['restarts', `agent ${restarts.agent}, capture ${restarts.capture}`],
    ['memory', `agent ${mebibytes(machine.agentMemoryBytes)}, free ${mebibytes(machine.memoryFreeBytes)}`],
    ['disk', `free ${mebibytes(machine.diskFreeBytes)}`],
    ['temperature', machine.temperature === null ? '-' : `${machine.temperature} °C`],
  ];
  if (footage !== null) {
    const { capturedSeconds, acknowledgedSeconds, heldSeconds, droppedSeconds } = footage;
    const rest = `${acknowledgedSeconds} s at the server, ${heldSeconds} s waiting, ${droppedSeconds} s dropped`;
    rows.push(['footage', `${capturedSeconds} s captured: ${rest}`]);
  }
  const { gapSeconds, recentGapSeconds } = telemetry;
  if (gapSeconds !== undefined)
    rows.push(['not filmed', `${gapSeconds} s, of the last 5 minutes ${recentGapSeconds ?? 0} s`]);
  const { policyTrouble, viewersBelowFloor } = telemetry;
  if (policyTrouble !== undefined) rows.push(['policy', `not obeyed: ${policyTrouble}`]);
  if (viewersBelowFloor !== undefined) rows.push(['below floor', viewersBelowFloor.join(', ')]);
  return rows.map(([name, value]) => `  ${name.padEnd(12)} ${printable(value)}`);
}

const mebibytes = (bytes: number | null) => (bytes === null ? '-' : `${Math.round(bytes / 2 ** 20)} MiB`);
