import { idText } from '../../crypto/header.ts';
import {
  judgePins,
  type PinStatement,
  parsePinStatement,
  readPinStatement,
} from '../../crypto/pin-statement.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { ServerError } from '../errors.ts';
import type { Registry } from '../registry/registry.ts';

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
