import type { Credential } from '../../crypto/certificate-node.ts';
import { CryptoError } from '../../crypto/errors.ts';
import { cameraOfSpki, p256Point, p256Spki } from '../../crypto/spki-node.ts';
import { isPossibleTime } from '../../host/clock.ts';
import { Refused } from '../errors.ts';
import type { Enrolment } from '../registry/enrol.ts';

export interface IssuedCertificate {
  /** DER. */
  readonly certificate: Uint8Array;
  readonly enrolment: Enrolment;
}

/** The camera CA at work. What it needs is loaded when the first camera asks: most days none does. */
export class CameraAuthority {
  readonly #load: () => Promise<Credential>;
  readonly #days: number;
  readonly #releaseTimeMs: number;
  #credential: Promise<Credential> | undefined;

  /**
   * @param days that a certificate is valid.
   * @param releaseTimeMs when this program was released, ms since 1970: an earlier time is not the present.
   */
  constructor(load: () => Promise<Credential>, days: number, releaseTimeMs: number) {
    this.#load = load;
    this.#days = days;
    this.#releaseTimeMs = releaseTimeMs;
  }

  /** Whether this is a time that claims may be judged and certificates dated by. @throws Refused CLOCK_WRONG. */
  checkTime(nowMs: number): void {
    if (isPossibleTime(nowMs, this.#releaseTimeMs)) return;
    throw new Refused('CLOCK_WRONG', "the server's clock is wrong: it issues no certificate until it is set");
  }

  /** Its certificate, DER. @throws ServerError, HostError. */
  async certificate(): Promise<Uint8Array> {
    return (await this.#authority()).certificate;
  }

  /** Who asks with this certification request. @throws Refused REQUEST_REFUSED. */
  async requester(request: Uint8Array): Promise<{ readonly camera: string; readonly point: Uint8Array }> {
    const { readRequest } = await import('../../crypto/request-node.ts');
    try {
      const key = readRequest(request);
      return { camera: cameraOfSpki(p256Spki(key)), point: p256Point(key) };
    } catch (error) {
      if (error instanceof CryptoError) {
        throw new Refused('REQUEST_REFUSED', `certification request: ${error.message}`, { cause: error });
      }
      throw error;
    }
  }

  /** A certificate for a request that `requester` has read. @throws Refused CLOCK_WRONG; ServerError, HostError. */
  async issue(request: Uint8Array, nowMs: number): Promise<IssuedCertificate> {
    this.checkTime(nowMs);
    const { issueCamera } = await import('./identity.ts');
    return issueCamera(await this.#authority(), request, { from: new Date(nowMs), days: this.#days });
  }

  #authority(): Promise<Credential> {
    if (this.#credential === undefined) {
      this.#credential = this.#load();
      this.#credential.catch(() => {
        this.#credential = undefined;
      });
    }
    return this.#credential;
  }
}
