import { updateConcern } from '../../ota/update-concern.ts';
import type { Health } from '../../server/health-table.ts';
import type { CameraRecord } from '../../server/registry-tables.ts';
import type { Light } from '../paint.ts';
import { duration, size } from '../quantities.ts';

/** How a camera is, as far as the server has heard, judged. Pure. */

export interface CameraHealth {
  /** Undefined for a camera that was shut out. */
  readonly light: Light | undefined;
  readonly online: boolean;
  /** Since when it is, or is not; undefined for one that never came. Milliseconds since 1970. */
  readonly sinceMs: number | undefined;
  /** What wants looking at, for people. */
  readonly concerns: readonly string[];
}

/** A camera asks for its policy about once a minute, and tells how it is twice. */
const SILENCE_MS = 3 * 60_000;
const CERTIFICATE_ENDS_SOON_MS = 3 * 86_400_000;
const BACKLOG_SECONDS = 60;
const LEAST_DISK_BYTES = 512 * 1024 ** 2;
/** Boards slow down at 80 to 85 °C. */
const HOT_CELSIUS = 80;

export function judgeHealth(camera: CameraRecord, health: Health | undefined, nowMs: number): CameraHealth {
  const { online, sinceMs } = presence(camera, health, nowMs);
  if (camera.standing === 'revoked') return { light: undefined, online, sinceMs, concerns: [] };
  if (!online) return { light: sinceMs === undefined ? 'yellow' : 'red', online, sinceMs, concerns: [] };
  const blind = health?.telemetry?.capture === 'failed';
  const concerns = [...certificateConcerns(camera, nowMs), ...telemetryConcerns(health)];
  if (blind) return { light: 'red', online, sinceMs, concerns: ['its source cannot be played', ...concerns] };
  return { light: concerns.length > 0 ? 'yellow' : 'green', online, sinceMs, concerns };
}

/** What control says, if anything has been heard lately: a server that was killed could not write down that they left. */
function presence(
  { lastSeenAtMs }: CameraRecord,
  health: Health | undefined,
  nowMs: number,
): Pick<CameraHealth, 'online' | 'sinceMs'> {
  const heardMs = Math.max(lastSeenAtMs ?? 0, health?.receivedAtMs ?? 0, health?.sinceMs ?? 0);
  if (heardMs === 0) return { online: false, sinceMs: undefined };
  if (health?.online === false) return { online: false, sinceMs: health.sinceMs };
  if (nowMs - heardMs > SILENCE_MS) return { online: false, sinceMs: heardMs };
  return { online: true, sinceMs: health?.sinceMs };
}

function certificateConcerns({ notAfterMs }: CameraRecord, nowMs: number): string[] {
  if (notAfterMs <= nowMs) return ['its certificate has ended'];
  const left = notAfterMs - nowMs;
  return left < CERTIFICATE_ENDS_SOON_MS ? [`its certificate ends in ${duration(left)}`] : [];
}

function telemetryConcerns(health: Health | undefined): string[] {
  const telemetry = health?.telemetry;
  if (telemetry === undefined) return [];
  const { state, capture, footage, machine, clock } = telemetry;
  const held = footage?.heldSeconds ?? 0;
  const dropped = footage?.droppedSeconds ?? 0;
  const free = machine.diskFreeBytes;
  const { temperature } = machine;
  const concerns: [boolean, string][] = [
    [state === 'waiting', 'it does not record yet: it waits for its certificate, or its owner'],
    [state === 'stopped' || state === 'draining', 'it is ending'],
    [state === 'running' && capture === 'backoff', 'its source fails again and again'],
    [held > BACKLOG_SECONDS, `${duration(held * 1000)} wait in its spool`],
    [dropped > 0, `it dropped ${duration(dropped * 1000)} for want of room`],
    [free !== null && free < LEAST_DISK_BYTES, `its disk has only ${size(free ?? 0)} free`],
    [temperature !== null && temperature >= HOT_CELSIUS, `it is hot: ${Math.round(temperature ?? 0)} °C`],
    [clock !== 'machine', 'its clock is wrong'],
  ];
  const { updateTrouble, policyTrouble, viewersBelowFloor = [] } = telemetry;
  const updates = updateTrouble === undefined ? undefined : updateConcern(updateTrouble);
  return [
    ...concerns.filter(([holds]) => holds).map(([, text]) => text),
    ...(policyTrouble === undefined
      ? []
      : [`it does not obey the policy that it was brought: ${policyTrouble}`]),
    ...viewersBelowFloor.map(
      (viewer) => `nothing is sealed to viewer ${viewer}: no day key at or above the floor`,
    ),
    ...(updates ? [updates] : []),
  ];
}
