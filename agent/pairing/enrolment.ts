import { X509Certificate } from 'node:crypto';
import { statSync } from 'node:fs';
import { utf8 } from '../../crypto/bytes.ts';
import { readCertificate } from '../../crypto/certificate.ts';
import { writeFileAtomic } from '../../host/atomic-file.ts';
import type { DirectoryChanges } from '../../host/directory-changes.ts';
import type { Disk } from '../../host/disk.ts';
import { Connection } from '../client/connection.ts';
import type { ServerDial } from '../client/dial.ts';
import { ClientError } from '../client/errors.ts';
import { FailureTracker } from '../client/failure-tracker.ts';
import type { CameraClock } from '../clock/camera-clock.ts';
import { type AgentLog, errorFields } from '../log.ts';
import { Mutex } from '../mutex.ts';
import type { CameraDirectory } from '../state/camera-directory.ts';
import { type DeviceKey, loadCertificate } from '../state/device-key.ts';
import { shred } from '../state/erase-camera.ts';
import type { EnrolmentStatus } from '../status/views.ts';
import {
  type CertificateView,
  type EnrolmentStep,
  enrolmentDelayMs,
  nextEnrolmentStep,
} from './certificate-rules.ts';
import { askForCertificate, type ClaimProof } from './enrolment-client.ts';
import { type PairingFile, readPairing, writePairing } from './pairing-file.ts';

export interface EnrolmentOptions {
  readonly directory: CameraDirectory;
  readonly disk: Disk;
  readonly device: DeviceKey;
  readonly server: ServerDial;
  /** Whether the server is another than that of the setup code: the claim token is not for it. */
  readonly moved: () => boolean;
  readonly clock: CameraClock;
  readonly random: () => number;
  readonly logger: AgentLog;
  /** Of the camera's directory. */
  readonly changes: DirectoryChanges;
  /** The certificate is another. */
  readonly onCertificate: () => void;
}

interface Held extends CertificateView {
  readonly pem: string;
  readonly jitter: number;
}

/** However short a certificate's life is: a server whose answers help nothing is not asked without end. */
const LEAST_INTERVAL_MS = 5_000;

/** Gets the camera its certificate and renews it, for as long as it runs (certificate-rules.ts decides). */
export class Enrolment {
  readonly #options: EnrolmentOptions;
  readonly #trouble: FailureTracker;
  #held: Held | undefined;
  #fileStamp = '';
  #pairing: PairingFile | undefined;
  #calledUseless = false;
  #certificates = 0;
  #lastRequest: string | undefined;
  /** Held by who writes or removes the certificate. */
  readonly #writing = new Mutex();
  /** How often the camera was given another server. */
  #moves = 0;

  private constructor(options: EnrolmentOptions, pairing: PairingFile | undefined) {
    this.#options = options;
    this.#trouble = new FailureTracker('no certificate for this camera', options.clock, options.logger);
    this.#pairing = pairing;
  }

  /** @throws CameraError CONFIG_MALFORMED; HostError. */
  static async open(options: EnrolmentOptions): Promise<Enrolment> {
    const enrolment = new Enrolment(options, await readPairing(options.directory, options.disk));
    enrolment.#reload();
    if (enrolment.#held !== undefined) await enrolment.#forgetClaim();
    return enrolment;
  }

  /** The client certificate, PEM. */
  get certificate(): string | undefined {
    return this.#held?.pem;
  }

  get status(): EnrolmentStatus {
    const waiting = this.#pairing?.token === undefined ? 'unknown' : 'claiming';
    return {
      state: this.#held === undefined ? waiting : 'enrolled',
      certificateEnds: this.#held?.notAfterMs,
      certificates: this.#certificates,
      trouble: this.#trouble.view,
    };
  }

  /** The server takes this certificate no more: it has expired, or the server has forgotten the camera. */
  callUseless(): void {
    this.#calledUseless = true;
    this.#options.changes.tell();
  }

  /**
   * Forgets the certificate, durably, and then does what gives the camera another server: a certificate is good for the
   * server that gave it, and one that is still on its way from the old server is not taken.
   */
  withoutCertificate(change: () => Promise<void>): Promise<void> {
    const { disk, directory } = this.#options;
    return this.#writing.run(async () => {
      try {
        await disk.unlink(directory.certificate);
        await disk.syncDirectory(directory.path);
        this.#reload();
        await change();
      } finally {
        this.#moves += 1;
      }
    });
  }

  /** Works until the signal aborts; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { changes, clock, random, onCertificate } = this.#options;
    const directory = changes.follow();
    while (!signal.aborted) {
      if (this.#reload()) onCertificate();
      const step = this.#nextStep();
      if (step === 'rest') {
        // Also for a certificate that somebody has put there.
        this.#trouble.over();
        await directory.next(signal);
        continue;
      }
      let delayMs = LEAST_INTERVAL_MS;
      try {
        await this.#take(step, signal);
        this.#trouble.over();
      } catch (error) {
        if (signal.aborted) return;
        const code = this.#trouble.note(error, this.#lastRequest);
        const { retryAfterMs } = error as Partial<ClientError>;
        delayMs = enrolmentDelayMs(code, this.#trouble.times, retryAfterMs, random());
      }
      await clock.sleep(delayMs, signal).catch(() => undefined);
    }
  }

  #nextStep(): EnrolmentStep {
    const { clock } = this.#options;
    return nextEnrolmentStep({
      certificate: this.#held,
      claim: this.#pairing?.token !== undefined && !this.#options.moved(),
      timeMs: clock.serverMs ?? clock.trustedMs,
      calledUseless: this.#calledUseless,
      jitter: this.#held?.jitter ?? 0,
    });
  }

  async #take(step: Exclude<EnrolmentStep, 'rest'>, signal: AbortSignal): Promise<void> {
    const { disk, directory, logger, onCertificate } = this.#options;
    const moves = this.#moves;
    const pem =
      step === 'enrol' ? await this.#enrol(signal) : await this.#requestResponse(undefined, step, signal);
    await this.#writing.run(async () => {
      if (this.#moves !== moves) throw new ClientError('CONNECTION_LOST', 'the camera has left this server');
      await writeFileAtomic(disk, directory.certificate, utf8(pem), 0o600);
    });
    this.#certificates += 1;
    this.#reload();
    logger.info({ step, ends: new Date(this.#held?.notAfterMs ?? 0).toISOString() }, 'certificate received');
    await this.#forgetClaim();
    onCertificate();
  }

  async #enrol(signal: AbortSignal): Promise<string> {
    const { token, statement = '' } = this.#pairing ?? {};
    const claim = token && { token, statement };
    try {
      return await this.#requestResponse(claim, 'enrol', signal);
    } catch (error) {
      // The server may have let it in when the code was still good, and only its answer was lost.
      if ((error as Partial<ClientError>).refusal?.code !== 'CLAIM_EXPIRED') throw error;
      return this.#requestResponse(undefined, 'reenrol', signal).catch(() => {
        throw error;
      });
    }
  }

  async #requestResponse(
    claim: ClaimProof | undefined,
    step: EnrolmentStep,
    signal: AbortSignal,
  ): Promise<string> {
    const { server, device, clock, logger } = this.#options;
    const shown = step === 'renew' ? this.certificate : undefined;
    const connection = new Connection(
      server.dialWith(() => shown),
      () => server.authority,
      () => undefined,
      logger,
    );
    const end = () => connection.end();
    signal.addEventListener('abort', end, { once: true });
    try {
      return await askForCertificate(connection, device, claim, ({ date }) => clock.hearServer(date));
    } finally {
      signal.removeEventListener('abort', end);
      this.#lastRequest = connection.lastRequest;
      connection.end();
    }
  }

  /** Takes the certificate on file, whoever put it there. @returns whether it is another than before. */
  #reload(): boolean {
    const { directory, device, random } = this.#options;
    const stat = statSync(directory.certificate, { throwIfNoEntry: false });
    const stamp = stat === undefined ? '' : `${stat.mtimeMs} ${stat.size} ${stat.ino}`;
    if (stamp === this.#fileStamp) return false;
    this.#fileStamp = stamp;
    this.#calledUseless = false;
    this.#held = undefined;
    if (stat === undefined) return true;
    try {
      const pem = loadCertificate(directory, device);
      const { notBeforeMs, notAfterMs } = readCertificate(new X509Certificate(pem).raw);
      this.#held = { pem, notBeforeMs, notAfterMs, jitter: random() };
    } catch (error) {
      this.#options.logger.warn(errorFields(error), 'the certificate on file is of no use');
    }
    return true;
  }

  /** Once let in, the token has no use, and the setup code should lie nowhere. */
  async #forgetClaim(): Promise<void> {
    const { directory, disk } = this.#options;
    if (this.#pairing?.token === undefined) return;
    const { token: _used, ...enrolled } = this.#pairing;
    await writePairing(directory, disk, enrolled);
    this.#pairing = enrolled;
    await shred(disk, directory.setupCode);
  }
}
