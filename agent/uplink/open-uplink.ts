import { equal } from '../../crypto/bytes.ts';
import { CryptoError } from '../../crypto/errors.ts';
import { DIGEST_LENGTH, parseSegmentHeader } from '../../crypto/header.ts';
import { type Mark, makeMarkRecord } from '../../crypto/mark.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import type { Clock } from '../../host/clock.ts';
import type { ServerDial } from '../client/dial.ts';
import { ClientError } from '../client/errors.ts';
import type { AgentLog } from '../log.ts';
import type { StoredSegment, UploadQueue } from '../spool/stored-segment.ts';
import type { DeviceKey } from '../state/device-key.ts';
import { Uplink } from './uplink.ts';

export interface OpenUplinkOptions {
  readonly server: ServerDial;
  readonly device: DeviceKey;
  /** The client certificate, PEM; undefined while there is none. */
  readonly certificate: () => string | undefined;
  readonly queue: UploadQueue;
  /** Hash of the session that the last life of the agent began and did not see the end of, if there is one. */
  readonly interrupted: Uint8Array | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: AgentLog;
}

/** The uplink of this camera to its one pinned server, with its marks signed by the device key. */
export function openUplink(options: OpenUplinkOptions): Uplink {
  const { server, device, certificate, queue, interrupted, clock, random, logger } = options;
  const dial = server.dialWith(certificate);
  return new Uplink({
    queue,
    clock,
    random,
    log: logger,
    authority: () => server.authority,
    dial: async (signal) => {
      if (certificate() !== undefined) return dial(signal);
      throw new ClientError('CERTIFICATE_MISSING', 'the camera has no client certificate yet');
    },
    makeMark: (segment, at) => markRecord(segment.header, at, markOf(segment, clock), device),
    makeForeignMark: (header, at) => foreignMark(header, at, device, interrupted, clock),
  });
}

/** What the camera states of a segment that it could not close. */
function markOf(segment: StoredSegment, clock: Clock): Mark {
  return {
    kind: segment.state === 'dropped' ? 'dropped' : 'cut',
    placed: true,
    vouchedRecords: segment.vouched.records,
    vouchedDigest: segment.vouched.digest,
    lostUs: segment.droppedUs,
    timeMs: Math.max(0, Math.floor(clock.now())),
  };
}

/**
 * The mark of a segment that the server says a former run of this camera left there, and of which the spool knows
 * nothing: `cut` in the one session that the camera knows it was interrupted in, `unknown` in any other.
 * @param at byte of the segment at which it will stand. @throws CryptoError CAMERA_FOREIGN for another camera's.
 */
export function foreignMark(
  header: Uint8Array,
  at: number,
  device: Pick<DeviceKey, 'cameraId' | 'signer'>,
  interrupted: Uint8Array | undefined,
  clock: Clock,
): Uint8Array {
  const { camera, sessionHash } = parseSegmentHeader(header);
  if (!equal(camera, device.cameraId)) {
    throw new CryptoError('CAMERA_FOREIGN', "the server lists another camera's segment as ours");
  }
  const kind = interrupted !== undefined && equal(sessionHash, interrupted) ? 'cut' : 'unknown';
  const nothing = {
    placed: true,
    vouchedRecords: 0,
    vouchedDigest: new Uint8Array(DIGEST_LENGTH),
    lostUs: 0,
  };
  const mark = { kind, ...nothing, timeMs: Math.max(0, Math.floor(clock.now())) } as const;
  return markRecord(header, at, mark, device);
}

function markRecord(
  header: Uint8Array,
  at: number,
  mark: Mark,
  device: Pick<DeviceKey, 'signer'>,
): Uint8Array {
  const place = { headerHash: nodePrimitives.sha256(header), at };
  return makeMarkRecord(mark, place, device.signer, nodePrimitives.crc32);
}
