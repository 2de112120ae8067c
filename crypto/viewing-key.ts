import * as v from 'valibot';
import { toBase64Url } from './bytes.ts';
import { bytesField, parseJson } from './document.ts';
import { ed25519FromSeed, SEED_LENGTH, viewerIdOf } from './ed25519.ts';
import type { OpeningPrimitives } from './primitives.ts';
import { type DayKeyHolder, makeDayKey } from './session.ts';

/**
 * A viewing key: a person's identity, the private halves of their day keys, and the cameras they trust. Whoever
 * holds this file opens the footage. JSON, mode 0600 (docs/format.md, "Viewing key").
 */

export const MAX_VIEWING_KEY_BYTES = 4 * 1024 * 1024;
const number = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const dayKeyNumber = v.pipe(number, v.maxValue(0xffffffff));

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
  cameras: v.array(
    v.strictObject({
      id: v.pipe(v.string(), v.regex(/^[a-z2-7]{32}$/)),
      name: v.pipe(v.string(), v.maxLength(100)),
      epoch: number,
      counter: number,
    }),
  ),
});
export type ViewingKey = v.InferOutput<typeof ViewingKeyFile>;

/** @throws CryptoError DOCUMENT_MALFORMED; its message never quotes the file. */
export function parseViewingKey(text: string): ViewingKey {
  return parseJson(text, ViewingKeyFile, 'viewing key');
}

export function writeViewingKey(key: ViewingKey): string {
  const file: v.InferInput<typeof ViewingKeyFile> = {
    ...key,
    seed: toBase64Url(key.seed),
    dayKeys: key.dayKeys.map((day) => ({
      number: day.number,
      privateKey: toBase64Url(day.privateKey),
      publicKey: toBase64Url(day.publicKey),
    })),
  };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

/** A new identity with its first day keys. @param seed 32 random bytes. */
export async function makeViewingKey(
  name: string,
  seed: Uint8Array<ArrayBuffer>,
  days: number,
): Promise<ViewingKey> {
  const key: ViewingKey = { type: 'oriel-viewing-key', version: 1, name, seed, dayKeys: [], cameras: [] };
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
