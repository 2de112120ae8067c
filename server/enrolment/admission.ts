import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { p256Point } from '../../crypto/spki-node.ts';
import { Refused, ServerError } from '../errors.ts';
import type { ClientCertificate } from '../http/client-certificate.ts';
import { AddressThrottle, type ThrottleRules } from '../http/throttles.ts';
import type { TlsClient } from '../http/tls-server.ts';
import type { Registry } from '../registry/registry.ts';
import type { Standing } from '../registry/registry-tables.ts';
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

export const THROTTLE_RULES: ThrottleRules = {
  perAddress: { burst: 10, refillMs: 6_000 },
  inAll: { burst: 100, refillMs: 600 },
};

/**
 * Counts wrong claim tokens, of an address and in all. A right token never asks here: at 128 bits no rate of guessing
 * finds one, so that what is bounded is noise, and nobody's guesses can keep an honest camera out.
 */
export class ClaimThrottle {
  readonly #throttle: AddressThrottle;

  /** @param monotonic ms, as Clock.monotonic. */
  constructor(monotonic: () => number, rules = THROTTLE_RULES) {
    this.#throttle = new AddressThrottle(monotonic, rules);
  }

  /** A wrong token came. How long its sender is to wait, ms; 0 while it is told that the token was wrong. */
  wrong(address: string | undefined): number {
    return this.#throttle.take(address);
  }
}

/**
 * The camera that may use the routes for cameras: it showed a certificate that has not ended, and the registry has
 * it as enrolled.
 * @param standing by the registry; undefined for a camera it does not know.
 * @throws as `standing`; Refused CERTIFICATE_REQUIRED, CAMERA_UNKNOWN, CAMERA_REVOKED, CERTIFICATE_EXPIRED.
 */
export async function admit(
  client: ClientCertificate,
  standing: (camera: string) => Promise<Standing | undefined>,
  nowMs: number,
): Promise<string> {
  if (client.kind !== 'camera') {
    throw new Refused('CERTIFICATE_REQUIRED', 'this is for cameras that show their client certificate');
  }
  switch (await standing(client.camera)) {
    case 'enrolled':
      break;
    case 'revoked':
      throw new Refused('CAMERA_REVOKED', 'this camera was revoked');
    case undefined:
      throw new Refused('CAMERA_UNKNOWN', 'the server knows no camera of this key');
  }
  if (!(client.notAfterMs >= nowMs)) {
    throw new Refused('CERTIFICATE_EXPIRED', 'the client certificate has expired: renew it');
  }
  return client.camera;
}
