import type { Clock } from '../../host/clock.ts';
import type { Telemetry } from '../../wire/telemetry.ts';
import type { Health, HealthTable } from '../registry/health-table.ts';

/** How each camera is, gathered until somebody writes it down: a fleet's telemetry is one transaction a second. */
export class HealthBuffer {
  readonly #table: HealthTable;
  readonly #clock: Pick<Clock, 'now'>;
  #changed = new Map<string, Health>();

  constructor(table: HealthTable, clock: Pick<Clock, 'now'>) {
    this.#table = table;
    this.#clock = clock;
  }

  /** Of a server that begins: no camera is connected, and the next write says so. @throws as Database does. */
  begin(): void {
    for (const health of this.#table.online()) {
      this.#changed.set(health.camera, { ...health, online: false, sinceMs: this.#clock.now() });
    }
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
    if (this.#changed.size === 0) return;
    this.#table.write(this.#changed.values());
    this.#changed = new Map();
  }

  #of(camera: string): Health | undefined {
    return this.#changed.get(camera) ?? this.#table.of(camera);
  }
}
