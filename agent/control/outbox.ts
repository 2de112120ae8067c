import type { CameraTopic } from '../../wire/control.ts';

/** What waits for the line. The status is not among it: only the present one is ever said. */
export type QueuedTopic = Exclude<CameraTopic, 'status'>;

export interface Outgoing {
  readonly topic: QueuedTopic;
  readonly bytes: Uint8Array;
}

/** Most messages of each kind that wait: half an hour of telemetry. */
export const OUTBOX_LIMITS: Readonly<Record<QueuedTopic, number>> = { reply: 16, telemetry: 60, snapshot: 2 };

/** In this order they are sent. */
const ORDER = ['reply', 'telemetry', 'snapshot'] as const;

/** Messages for the server while it is away, in memory: of each kind the newest, the oldest dropped and counted. */
export class Outbox {
  readonly #limits: Readonly<Record<QueuedTopic, number>>;
  readonly #waiting: Record<QueuedTopic, Outgoing[]> = { reply: [], telemetry: [], snapshot: [] };
  #dropped = 0;

  constructor(limits = OUTBOX_LIMITS) {
    this.#limits = limits;
  }

  /** Messages given up for want of room. */
  get dropped(): number {
    return this.#dropped;
  }

  has(topic: QueuedTopic): boolean {
    return this.#waiting[topic].length > 0;
  }

  put(topic: QueuedTopic, bytes: Uint8Array): void {
    const waiting = this.#waiting[topic];
    waiting.push({ topic, bytes });
    if (waiting.length <= this.#limits[topic]) return;
    waiting.shift();
    this.#dropped++;
  }

  /** The one to send next; it waits until it is `sent`. */
  next(): Outgoing | undefined {
    for (const topic of ORDER) {
      const [oldest] = this.#waiting[topic];
      if (oldest !== undefined) return oldest;
    }
    return undefined;
  }

  /** The server has it. */
  sent(message: Outgoing): void {
    const waiting = this.#waiting[message.topic];
    const index = waiting.indexOf(message);
    if (index !== -1) waiting.splice(index, 1);
  }
}
