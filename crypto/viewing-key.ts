import * as v from 'valibot';
import { toBase64Url } from './bytes.ts';
import { ed25519FromSeed, PUBLIC_KEY_LENGTH, SEED_LENGTH, viewerIdOf } from './curves.ts';
import { bytesField, parseJson } from './document.ts';
import { DIGEST_LENGTH } from './header.ts';
import { IdText } from './ids.ts';
import { MAX_ORIGIN_LENGTH } from './origin.ts';
import type { OpeningPrimitives } from './primitives.ts';
import { type DayKeyHolder, makeDayKey } from './session.ts';
import { PAIRING_SECRET_LENGTH } from './setup-code.ts';

/**
 * A viewing key: a person's identity, the private halves of their day keys, and the cameras they trust. Whoever
 * holds this file opens the footage. JSON, mode 0600 (docs/reference/format.md, "Viewing key").
 */

export const MAX_VIEWING_KEY_BYTES = 4 * 1024 * 1024;
export const MAX_PAIRINGS = 1000;
export const MAX_FLOORS = 1000;
const number = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const dayKeyNumber = v.pipe(number, v.maxValue(0xffffffff));

const PairingEntry = v.strictObject({
  /** The pairing secret of the setup code. */
  secret: bytesField(PAIRING_SECRET_LENGTH),
  /** When the code expires, seconds since 1970. */
  expires: dayKeyNumber,
  server: v.strictObject({
    origin: v.pipe(v.string(), v.maxLength(MAX_ORIGIN_LENGTH)),
    /** SHA-256 of the SubjectPublicKeyInfo of the server's CA: the active, and the backup if there is one. */
    pins: v.pipe(v.array(bytesField(DIGEST_LENGTH)), v.minLength(1), v.maxLength(2)),
  }),
  /** What the camera is to be called. */
  name: v.pipe(v.string(), v.maxLength(100)),
  /** The camera accepted with it: no other will be. */
  camera: v.optional(IdText),
});
/** A setup code handed out, as its owner remembers it. */
export type Pairing = v.InferOutput<typeof PairingEntry>;

const CameraEntry = v.strictObject({
  id: IdText,
  name: v.pipe(v.string(), v.maxLength(100)),
  epoch: number,
  counter: number,
  /** Number of the last pin statement signed; absent while there is none. */
  pins: v.optional(number),
});

const ViewingKeyFile = v.strictObject({
  type: v.literal('oriel-viewing-key'),
  version: v.literal(1),
  name: v.pipe(v.string(), v.maxLength(100)),
  /** Ed25519 seed. */
  seed: bytesField(SEED_LENGTH),
  dayKeys: v.array(
    v.strictObject({ number: dayKeyNumber, privateKey: bytesField(32), publicKey: bytesField(32) }),
  ),
  /** Cameras whose footage this person believes, with the last policy signed for each. */
  cameras: v.array(CameraEntry),
  /** Cameras that were believed once: their counters count on, should they be again. Absent while there are none. */
  distrusted: v.optional(v.array(CameraEntry), []),
  /** The floor of each viewer in the policy signed last, so that none falls unasked. Absent while there are none. */
  floors: v.optional(
    v.pipe(
      v.array(v.strictObject({ identity: bytesField(PUBLIC_KEY_LENGTH), floor: dayKeyNumber })),
      v.maxLength(MAX_FLOORS),
    ),
    [],
  ),
  /** Setup codes handed out; absent from keys made before there were any. */
  pairings: v.optional(v.pipe(v.array(PairingEntry), v.maxLength(MAX_PAIRINGS)), []),
});
export type ViewingKey = v.InferOutput<typeof ViewingKeyFile>;

/** @throws CryptoError DOCUMENT_MALFORMED; its message never quotes the file. */
export function parseViewingKey(text: string): ViewingKey {
  return parseJson(text, ViewingKeyFile, 'viewing key');
}

export function writeViewingKey(key: ViewingKey): string {
  const { pairings, distrusted, floors, ...rest } = key;
  const file: v.InferInput<typeof ViewingKeyFile> = {
    ...rest,
    seed: toBase64Url(key.seed),
    dayKeys: key.dayKeys.map((day) => ({
      number: day.number,
      privateKey: toBase64Url(day.privateKey),
      publicKey: toBase64Url(day.publicKey),
    })),
    // Left out while there are none: an older Oriel reads the file too.
    ...(distrusted.length > 0 && { distrusted }),
    ...(floors.length > 0 && {
      floors: floors.map(({ identity, floor }) => ({ identity: toBase64Url(identity), floor })),
    }),
    ...(pairings.length > 0 && { pairings: pairings.map(pairingAsText) }),
  };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

function pairingAsText({ secret, server, ...rest }: Pairing): v.InferInput<typeof PairingEntry> {
  return {
    ...rest,
    secret: toBase64Url(secret),
    server: { origin: server.origin, pins: server.pins.map(toBase64Url) },
  };
}

/** A new identity with its first day keys. @param seed 32 random bytes. */
export async function makeViewingKey(
  name: string,
  seed: Uint8Array<ArrayBuffer>,
  days: number,
): Promise<ViewingKey> {
  const key: ViewingKey = {
    type: 'oriel-viewing-key',
    version: 1,
    name,
    seed,
    dayKeys: [],
    cameras: [],
    distrusted: [],
    floors: [],
    pairings: [],
  };
  return addDayKeys(key, days);
}

/** The same key with `days` more day keys, numbered on. */
export async function addDayKeys(key: ViewingKey, days: number): Promise<ViewingKey> {
  const dayKeys = [...key.dayKeys];
  let next = dayKeys.reduce((highest, day) => Math.max(highest, day.number + 1), 0);
  for (let i = 0; i < days; i++) {
    const pair = await makeDayKey();
    dayKeys.push({
      number: next++,
      privateKey: new Uint8Array(pair.privateKey),
      publicKey: new Uint8Array(pair.publicKey),
    });
  }
  return { ...key, dayKeys };
}

/** The same key without the day keys numbered up to `through`. */
export function forgetDayKeys(key: ViewingKey, through: number): ViewingKey {
  return { ...key, dayKeys: key.dayKeys.filter((day) => day.number > through) };
}

/** The same key, which believes the footage of a camera from now on; its policies count on where they ended. */
export function trustCamera(key: ViewingKey, camera: { id: string; name: string }): ViewingKey {
  const known = cameraKnown(key, camera.id);
  const entry = { epoch: 1, counter: 0, ...known, id: camera.id, name: camera.name || (known?.name ?? '') };
  const others = (cameras: ViewingKey['cameras']) => cameras.filter(({ id }) => id !== camera.id);
  return { ...key, cameras: [...others(key.cameras), entry], distrusted: others(key.distrusted) };
}

/** What is known of a camera, believed or not any more. */
export function cameraKnown(key: ViewingKey, camera: string): ViewingKey['cameras'][number] | undefined {
  return [...key.cameras, ...key.distrusted].find(({ id }) => id === camera);
}

/** The same key, which does not believe the camera any more; undefined when it does not anyway. */
export function distrustCamera(key: ViewingKey, camera: string): ViewingKey | undefined {
  const known = key.cameras.find(({ id }) => id === camera);
  if (known === undefined) return undefined;
  const cameras = key.cameras.filter((each) => each !== known);
  return { ...key, cameras, distrusted: [...key.distrusted, known] };
}

/** What openSession needs of a viewing key. */
export async function dayKeyHolder(
  key: ViewingKey,
  primitives: Pick<OpeningPrimitives, 'sha256'>,
): Promise<DayKeyHolder> {
  const byNumber = new Map(key.dayKeys.map((day) => [day.number, day.privateKey]));
  return {
    viewer: await viewerIdOf(ed25519FromSeed(key.seed).publicKey, primitives),
    dayKey: (wanted) => byNumber.get(wanted),
  };
}
