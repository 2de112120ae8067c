import { type Backoff, jitteredBackoffMs } from '../../host/backoff.ts';
import type { Clock } from '../../host/clock.ts';
import { checkSnapshot, encodeMessage, parseMessage } from '../../wire/control.ts';
import type { Telemetry } from '../../wire/telemetry.ts';
import type { Dial } from '../client/connection.ts';
import { FailureTracker } from '../client/failure-tracker.ts';
import { type AgentLog, errorFields } from '../log.ts';
import type { ControlView } from '../status/views.ts';
import type { ControlConnection } from './mqtt-connection.ts';
import { Outbox, type QueuedTopic } from './outbox.ts';
import { RequestLog, Requests, requestHandlers } from './requests.ts';

/** When control dials again. Pure. */

/** How the last connection, or the attempt at one, ended. */
export type Ending =
  /** By us, since certificate or server are others now. */
  | 'renewed'
  /** It had been there. */
  | 'lost'
  /** There was nobody, or nobody to be talked to. */
  | 'unreachable'
  /** The server refused the camera: only another certificate, or its owner, changes that. */
  | 'refused';

const LOST_MS = 5_000;
const UNREACHABLE: Backoff = { firstMs: 2_000, longestMs: 60_000 };
const REFUSED: Backoff = { firstMs: 30_000, longestMs: 600_000 };

/**
 * All cameras of a server lose it at the same moment, and come back spread over the time that follows.
 * @param failures in a row, from 1: connections that never were.
 * @param random in [0, 1).
 * @returns ms.
 */
export function reconnectDelayMs(ending: Ending, failures: number, random: number): number {
  switch (ending) {
    case 'renewed':
      return 0;
    case 'lost':
      return random * LOST_MS;
    case 'unreachable':
      return jitteredBackoffMs(UNREACHABLE, failures, random);
    case 'refused':
      return jitteredBackoffMs(REFUSED, failures, random);
  }
}

/** Sealed snapshots, made elsewhere. */
export interface SnapshotSource {
  /** The next that may be sent now. */
  take(): Uint8Array | undefined;
  /** Asks for one. False when none may be made now. */
  request(): boolean;
}

export interface ControlOptions {
  readonly camera: string;
  /** Dials the server for MQTT, with the client certificate. */
  readonly dial: Dial;
  readonly certificate: () => string | undefined;
  readonly telemetry: () => Promise<Telemetry>;
  /** Fetches policy and certificate, and checks for updates. */
  readonly refresh: () => void;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: AgentLog;
  readonly telemetryMs?: number;
}

/** How control is, for the status. */

const TELEMETRY_MS = 30_000;
const KEEPALIVE_SECONDS = 30;
const ANSWER_MS = 15_000;
/** An ending agent does not wait longer to say so. */
const LEAVE_MS = 2_000;
const WITHOUT_CERTIFICATE_MS = 5_000;
/** How often a line that has nothing to send looks for a snapshot whose session the server did not know before. */
const IDLE_MS = 5_000;

/**
 * The camera's end of control: tells the server how it is, and does the little that the server may ask. Whatever fails
 * here is tried again later, and touches nothing else.
 */
export class Control {
  readonly #options: ControlOptions;
  readonly #outbox = new Outbox();
  readonly #requests: Requests;
  readonly #requestLog: RequestLog;
  readonly #trouble: FailureTracker;
  #snapshots: SnapshotSource | undefined;
  #connected = false;
  /** Aborted when the connection, or the wait for the next, is to end. */
  #renewal = new AbortController();
  /** Aborted when telemetry is not to wait for its time. */
  #quiet = new AbortController();
  /** Aborted when there may be something to send. */
  #idle = new AbortController();

  constructor(options: ControlOptions) {
    const { telemetry, refresh, clock, logger } = options;
    this.#options = options;
    const snapshot = () => this.#snapshots?.request();
    this.#requests = new Requests(requestHandlers({ telemetry, refresh, snapshot }), clock);
    this.#requestLog = new RequestLog(logger, () => clock.monotonic());
    this.#trouble = new FailureTracker('no control', clock, logger);
  }

  get view(): ControlView {
    return { connected: this.#connected, dropped: this.#outbox.dropped, trouble: this.#trouble.view };
  }

  /** Sends these snapshots from now on. */
  carry(snapshots: SnapshotSource): void {
    this.#snapshots = snapshots;
  }

  /** There is a snapshot to send. */
  snapshotReady(): void {
    this.#rouse();
  }

  /** What the camera does has changed: it is told at once, and not at the next telemetry's time. */
  tellNow(): void {
    this.#quiet.abort();
  }

  /** Certificate or server are others: the connection is made anew. */
  reconnect(): void {
    this.#renewal.abort(new Error('renewed'));
  }

  /** Works until the signal aborts; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#tell(signal), this.#keepLine(signal)]);
  }

  /** Telemetry goes into the outbox whether there is a line or not. */
  async #tell(signal: AbortSignal): Promise<void> {
    const { clock, telemetry, telemetryMs = TELEMETRY_MS, logger } = this.#options;
    while (!signal.aborted) {
      this.#quiet = new AbortController();
      try {
        this.#put('telemetry', encodeMessage('telemetry', await telemetry()));
      } catch (error) {
        logger.warn(errorFields(error), 'no telemetry');
      }
      await clock.sleep(telemetryMs, AbortSignal.any([signal, this.#quiet.signal])).catch(() => undefined);
    }
  }

  async #keepLine(signal: AbortSignal): Promise<void> {
    const { certificate, clock, random } = this.#options;
    for (let failures = 0; !signal.aborted; ) {
      this.#renewal = new AbortController();
      const over = AbortSignal.any([signal, this.#renewal.signal]);
      let delayMs = WITHOUT_CERTIFICATE_MS;
      if (certificate() !== undefined) {
        const ending = await this.#connect(over);
        failures = ending === 'unreachable' || ending === 'refused' ? failures + 1 : 0;
        delayMs = reconnectDelayMs(ending, failures, random());
      }
      await clock.sleep(delayMs, over).catch(() => undefined);
    }
  }

  /** One connection, to its end. @param over aborted when it is to end. */
  async #connect(over: AbortSignal): Promise<Ending> {
    const { logger } = this.#options;
    let connection: ControlConnection | undefined;
    try {
      connection = await this.#dial(over);
      this.#connected = true;
      this.#trouble.over();
      logger.info({}, 'control connected');
      await this.#send(connection, over);
      return 'renewed';
    } catch (error) {
      if (over.aborted) return 'renewed';
      const code = this.#trouble.note(error);
      if (connection !== undefined) return 'lost';
      return code === 'CONTROL_REFUSED' ? 'refused' : 'unreachable';
    } finally {
      this.#connected = false;
      connection?.destroy();
    }
  }

  async #dial(over: AbortSignal): Promise<ControlConnection> {
    const { camera, dial, clock } = this.#options;
    // MQTT.js is loaded by a camera that has something to say.
    const { openControlConnection } = await import('./mqtt-connection.ts');
    return openControlConnection(await dial(over), {
      camera,
      keepaliveSeconds: KEEPALIVE_SECONDS,
      answerMs: ANSWER_MS,
      onRequest: (bytes) => void this.#request(bytes),
      onClosed: () => this.#rouse(),
      signal: over,
      monotonic: () => clock.monotonic(),
    });
  }

  /** Sends what there is until it is over, then says good-bye. @throws ControlError when the line ends before. */
  async #send(connection: ControlConnection, over: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    let leaving: NodeJS.Timeout | undefined;
    const leave = () => {
      this.#rouse();
      leaving = setTimeout(() => connection.destroy(), LEAVE_MS);
    };
    over.addEventListener('abort', leave, { once: true });
    try {
      while (!over.aborted) {
        this.#idle = new AbortController();
        connection.check();
        this.#takeSnapshot();
        const message = this.#outbox.next();
        if (message === undefined) {
          await clock.sleep(IDLE_MS, this.#idle.signal).catch(() => undefined);
          continue;
        }
        await connection.publish(message.topic, message.bytes);
        this.#outbox.sent(message);
      }
      await connection.end();
    } finally {
      clearTimeout(leaving);
      over.removeEventListener('abort', leave);
    }
  }

  /** One at a time: what waits longer is better kept, or dropped, where it was made. */
  #takeSnapshot(): void {
    if (this.#outbox.has('snapshot')) return;
    try {
      const snapshot = this.#snapshots?.take();
      if (snapshot === undefined) return;
      checkSnapshot(snapshot);
      this.#put('snapshot', snapshot);
    } catch (error) {
      this.#options.logger.warn(errorFields(error), 'snapshot not sent');
    }
  }

  async #request(bytes: Uint8Array): Promise<void> {
    const log = this.#requestLog;
    try {
      const request = parseMessage('request', bytes);
      const { id } = request;
      log.info({ request: id, what: request.request }, 'request received');
      const reply = await this.#requests.answer(request);
      log.info({ request: id, code: reply.code }, 'request answered');
      this.#put('reply', encodeMessage('reply', reply));
    } catch (error) {
      log.warn(errorFields(error), 'request refused');
    }
  }

  #put(topic: QueuedTopic, bytes: Uint8Array): void {
    this.#outbox.put(topic, bytes);
    this.#rouse();
  }

  #rouse(): void {
    this.#idle.abort();
  }
}
