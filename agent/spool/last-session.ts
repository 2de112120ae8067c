import { concat, equal, toHex } from '../../crypto/bytes.ts';
import { DIGEST_LENGTH, MAX_SESSION_HEADER_LENGTH, SESSION_ID_LENGTH } from '../../crypto/header.ts';
import type { SpoolPrimitives } from './records-file.ts';
import type { StoredSession } from './stored-segment.ts';

/** The camera's last session (docs/design/spool.md, "Last session"): what the next session header refers to. */
export interface LastSession {
  readonly session: StoredSession;
  /** Count of its segments and digest of the last (zeros when there is none); undefined unless it ended cleanly. */
  readonly end: { readonly segments: number; readonly digest: Uint8Array } | undefined;
}

export const LAST_SESSION_FILE = 'last-session';

const MAGIC = Uint8Array.from([0x4f, 0x52, 0x53, 0x4c, 1]);
const FIXED_LENGTH = MAGIC.length + 1 + 2 + 8 + 4 + DIGEST_LENGTH + SESSION_ID_LENGTH;
export const MAX_LAST_SESSION_LENGTH = FIXED_LENGTH + MAX_SESSION_HEADER_LENGTH + 4;

export function encodeLastSession(
  { session, end }: LastSession,
  { crc32 }: Pick<SpoolPrimitives, 'crc32'>,
): Uint8Array {
  const fixed = new Uint8Array(FIXED_LENGTH);
  const view = new DataView(fixed.buffer);
  fixed.set(MAGIC, 0);
  view.setUint8(5, end === undefined ? 0 : 1);
  view.setUint16(6, session.header.length);
  view.setBigUint64(8, BigInt(session.number));
  view.setUint32(16, end?.segments ?? 0);
  if (end !== undefined) fixed.set(end.digest, 20);
  fixed.set(Buffer.from(session.id, 'hex'), 20 + DIGEST_LENGTH);
  const checksum = new Uint8Array(4);
  const body = concat(fixed, session.header);
  new DataView(checksum.buffer).setUint32(0, crc32(body) >>> 0);
  return concat(body, checksum);
}

/** Undefined when the bytes are not a whole entry. */
export function decodeLastSession(
  bytes: Uint8Array,
  { crc32 }: Pick<SpoolPrimitives, 'crc32'>,
): LastSession | undefined {
  const bodyEnd = bytes.length - 4;
  if (bodyEnd < FIXED_LENGTH || !equal(bytes.subarray(0, MAGIC.length), MAGIC)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint16(6) !== bodyEnd - FIXED_LENGTH) return undefined;
  if (crc32(bytes.subarray(0, bodyEnd)) >>> 0 !== view.getUint32(bodyEnd)) return undefined;
  const idAt = 20 + DIGEST_LENGTH;
  return {
    session: {
      id: toHex(bytes.subarray(idAt, idAt + SESSION_ID_LENGTH)),
      number: Number(view.getBigUint64(8)),
      header: bytes.slice(FIXED_LENGTH, bodyEnd),
    },
    end: view.getUint8(5) === 1 ? { segments: view.getUint32(16), digest: bytes.slice(20, idAt) } : undefined,
  };
}
