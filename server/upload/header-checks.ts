import { equal, toHex } from '../../crypto/bytes.ts';
import { CryptoError } from '../../crypto/errors.ts';
import {
  idText,
  type ParsedSessionHeader,
  parseSegmentHeader,
  readSessionHeader,
} from '../../crypto/header.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { Refused } from '../errors.ts';
import type { SegmentName } from '../storage/segments.ts';

/** A session header that the camera may put under this id. @throws Refused HEADER_REFUSED, CAMERA_FOREIGN. */
export async function checkSessionHeader(
  bytes: Uint8Array,
  camera: string,
  id: string,
): Promise<ParsedSessionHeader> {
  const header = await readSessionHeader(bytes, nodePrimitives).catch(refuseCryptoError);
  if (header.camera !== camera) throw foreign('session');
  if (toHex(header.id) !== id)
    throw new Refused('HEADER_REFUSED', 'the session header has another id than the path');
  return header;
}

/** Whether this is the header of that very segment. @throws Refused HEADER_REFUSED, CAMERA_FOREIGN. */
export function checkSegmentHeader(bytes: Uint8Array, { session, sequence }: SegmentName): void {
  const header = parse(bytes);
  if (idText(header.camera) !== session.camera) throw foreign('segment');
  if (!equal(header.sessionHash, session.headerHash)) {
    throw new Refused('HEADER_REFUSED', 'the segment header names another session');
  }
  if (header.sequence !== sequence) {
    throw new Refused(
      'HEADER_REFUSED',
      `the segment header has sequence ${header.sequence}, not ${sequence}`,
    );
  }
}

function parse(bytes: Uint8Array) {
  try {
    return parseSegmentHeader(bytes);
  } catch (error) {
    return refuseCryptoError(error);
  }
}

function refuseCryptoError(error: unknown): never {
  if (error instanceof CryptoError) throw new Refused('HEADER_REFUSED', error.message, { cause: error });
  throw error;
}

function foreign(what: string): Refused {
  return new Refused('CAMERA_FOREIGN', `the ${what} header names another camera than the client certificate`);
}
