import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { p256Point } from '../../crypto/spki-node.ts';
import { ServerError } from '../errors.ts';
import type { TlsClient } from '../http/tls-server.ts';
import type { Registry } from '../registry/registry.ts';
import { ANSWER_WAIT_MS, type RegistryWrites } from '../registry/registry-writes.ts';
import type { EnrolmentContext } from './routes.ts';

/**
 * Lets a camera in that the operator has admitted and that shows a certificate of this server's own CA: the registry
 * knew it once, and was restored from an older copy. Without it such a camera comes in when it renews, up to two thirds
 * of its certificate's life later.
 * @throws as Registry.renew; ServerError REGISTRY_BUSY.
 */
export async function letInAdmitted(
  { registry, writes, clock, log }: Pick<EnrolmentContext, 'registry' | 'writes' | 'clock' | 'log'>,
  client: TlsClient,
  socket: Socket,
): Promise<void> {
  if (client.kind !== 'camera' || !(socket instanceof TLSSocket)) return;
  const { camera, notAfterMs } = client;
  if ((await registry.standing(camera)) !== undefined) return;
  if ((await registry.admissions.of(camera)) === undefined) {
    await note(registry, writes, camera, clock.now());
    return;
  }
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return;
  const point = p256Point(certificate.publicKey);
  const enrolment = { camera, point, serial: certificate.serialNumber, notAfterMs };
  try {
    await writes.write(() => registry.renew(enrolment, clock.now()), ANSWER_WAIT_MS);
  } catch (error) {
    // Its admission was withdrawn meanwhile.
    if (error instanceof ServerError && error.code === 'CAMERA_UNKNOWN') return;
    throw error;
  }
  log.info({ camera, from: socket.remoteAddress }, 'admitted camera let in');
}

/** How often it is written down that an unknown camera was here, ms. */
const NOTED_MS = 3_600_000;

/** So that the operator sees whom there is to admit. */
async function note(
  registry: Registry,
  writes: RegistryWrites,
  camera: string,
  nowMs: number,
): Promise<void> {
  const before = (await registry.unknown.of(camera))?.seenAtMs ?? 0;
  if (Math.abs(nowMs - before) < NOTED_MS) return;
  // Should it fail, the camera comes again in a minute.
  writes.write(() => registry.unknown.see(camera, nowMs), ANSWER_WAIT_MS).catch(() => undefined);
}
