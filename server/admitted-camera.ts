import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { p256Point } from '../crypto/spki-node.ts';
import type { EnrolmentContext } from './enrolment-routes.ts';
import type { GateClient } from './gate.ts';
import { ANSWER_WAIT_MS } from './registry-writes.ts';

/**
 * Lets a camera in that the operator has admitted and that shows a certificate of this server's own CA: the registry
 * knew it once, and was restored from an older copy. Without it such a camera comes in when it renews, up to two thirds
 * of its certificate's life later.
 * @throws as Registry.enrol; ServerError REGISTRY_BUSY.
 */
export async function letInAdmitted(
  { registry, writes, clock, log }: Pick<EnrolmentContext, 'registry' | 'writes' | 'clock' | 'log'>,
  client: GateClient,
  socket: Socket,
): Promise<void> {
  if (client.kind !== 'camera' || !(socket instanceof TLSSocket)) return;
  const { camera, notAfterMs } = client;
  if (registry.standing(camera) !== undefined || registry.admissions.of(camera) === undefined) return;
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return;
  const point = p256Point(certificate.publicKey);
  const enrolment = { camera, point, serial: certificate.serialNumber, notAfterMs };
  await writes.write(() => registry.enrol(enrolment, clock.now()), ANSWER_WAIT_MS);
  log.info({ camera, from: socket.remoteAddress }, 'admitted camera let in');
}
