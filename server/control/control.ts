import type { Clock } from '../../host/clock.ts';
import { HostError } from '../../host/errors.ts';
import {
  type CameraTopic,
  checkSnapshot,
  encodeMessage,
  MessageError,
  parseMessage,
} from '../../wire/control.ts';
import type { HealthBuffer } from '../fleet/health-buffer.ts';
import type { RefusalLog } from '../http/refusal-log.ts';
import type { Log } from '../log.ts';
import type { RegistryWrites } from '../registry/registry-writes.ts';
import type { RequestRecord, RequestTable } from '../registry/request-table.ts';

/** Keeps the sealed snapshots that cameras send. */
export interface SnapshotKeeper {
  /** @throws HostError. */
  keep(camera: string, snapshot: Uint8Array): Promise<void>;
}

export interface ControlOptions {
  readonly requests: RequestTable;
  /** Of the registry that `requests` lie in. */
  readonly writes: RegistryWrites;
  readonly health: HealthBuffer;
  readonly snapshots: SnapshotKeeper;
  readonly clock: Clock;
  readonly log: Log;
  readonly refusals: RefusalLog;
}

/** How requests reach cameras. */
export interface RequestLine {
  reaches(camera: string): boolean;
  send(camera: string, request: Uint8Array): void;
}

/** How long requests and replies wait to be written down while another process holds the registry, ms. */
const WRITE_WAIT_MS = 60_000;

/**
 * What control's messages mean: presence and telemetry become the fleet's health, replies find their requests, snapshots
 * are kept. A message that cannot be read is dropped, and said to be so.
 */
export class Control {
  readonly #options: ControlOptions;
  #line: RequestLine | undefined;
  /** One at a time: what one has sent the next one finds noted. */
  #sending: Promise<void> = Promise.resolve();
  /** Cameras that are to get all that waits for them. */
  readonly #ready = new Set<string>();
  /** Requests that were sent, which the registry does not say yet. */
  readonly #noting = new Set<string>();

  constructor(options: ControlOptions) {
    this.#options = options;
  }

  /** Requests go out over `line` from now on. */
  connect(line: RequestLine): void {
    this.#line = line;
  }

  /** Never rejects. */
  async receive(camera: string, topic: CameraTopic, bytes: Uint8Array): Promise<void> {
    const { log, refusals } = this.#options;
    try {
      await this.#take(camera, topic, bytes);
    } catch (error) {
      if (error instanceof MessageError)
        refusals.say(camera, { camera, topic, code: error.code }, 'message refused');
      else if (error instanceof HostError) log.error({ camera, topic, code: error.code }, 'message not kept');
      else log.error({ camera, topic, err: error }, 'message failed');
    }
  }

  /**
   * The camera takes requests now: it gets all that wait, those again that a lost connection may have swallowed.
   * Never throws.
   */
  ready(camera: string): void {
    this.#options.health.presence(camera, true);
    this.#ready.add(camera);
    this.#sendNext(() => {
      this.#ready.delete(camera);
      return (request) => request.camera === camera;
    });
  }

  /** Never throws. */
  gone(camera: string): void {
    this.#options.health.presence(camera, false);
  }

  /** A command may have written requests. Never throws. */
  pollRequests(): void {
    this.#sendNext(
      () =>
        ({ id, camera, sentAtMs }) =>
          sentAtMs === undefined && !this.#noting.has(id) && !this.#ready.has(camera),
    );
  }

  async #take(camera: string, topic: CameraTopic, bytes: Uint8Array): Promise<void> {
    const { health, snapshots } = this.#options;
    switch (topic) {
      case 'status':
        health.presence(camera, parseMessage('status', bytes).online);
        return;
      case 'telemetry':
        health.telemetry(camera, parseMessage('telemetry', bytes));
        return;
      case 'snapshot':
        checkSnapshot(bytes);
        await snapshots.keep(camera, bytes);
        return;
      case 'reply':
        this.#reply(camera, bytes);
    }
  }

  #reply(camera: string, bytes: Uint8Array): void {
    const { requests, writes, health, clock, log, refusals } = this.#options;
    const reply = parseMessage('reply', bytes);
    if (reply.telemetry !== undefined) health.telemetry(camera, reply.telemetry);
    const fields = { camera, request: reply.id, code: reply.code };
    const nowMs = clock.now();
    writes
      .write(() => requests.replied(camera, reply, nowMs), WRITE_WAIT_MS)
      .then((taken) => {
        if (taken) log.info(fields, 'reply received');
        else refusals.say(camera, fields, 'reply that nobody waits for');
      })
      .catch((error) => log.error({ ...fields, err: error }, 'message failed'));
  }

  /** @param begin called when it is its turn. */
  #sendNext(begin: () => (request: RequestRecord) => boolean): void {
    this.#sending = this.#sending
      .then(() => this.#send(begin()))
      .catch((error) => this.#options.log.error({ err: error }, 'requests failed'));
  }

  async #send(isDue: (request: RequestRecord) => boolean): Promise<void> {
    const { requests, writes, clock, log } = this.#options;
    const nowMs = clock.now();
    for (const record of await requests.open(nowMs)) {
      const { id, request, camera } = record;
      if (!isDue(record) || !this.#line?.reaches(camera)) continue;
      this.#noting.add(id);
      writes
        .write(() => requests.sent(id, nowMs), WRITE_WAIT_MS)
        .catch((error) => log.error({ err: error }, 'requests failed'))
        .finally(() => this.#noting.delete(id));
      this.#line.send(camera, encodeMessage('request', { id, request }));
      log.info({ camera, request: id, what: request }, 'request sent');
    }
  }
}
