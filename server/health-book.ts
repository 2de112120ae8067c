import type { Clock } from '../host/clock.ts';
import type { Telemetry } from '../wire/telemetry.ts';
import type { Health, HealthTable } from './health-table.ts';

/** How each camera is, gathered until somebody writes it down: a fleet's telemetry is one transaction a second. */
export class HealthBook {
  readonly #table: HealthTable;
  readonly #clock: Pick<Clock, 'now'>;
  #changed = new Map<string, Health>();
  /** When the server began: until it is written, the table still says who was connected before. */
  #beganMs: number | undefined;

  /** No camera is connected to a server that begins. */
  constructor(table: HealthTable, clock: Pick<Clock, 'now'>) {
    this.#table = table;
    this.#clock = clock;
    this.#beganMs = clock.now();
  }

  presence(camera: string, online: boolean): void {
    const before = this.#of(camera);
    if (before?.online === online) return;
    const { telemetry, receivedAtMs } = before ?? { telemetry: undefined, receivedAtMs: undefined };
    this.#changed.set(camera, { camera, online, sinceMs: this.#clock.now(), telemetry, receivedAtMs });
  }

  telemetry(camera: string, telemetry: Telemetry): void {
    const nowMs = this.#clock.now();
    const { online, sinceMs } = this.#of(camera) ?? { online: true, sinceMs: nowMs };
    this.#changed.set(camera, { camera, online, sinceMs, telemetry, receivedAtMs: nowMs });
  }

  /** Writes down what has changed since the last call. What could not be written is kept. @throws as Database does. */
  write(): void {
    if (this.#beganMs !== undefined) this.#table.allOffline(this.#beganMs);
    this.#beganMs = undefined;
    if (this.#changed.size === 0) return;
    this.#table.write(this.#changed.values());
    this.#changed = new Map();
  }

  #of(camera: string): Health | undefined {
    const changed = this.#changed.get(camera);
    if (changed !== undefined) return changed;
    const written = this.#table.of(camera);
    if (written?.online !== true || this.#beganMs === undefined) return written;
    return { ...written, online: false, sinceMs: this.#beganMs };
  }
}
