import { fromUtf8 } from '../../crypto/bytes.ts';
import { CryptoError } from '../../crypto/errors.ts';
import { idText } from '../../crypto/header.ts';
import {
  judgePins,
  type PinStatement,
  parsePinStatement,
  readPinStatement,
} from '../../crypto/pin-statement.ts';
import { readPolicyFile } from '../../crypto/policy.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { MAX_POLICY_BYTES } from '../../wire/enrolment.ts';
import { ServerError } from '../errors.ts';
import type { Registry } from '../registry/registry.ts';
import type { CameraRecord } from '../registry/registry-tables.ts';

/**
 * Whether a camera would take this policy file: signed by its owner, for it, and with the day keys that it names. Spares a person a policy that the
 * camera refuses; the camera itself never relies on it.
 * @throws ServerError POLICY_REFUSED.
 */
export async function checkPolicy({ id, owner }: CameraRecord, file: Uint8Array): Promise<void> {
  if (file.length > MAX_POLICY_BYTES) {
    throw new ServerError('POLICY_REFUSED', `a policy file has at most ${MAX_POLICY_BYTES} bytes`);
  }
  if (owner === undefined) return;
  try {
    const { version } = await readPolicyFile(fromUtf8(file), id, owner, nodePrimitives);
    if (version === 1) {
      throw new CryptoError('DOCUMENT_MALFORMED', 'it is of version 1');
    }
  } catch (cause) {
    const why = cause instanceof CryptoError ? cause.message : 'it is no text';
    throw new ServerError(
      'POLICY_REFUSED',
      `camera ${id} would not take this policy: ${why}; have its owner sign one for it: oriel keys policy`,
      cause,
    );
  }
}

/**
 * Leaves an owner's pin statement for its camera to fetch. What the camera would refuse is refused here already, as far
 * as the server can see: another owner's, or one older than the one that lies here. The camera relies on none of it.
 * @returns the camera's id as text.
 * @throws CryptoError PINS_MALFORMED, PINS_FORGED; ServerError CAMERA_UNKNOWN, PINS_REFUSED.
 */
export async function putPins(registry: Registry, bytes: Uint8Array, nowMs: number): Promise<string> {
  const statement = parsePinStatement(bytes);
  const camera = idText(statement.camera);
  const record = await registry.camera(camera);
  if (record === undefined) {
    throw new ServerError(
      'CAMERA_UNKNOWN',
      `the statement is for camera ${camera}, which this server does not know; if it is to come here: oriel server camera admit DIR ${camera}`,
    );
  }
  if (record.owner !== undefined) await readPinStatement(bytes, record.owner, nodePrimitives);
  for (let isPut = false; !isPut; ) {
    const lying = await registry.pins.of(camera);
    refuseOlder(statement, bytes, lying);
    isPut = await registry.pins.replace(camera, lying, bytes, nowMs);
  }
  return camera;
}

function refuseOlder(statement: PinStatement, bytes: Uint8Array, lying: Uint8Array | undefined): void {
  if (lying === undefined) return;
  const before = parsePinStatement(lying);
  if (statement.epoch > before.epoch) return;
  const view = { camera: idText(statement.camera), epoch: before.epoch, obeyed: { ...before, bytes: lying } };
  const verdict = judgePins(view, statement, bytes);
  if (verdict === 'new' || verdict === 'same') return;
  throw new ServerError(
    'PINS_REFUSED',
    `the camera would not take this statement: number ${before.counter} lies here for it [${verdict}]; have the owner sign the next: oriel keys pins`,
  );
}
