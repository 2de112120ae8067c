import { readFileSync } from 'node:fs';
import { fromBase64Url, toBase64Url, toHex } from '../../crypto/bytes.ts';
import { parseClaim } from '../../crypto/claim.ts';
import { PUBLIC_KEY_LENGTH } from '../../crypto/curves.ts';
import { isIdText } from '../../crypto/ids.ts';
import { presentTime } from '../../ota/release/present-time.ts';
import { type FleetMember, fleetOf } from '../../server/fleet/fleet.ts';
import { twinText } from '../../server/fleet/twin-watch.ts';
import { cameraMeant } from '../../server/registry/camera-meant.ts';
import type { Registry } from '../../server/registry/registry.ts';
import type { CameraRecord, ClaimRecord } from '../../server/registry/registry-tables.ts';
import { minute } from '../../text/quantities.ts';
import { CommandError } from '../errors.ts';
import { terminalPaint } from '../terminal.ts';
import { fleetText, jsonOfHealth } from './fleet-text.ts';
import { restoredText } from './restored.ts';

/** Digits by which the list calls a claim. */
const CLAIM_PREFIX = 8;

/** For so long after it was seen last, an identity conflict is shown, ms. */
const TWINS_SHOWN_MS = 86_400_000;

/** What a verb has to say: an object for programs, lines for people. */
export interface CommandResult {
  readonly json: object;
  readonly text: string;
}

export async function list(registry: Registry, directory: string): Promise<CommandResult> {
  const cameras = await registry.cameras();
  const nowMs = Date.now();
  const waiting = (await registry.claims()).filter(
    ({ camera, expires }) => camera === undefined && expires * 1000 > nowMs,
  );
  const fleet = await membersOf(registry, cameras, nowMs);
  const expected = await registry.admissions.all();
  const coming = expected.map(({ camera }) => `${camera}  is let in when it comes`);
  const unknown = await registry.unknown.all();
  const knocking = unknown.map(
    ({ camera, seenAtMs }) =>
      `${camera}  shows our certificate, but is unknown (${minute(seenAtMs)}): oriel server camera admit ${directory} ${camera}`,
  );
  const twins = await registry.twins.since(nowMs - TWINS_SHOWN_MS);
  const doubled = twins.map(({ camera, sign, seenAtMs }) => `${camera}  ${twinText(sign, minute(seenAtMs))}`);
  const restored = (await registry.origin.get())?.restored;
  const notice = restored === undefined ? [] : [...restoredText(directory, restored), ''];
  const open = waiting.map(
    ({ tokenHash, expires }) =>
      `a claim waits for a camera until ${minute(expires * 1000)}: ${toHex(tokenHash).slice(0, CLAIM_PREFIX)}`,
  );
  return {
    json: {
      cameras: await Promise.all(fleet.map((member) => jsonOfMember(registry, member))),
      claims: waiting.map(jsonOfClaim),
      admissions: expected.map(({ camera, admittedAtMs }) => ({ id: camera, admittedAt: iso(admittedAtMs) })),
      unknown: unknown.map(({ camera, seenAtMs }) => ({ id: camera, seenAt: iso(seenAtMs) })),
      twins: twins.map(({ camera, sign, seenAtMs }) => ({ id: camera, sign, seenAt: iso(seenAtMs) })),
      restored: restored === undefined ? null : { madeAt: iso(restored.madeAtMs), at: iso(restored.atMs) },
    },
    text: [
      ...notice,
      ...fleetText(fleet, nowMs, terminalPaint),
      ...doubled,
      ...knocking,
      ...coming,
      ...open,
    ].join('\n'),
  };
}

/** One camera, as the list shows it. @throws CommandError CAMERA_AMBIGUOUS. */
export async function show(registry: Registry, word: string): Promise<CommandResult> {
  const nowMs = Date.now();
  const fleet = await membersOf(registry, [cameraMeant(await registry.cameras(), word)], nowMs);
  const [member] = fleet as [FleetMember];
  return {
    json: await jsonOfMember(registry, member),
    text: fleetText(fleet, nowMs, terminalPaint).join('\n'),
  };
}

async function membersOf(registry: Registry, cameras: readonly CameraRecord[], nowMs: number) {
  const { health, usage, reports } = registry;
  return fleetOf(cameras, await health.all(), await usage.all(), nowMs, await reports.all());
}

const jsonOfMember = async (registry: Registry, member: FleetMember) => ({
  ...jsonOfCamera(member.camera),
  policy: (await registry.policy(member.camera.id)) !== undefined,
  health: jsonOfHealth(member),
});

export async function claim(registry: Registry, word: string): Promise<CommandResult> {
  const taken = parseClaim(word === '-' ? readFileSync(0, 'utf8') : word);
  const nowMs = presentTime();
  if (taken.expires * 1000 <= nowMs) {
    throw new CommandError(
      'CLAIM_EXPIRED',
      'the claim has expired: have the owner make another setup code (oriel keys pair)',
    );
  }
  await registry.addClaim(taken, nowMs);
  const until = minute(taken.expires * 1000);
  return {
    json: jsonOfClaim({ ...taken, createdAtMs: nowMs, camera: undefined }),
    text: `the camera with this setup code may come in until ${until}`,
  };
}

export async function admit(
  registry: Registry,
  camera: string,
  identity: string | undefined,
): Promise<CommandResult> {
  const owner = identity === undefined ? undefined : fromBase64Url(identity);
  if (!isIdText(camera) || (identity !== undefined && owner?.length !== PUBLIC_KEY_LENGTH)) {
    throw new CommandError(
      'USAGE',
      'give the whole id of the camera, and its owner as oriel keys show prints it',
    );
  }
  const standing = await registry.standing(camera);
  if (standing === 'revoked')
    throw new CommandError(
      'CAMERA_REVOKED',
      `camera ${camera} was revoked, for good; reset it (oriel camera reset) and pair it anew: oriel keys pair`,
    );
  if (standing === undefined) await registry.admissions.put(camera, owner, Date.now());
  return {
    json: { id: camera, enrolled: standing !== undefined },
    text:
      standing === undefined ? `camera ${camera} is let in when it comes` : `camera ${camera} is in already`,
  };
}

/** A claim, or as the list shows it, by the first digits of its token's hash; or a camera that was admitted. */
export async function withdraw(registry: Registry, word: string): Promise<CommandResult> {
  if (await registry.admissions.withdraw(word)) {
    return { json: { id: word, withdrawn: true }, text: `camera ${word} is not let in when it comes` };
  }
  const { tokenHash } = word.startsWith('claim:')
    ? parseClaim(word)
    : claimMeant(await registry.claims(), word);
  await registry.withdrawClaim(tokenHash);
  return {
    json: { tokenHash: toHex(tokenHash), withdrawn: true },
    text: 'the claim is withdrawn: no camera comes in with its setup code',
  };
}

/** @throws CommandError CLAIM_AMBIGUOUS. */
function claimMeant(claims: readonly ClaimRecord[], digits: string): ClaimRecord {
  const fits = claims.filter(
    ({ tokenHash }) => digits.length >= CLAIM_PREFIX && toHex(tokenHash).startsWith(digits),
  );
  const [claim, ...others] = fits;
  if (claim !== undefined && others.length === 0) return claim;
  const many = fits.length > 1 ? `${fits.length} claims begin` : 'no claim begins';
  throw new CommandError('CLAIM_AMBIGUOUS', `${many} like that; see oriel server camera list`);
}

export async function rename(registry: Registry, word: string, name: string): Promise<CommandResult> {
  const { id } = cameraMeant(await registry.cameras(), word);
  await registry.rename(id, name);
  return { json: { id, name }, text: `camera ${id} is now called ${name}` };
}

export async function revoke(registry: Registry, word: string): Promise<CommandResult> {
  const { id, name } = cameraMeant(await registry.cameras(), word);
  const changed = await registry.revoke(id, Date.now());
  const called = name === '' ? id : `${id} (${name})`;
  return {
    json: { id, revoked: true, changed },
    text: changed
      ? `camera ${called} is shut out for good; what it recorded stays`
      : `camera ${called} was shut out already`,
  };
}

export async function statement(registry: Registry, word: string): Promise<CommandResult> {
  const { id } = cameraMeant(await registry.cameras(), word);
  const pairing = (await registry.pairings()).find(({ camera }) => camera === id);
  if (pairing === undefined) {
    throw new CommandError(
      'PAIRING_MISSING',
      `camera ${id} did not come with a setup code: its owner needs no statement, and signs its policy with oriel keys policy`,
    );
  }
  const text = toBase64Url(pairing.statement);
  return { json: { id, statement: text }, text };
}

export async function settled(registry: Registry): Promise<CommandResult> {
  await registry.origin.settled();
  return { json: { settled: true }, text: 'noted: the restore is settled' };
}

function jsonOfCamera(camera: CameraRecord) {
  return {
    id: camera.id,
    name: camera.name,
    state: camera.standing,
    owner: camera.owner === undefined ? null : toBase64Url(camera.owner),
    enrolledAt: iso(camera.enrolledAtMs),
    revokedAt: iso(camera.revokedAtMs),
    certificate: { serial: camera.serial, notAfter: iso(camera.notAfterMs) },
    lastSeenAt: iso(camera.lastSeenAtMs),
    lastAddress: camera.lastAddress ?? null,
  };
}

function jsonOfClaim({ tokenHash, owner, expires, createdAtMs }: ClaimRecord) {
  return {
    tokenHash: toHex(tokenHash),
    owner: toBase64Url(owner),
    expires: iso(expires * 1000),
    createdAt: iso(createdAtMs),
  };
}

const iso = (ms: number | undefined) => (ms === undefined ? null : new Date(ms).toISOString());
