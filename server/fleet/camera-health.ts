import { duration, size } from '../../text/quantities.ts';
import {
  belowFloorText,
  endsSoon,
  healthCodes,
  type Light,
  lightOf,
  updateConcern,
} from '../../wire/health.ts';
import type { Telemetry } from '../../wire/telemetry.ts';
import type { Health } from '../registry/health-table.ts';
import type { CameraRecord } from '../registry/registry-tables.ts';

/** How a camera is, as far as the server has heard, judged. Pure. */

export interface CameraHealth {
  /** Undefined for a camera that was shut out. */
  readonly light: Light | undefined;
  /** Whether anything of it gets through. */
  readonly online: boolean;
  /** Whether control does. */
  readonly control: boolean;
  /** Since when it is, or is not; undefined for one that never came. Milliseconds since 1970. */
  readonly sinceMs: number | undefined;
  /** What wants looking at, for people. */
  readonly concerns: readonly string[];
}

/** A camera asks for its policy about once a minute over HTTP, and tells how it is twice over control. */
const SILENCE_MS = 3 * 60_000;
/** Requests that snapshot come while a camera ends, after its control has left, and until they are written down. */
const FAREWELL_MS = 20_000;
const BACKLOG_SECONDS = 60;
const LEAST_DISK_BYTES = 512 * 1024 ** 2;
/** Boards slow down at 80 to 85 °C. */
const HOT_CELSIUS = 80;

export function judgeHealth(camera: CameraRecord, health: Health | undefined, nowMs: number): CameraHealth {
  const { control, http, sinceMs } = presence(camera, health, nowMs);
  const online = control || http;
  const judged = { online, control, sinceMs };
  if (camera.standing === 'revoked') return { ...judged, light: undefined, concerns: [] };
  if (!online) return { ...judged, light: sinceMs === undefined ? 'yellow' : 'red', concerns: [] };
  const concerns = [
    ...channelConcerns(camera, health, { control, http }, nowMs),
    ...certificateConcerns(camera, nowMs),
    // What was told before control went says nothing of now.
    ...(control ? telemetryConcerns(health) : []),
  ];
  const telemetry = control ? health?.telemetry : undefined;
  if (telemetry !== undefined && codesOf(telemetry).has('CAPTURE_FAILED'))
    return {
      ...judged,
      light: lightOf('CAPTURE_FAILED'),
      concerns: ['its source cannot be played', ...concerns],
    };
  return { ...judged, light: concerns.length > 0 ? 'yellow' : 'green', concerns };
}

interface Presence {
  readonly control: boolean;
  readonly http: boolean;
  /** Since when it is, or is not, there; undefined where nobody knows. */
  readonly sinceMs: number | undefined;
}

/** By both channels, each of which may be blocked alone: control, and requests over HTTP. */
function presence({ lastSeenAtMs }: CameraRecord, health: Health | undefined, nowMs: number): Presence {
  const toldMs = Math.max(health?.receivedAtMs ?? 0, health?.sinceMs ?? 0);
  const heardMs = Math.max(lastSeenAtMs ?? 0, toldMs);
  // A server that was killed could not write down that they left.
  const control = health?.online === true && nowMs - heardMs <= SILENCE_MS;
  if (control) return { control, http: isSeen(lastSeenAtMs, nowMs), sinceMs: health?.sinceMs };
  const left = health?.online === false ? health.sinceMs + FAREWELL_MS : 0;
  if (isSeen(lastSeenAtMs, nowMs) && (lastSeenAtMs ?? 0) > left) {
    return { control, http: true, sinceMs: undefined };
  }
  const goneMs = health?.online === false ? Math.max(health.sinceMs, seenAfter(lastSeenAtMs, left)) : heardMs;
  return { control, http: false, sinceMs: goneMs === 0 ? undefined : goneMs };
}

const isSeen = (atMs: number | undefined, nowMs: number) => atMs !== undefined && nowMs - atMs <= SILENCE_MS;
const seenAfter = (atMs: number | undefined, leftMs: number) =>
  atMs !== undefined && atMs > leftMs ? atMs : 0;

/** Which channel does not get through while the other does. */
function channelConcerns(
  { lastSeenAtMs, enrolledAtMs }: CameraRecord,
  health: Health | undefined,
  { control, http }: Pick<Presence, 'control' | 'http'>,
  nowMs: number,
): string[] {
  if (!control) {
    const sinceMs = health?.sinceMs ?? enrolledAtMs;
    const missingMs = nowMs - sinceMs;
    // It enrols before it connects.
    if (health === undefined && missingMs <= FAREWELL_MS) return [];
    const how = health === undefined ? 'never came' : `has been missing for ${duration(missingMs)}`;
    return [`control ${how}: it uploads, but cannot be asked for anything, nor tell how it is`];
  }
  const both = http || lastSeenAtMs === undefined || nowMs - (health?.sinceMs ?? nowMs) <= SILENCE_MS;
  return both ? [] : [`only control gets through: no request has come for ${duration(nowMs - lastSeenAtMs)}`];
}

function certificateConcerns({ notAfterMs }: CameraRecord, nowMs: number): string[] {
  if (notAfterMs <= nowMs) return ['its certificate has ended'];
  const left = notAfterMs - nowMs;
  return endsSoon(left) ? [`its certificate ends in ${duration(left)}`] : [];
}

const codesOf = (telemetry: Telemetry) =>
  healthCodes({ ...telemetry, droppedSeconds: telemetry.footage?.droppedSeconds });

function telemetryConcerns(health: Health | undefined): string[] {
  const telemetry = health?.telemetry;
  if (telemetry === undefined) return [];
  const codes = codesOf(telemetry);
  const { state, footage, machine, recentGapSeconds = 0 } = telemetry;
  const held = footage?.heldSeconds ?? 0;
  const dropped = footage?.droppedSeconds ?? 0;
  const free = machine.diskFreeBytes;
  const { temperature } = machine;
  const concerns: [boolean, string][] = [
    [codes.has('WAITING'), 'it does not record yet: it waits for its certificate, or its owner'],
    [state === 'stopped' || state === 'draining', 'it is ending'],
    [codes.has('CAPTURE_RESTARTS'), 'its source fails again and again'],
    [
      codes.has('TIME_LOST'),
      `it filmed nothing for ${duration(recentGapSeconds * 1000)} of its last 5 minutes`,
    ],
    [held > BACKLOG_SECONDS, `${duration(held * 1000)} wait in its spool`],
    [codes.has('FOOTAGE_DROPPED'), `it dropped ${duration(dropped * 1000)} for want of room`],
    [free !== null && free < LEAST_DISK_BYTES, `its disk has only ${size(free ?? 0)} free`],
    [temperature !== null && temperature >= HOT_CELSIUS, `it is hot: ${Math.round(temperature ?? 0)} °C`],
    [codes.has('CLOCK_WRONG'), 'its clock is wrong'],
  ];
  const { updateTrouble, policyTrouble, viewersBelowFloor = [] } = telemetry;
  const updates = updateTrouble === undefined ? undefined : updateConcern(updateTrouble);
  return [
    ...concerns.filter(([holds]) => holds).map(([, text]) => text),
    ...(policyTrouble === undefined
      ? []
      : [`it does not obey the policy that it was brought: ${policyTrouble}`]),
    ...viewersBelowFloor.map(belowFloorText),
    ...(updates ? [updates] : []),
  ];
}
