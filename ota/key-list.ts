import * as v from 'valibot';
import { Counter, Identifier } from './bundle.ts';
import { OtaError } from './errors.ts';
import { parseJson, writeJson } from './json.ts';
import { checkSignatures, type KeyRing, PublicKey, parseSignatures } from './signatures.ts';

/**
 * Who may sign releases. The anchor, which is flashed, names the root keys; they sign, rarely and offline, the
 * numbered list of release keys that comes with every bundle. So release keys are replaced without flashing.
 */

/** In a bundle's directory. */
export const KEY_LIST_FILE = 'keys.json';
export const KEY_LIST_SIGNATURES_FILE = 'keys-signatures.json';

export const MAX_KEY_LIST_BYTES = 4 * 1024;
const MAX_KEYS = 16;

const ring = {
  threshold: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_KEYS)),
  keys: v.pipe(
    v.array(PublicKey),
    v.minLength(1),
    v.maxLength(MAX_KEYS),
    v.check((keys) => new Set(keys).size === keys.length),
  ),
};

const Anchor = v.strictObject({ format: v.literal('oriel-anchor-1'), product: Identifier, ...ring });
/** What a camera is flashed with: the product it is, and the root keys, which sign key lists. */
export type Anchor = v.InferOutput<typeof Anchor>;

const KeyList = v.strictObject({ format: v.literal('oriel-keys-1'), counter: Counter, ...ring });
/** The release keys, which sign bundles. A list of a higher counter replaces one of a lower. */
export type KeyList = v.InferOutput<typeof KeyList>;

/** @throws OtaError BUNDLE_OVERSIZED, SIGNATURES_MALFORMED. */
export function parseAnchor(bytes: Uint8Array): Anchor {
  return parseJson(bytes, {
    what: 'anchor',
    maxBytes: MAX_KEY_LIST_BYTES,
    schema: Anchor,
    malformed: 'SIGNATURES_MALFORMED',
  });
}

export const writeAnchor = (anchor: Anchor): Uint8Array<ArrayBuffer> => writeJson(v.parse(Anchor, anchor));
export const writeKeyList = (list: KeyList): Uint8Array<ArrayBuffer> => writeJson(v.parse(KeyList, list));

/** @throws OtaError BUNDLE_OVERSIZED, SIGNATURES_MALFORMED. */
export function parseKeyList(bytes: Uint8Array): KeyList {
  return parseJson(bytes, {
    what: KEY_LIST_FILE,
    maxBytes: MAX_KEY_LIST_BYTES,
    schema: KeyList,
    malformed: 'SIGNATURES_MALFORMED',
  });
}

/**
 * The key list, if the root keys signed it and it is not older than the newest obeyed.
 * @param floor counter of the newest list obeyed; 0 when there is none.
 * @throws OtaError BUNDLE_OVERSIZED, SIGNATURES_MALFORMED, SIGNATURES_MISSING, KEYS_OUTDATED.
 */
export async function verifyKeyList(
  bytes: Uint8Array,
  signatures: Uint8Array,
  root: KeyRing,
  floor: number,
): Promise<KeyList> {
  const list = parseKeyList(bytes);
  await checkSignatures(KEY_LIST_FILE, bytes, parseSignatures(signatures), root);
  if (list.counter < floor) {
    throw new OtaError('KEYS_OUTDATED', `key list ${list.counter} is older than ${floor}, obeyed already`);
  }
  return list;
}
