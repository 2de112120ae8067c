import type { IncomingHttpHeaders } from 'node:http';
import { utf8 } from '../../crypto/bytes.ts';
import { writeFileAtomic } from '../../host/atomic-file.ts';
import { spreadPeriodMs } from '../../host/backoff.ts';
import type { Clock } from '../../host/clock.ts';
import type { DirectoryChanges } from '../../host/directory-changes.ts';
import type { Disk } from '../../host/disk.ts';
import { MAX_PINS_BYTES, MAX_POLICY_BYTES, PINS_PATH, POLICY_PATH } from '../../wire/enrolment.ts';
import { Connection } from '../client/connection.ts';
import type { ServerDial } from '../client/dial.ts';
import { describeError } from '../client/errors.ts';
import { FailureTracker, type FailureView } from '../client/failure-tracker.ts';
import { requestResponse } from '../client/request.ts';
import type { CameraClock } from '../clock/camera-clock.ts';
import { type AgentLog, errorFields } from '../log.ts';
import type { CameraDirectory } from '../state/camera-directory.ts';
import type { PolicyWatch } from '../state/policy-watch.ts';
import type { Enrolment } from './enrolment.ts';
import type { PinnedServer } from './pinned-server.ts';

/** Checks for a new policy, and notes why the one on file is not obeyed. */
export class PolicyOnFile {
  readonly #policy: PolicyWatch;
  readonly #failures: FailureTracker;

  constructor(policy: PolicyWatch, clock: Clock, logger: AgentLog) {
    this.#policy = policy;
    this.#failures = new FailureTracker('the policy on file is not obeyed', clock, logger);
  }

  /** Why it is not obeyed. */
  get trouble(): FailureView | undefined {
    return this.#failures.view;
  }

  /** Never rejects. @returns whether another policy is in force than before. */
  async check(): Promise<boolean> {
    try {
      const changed = await this.#policy.check();
      if (this.#policy.notKept !== undefined) this.#failures.note(this.#policy.notKept);
      else if (!this.#policy.fileRefused) this.#failures.over();
      return changed;
    } catch (cause) {
      const waiting = errorFields(cause).code === 'POLICY_MISSING' && !this.#policy.present;
      if (!waiting) this.#failures.note(cause);
      return false;
    }
  }
}

interface PolledDocumentOptions {
  readonly path: string;
  readonly maxBytes: number;
  readonly trouble: FailureTracker;
  /**
   * Judges what came, and obeys it if it has to be.
   * @returns whether it is done with; false: it is to be brought again.
   * @throws for what is not to be obeyed.
   */
  readonly take: (body: string) => Promise<boolean>;
  /** Whether what was taken is no longer there as it was: it is to be brought again. */
  readonly isLost?: () => boolean;
  readonly onHead: (headers: IncomingHttpHeaders) => void;
}

const TIMEOUT_MS = 15_000;

/**
 * Something that the camera's owner signed and its server carries. What the server brings is judged as if it had been
 * laid down by hand, and what is not to be obeyed replaces nothing.
 */
class PolledDocument {
  readonly #options: PolledDocumentOptions;
  #etag: string | undefined;

  constructor(options: PolledDocumentOptions) {
    this.#options = options;
  }

  get trouble(): FailureTracker {
    return this.#options.trouble;
  }

  /** Asks for it, and takes it if it is another than before. @throws what `requestResponse` and `take` throw. */
  async fetch(connection: Connection): Promise<void> {
    const { path, maxBytes, take, isLost, onHead } = this.#options;
    if (isLost?.()) this.#etag = undefined;
    const { status, headers, body } = await requestResponse(connection, {
      method: 'GET',
      path,
      headers: this.#etag === undefined ? {} : { 'if-none-match': this.#etag },
      maxBytes,
      timeoutMs: TIMEOUT_MS,
      onHead,
    });
    if (status === 304) return;
    // Only of what was taken: a refusal is to be seen for as long as the server brings the same.
    if (await take(body)) this.#etag = headers.etag;
  }
}

export interface PolicyPollOptions {
  readonly directory: CameraDirectory;
  readonly disk: Disk;
  readonly server: ServerDial;
  readonly enrolment: Enrolment;
  readonly watch: PolicyWatch;
  /** Takes the owner's pin statements. */
  readonly pinned: Pick<PinnedServer, 'take' | 'counter' | 'origin'>;
  /** Whether this agent is of a release on trial, which may go back to the one before. */
  readonly onTrial?: (() => Promise<boolean>) | undefined;
  readonly clock: CameraClock;
  /** Of the camera's directory: told of a policy that no file holds. */
  readonly changes: Pick<DirectoryChanges, 'tell'>;
  readonly random: () => number;
  readonly logger: AgentLog;
}

const WITHOUT_CERTIFICATE_MS = 500;
const WITHOUT_POLICY_MS = 5_000;
const WITH_POLICY_MS = 60_000;

/** How long until the server is asked again, ms. @param random in [0, 1). */
export function policyDelayMs(
  state: { readonly certificate: boolean; readonly policy: boolean },
  random: number,
): number {
  if (!state.certificate) return WITHOUT_CERTIFICATE_MS;
  return spreadPeriodMs(state.policy ? WITH_POLICY_MS : WITHOUT_POLICY_MS, random);
}

/** Asks the server for what the owner signed: the policy, and the pin statement. */
export class PolicyPoll {
  readonly #options: PolicyPollOptions;
  readonly #connection: Connection;
  readonly #policy: PolledDocument;
  readonly #pins: PolledDocument;
  #outdated = false;
  #waiting = new AbortController();

  constructor(options: PolicyPollOptions) {
    const { server, enrolment, watch, clock, logger } = options;
    this.#options = options;
    const dial = server.dialWith(() => enrolment.certificate);
    this.#connection = new Connection(
      dial,
      () => server.authority,
      () => undefined,
      logger,
    );
    const onHead = ({ date }: { readonly date?: string | undefined }) => clock.hearServer(date);
    this.#policy = new PolledDocument({
      path: POLICY_PATH,
      maxBytes: MAX_POLICY_BYTES,
      trouble: new FailureTracker('no policy from the server', clock, logger),
      take: (body) => this.#takePolicy(body),
      isLost: () => watch.fileRefused,
      onHead,
    });
    this.#pins = new PolledDocument({
      path: PINS_PATH,
      maxBytes: MAX_PINS_BYTES,
      trouble: new FailureTracker("the server's pin statement is not obeyed", clock, logger),
      take: (body) => this.#takePins(body),
      onHead,
    });
  }

  /** What is wrong with getting the next policy. */
  get trouble(): FailureView | undefined {
    return this.#policy.trouble.view;
  }

  /** What is wrong with the pin statement that the server brings. */
  get pinsTrouble(): FailureView | undefined {
    return this.#pins.trouble.view;
  }

  /** Works until the signal aborts; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, enrolment, watch, random } = this.#options;
    signal.addEventListener('abort', () => this.#connection.end(), { once: true });
    while (!signal.aborted) {
      const certificate = enrolment.certificate !== undefined;
      if (certificate) await this.#poll(signal);
      const delayMs = policyDelayMs({ certificate, policy: watch.present }, random());
      this.#waiting = new AbortController();
      const until = AbortSignal.any([signal, this.#waiting.signal]);
      await clock.sleep(delayMs, until).catch(() => undefined);
    }
  }

  /** Asks now instead of later. */
  checkNow(): void {
    this.#waiting.abort();
  }

  /** The certificate is another, or the server: the next request goes over a new connection. */
  reconnect(): void {
    this.#outdated = true;
  }

  async #poll(signal: AbortSignal): Promise<void> {
    if (await this.#fetch(this.#policy, signal)) await this.#fetch(this.#pins, signal);
  }

  /** @returns whether the server lets this camera ask. */
  async #fetch(document: PolledDocument, signal: AbortSignal): Promise<boolean> {
    if (this.#outdated) this.#connection.close();
    this.#outdated = false;
    try {
      await document.fetch(this.#connection);
      document.trouble.over();
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      const { watch, enrolment } = this.#options;
      const request = this.#connection.lastRequest;
      this.#connection.close();
      const { code } = describeError(error);
      if (code === 'CERTIFICATE_EXPIRED' || code === 'CAMERA_UNKNOWN') enrolment.callUseless();
      // A policy that was brought by hand need not be at the server, and an older server carries no pin statements.
      const isNone =
        document === this.#policy ? code === 'POLICY_NONE' && watch.present : code === 'ROUTE_UNKNOWN';
      if (isNone) document.trouble.over();
      else document.trouble.note(error, request);
      const { name } = error as { readonly name?: string };
      return code === 'POLICY_NONE' || (name !== 'ClientError' && name !== 'HostError');
    }
  }

  async #takePolicy(body: string): Promise<boolean> {
    const { changes, directory, disk, watch, logger, onTrial } = this.#options;
    if ((await watch.judge(body)) === 'same') return true;
    // The release before, which may yet have to go on from here, reads policies of version 1 only.
    if (watch.version === 1 && (await onTrial?.())) return false;
    try {
      await writeFileAtomic(disk, directory.policy, utf8(body), 0o600);
    } catch (error) {
      await watch.bring(body);
      changes.tell();
      if (watch.isOnFile) {
        logger.error(
          errorFields(error),
          'policy received, and obeyed from memory: its file cannot be written',
        );
      }
      // It is written once that works.
      return false;
    }
    logger.info({}, 'policy received');
    return true;
  }

  async #takePins(body: string): Promise<boolean> {
    const { pinned, logger } = this.#options;
    if (body === '' || (await pinned.take(body)) === 'same') return true;
    logger.info({ counter: pinned.counter, server: pinned.origin }, 'pin statement received');
    return true;
  }
}
