import { utf8 } from '../../crypto/bytes.ts';
import { writeFileAtomic } from '../../host/atomic-file.ts';
import type { Disk } from '../../host/disk.ts';
import { MAX_POLICY_BYTES, POLICY_PATH } from '../../wire/enrolment.ts';
import type { CameraDirectory } from '../camera/camera-directory.ts';
import type { PolicyWatch } from '../camera/policy-watch.ts';
import type { CameraClock } from '../clock/camera-clock.ts';
import type { AgentLog } from '../log.ts';
import type { ServerDial } from '../server-dial.ts';
import { Connection } from '../uplink/connection.ts';
import { describeError } from '../uplink/errors.ts';
import { ask } from '../uplink/exchange.ts';
import type { Enrolment } from './enrolment.ts';
import { Trouble, type TroubleView } from './trouble.ts';

export interface PolicyPollOptions {
  readonly directory: CameraDirectory;
  readonly disk: Disk;
  readonly server: ServerDial;
  readonly enrolment: Enrolment;
  readonly watch: PolicyWatch;
  readonly clock: CameraClock;
  readonly random: () => number;
  readonly logger: AgentLog;
}

const TIMEOUT_MS = 15_000;
const WITHOUT_CERTIFICATE_MS = 500;
const WITHOUT_POLICY_MS = 5_000;
const WITH_POLICY_MS = 60_000;

/** How long until the server is asked again, ms. @param random in [0, 1). */
export function policyDelayMs(
  state: { readonly certificate: boolean; readonly policy: boolean },
  random: number,
): number {
  if (!state.certificate) return WITHOUT_CERTIFICATE_MS;
  return (state.policy ? WITH_POLICY_MS : WITHOUT_POLICY_MS) * (0.8 + random * 0.4);
}

/**
 * Asks the server for the owner's policy. The server is only its carrier: what it brings is judged as a file put
 * there by hand is, and what is not to be obeyed replaces nothing.
 */
export class PolicyPoll {
  readonly #options: PolicyPollOptions;
  readonly #connection: Connection;
  readonly #trouble: Trouble;
  #etag: string | undefined;
  #outdated = false;

  constructor(options: PolicyPollOptions) {
    const { server, enrolment, clock, logger } = options;
    this.#options = options;
    const dial = server.dialWith(() => enrolment.certificate);
    this.#connection = new Connection(dial, server.authority, () => undefined);
    this.#trouble = new Trouble('no policy from the server', clock, logger);
  }

  get trouble(): TroubleView | undefined {
    return this.#trouble.view;
  }

  /** Works until the signal aborts; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, enrolment, watch, random } = this.#options;
    signal.addEventListener('abort', () => this.#connection.end(), { once: true });
    while (!signal.aborted) {
      const certificate = enrolment.certificate !== undefined;
      if (certificate) await this.#poll(signal);
      const delayMs = policyDelayMs({ certificate, policy: watch.present }, random());
      await clock.sleep(delayMs, signal).catch(() => undefined);
    }
  }

  /** The certificate is another: the next request shows it. */
  reconnect(): void {
    this.#outdated = true;
  }

  async #poll(signal: AbortSignal): Promise<void> {
    try {
      await this.#fetch();
      this.#trouble.over();
    } catch (error) {
      if (signal.aborted) return;
      const { watch, enrolment } = this.#options;
      this.#connection.close();
      const { code } = describeError(error);
      if (code === 'CERTIFICATE_EXPIRED') enrolment.callExpired();
      // A policy that was brought by hand need not be at the server.
      if (code === 'POLICY_NONE' && watch.present) this.#trouble.over();
      else this.#trouble.note(error);
    }
  }

  async #fetch(): Promise<void> {
    const { directory, disk, watch, clock, logger } = this.#options;
    if (this.#outdated) this.#connection.close();
    this.#outdated = false;
    const { status, headers, body } = await ask(this.#connection, {
      method: 'GET',
      path: POLICY_PATH,
      headers: this.#etag === undefined ? {} : { 'if-none-match': this.#etag },
      maxBytes: MAX_POLICY_BYTES,
      timeoutMs: TIMEOUT_MS,
      onHead: ({ date }) => clock.hearServer(date),
    });
    if (status === 304) return;
    const verdict = await watch.judge(body);
    // Only of what was taken: a refusal is to be seen for as long as the server brings the same.
    this.#etag = headers.etag;
    if (verdict === 'same') return;
    await writeFileAtomic(disk, directory.policy, utf8(body), 0o600);
    logger.info({}, 'policy received');
  }
}
