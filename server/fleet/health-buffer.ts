import type { Clock } from '../../host/clock.ts';
import type { Telemetry } from '../../wire/telemetry.ts';
import type { Health, HealthTable } from '../registry/health-table.ts';

/** How each camera is, gathered until somebody writes it down: a fleet's telemetry is one transaction a second. */
export class HealthBuffer {
  readonly #table: HealthTable;
  readonly #clock: Pick<Clock, 'now'>;
  /** Of every camera that ever came: no other process writes it. */
  readonly #presence = new Map<string, Pick<Health, 'online' | 'sinceMs'>>();
  readonly #changed = new Map<string, Health>();

  private constructor(table: HealthTable, clock: Pick<Clock, 'now'>) {
    this.#table = table;
    this.#clock = clock;
  }

  /** Of a server that begins: no camera is connected, and the next write says so. @throws as Queries do. */
  static async begin(table: HealthTable, clock: Pick<Clock, 'now'>): Promise<HealthBuffer> {
    const buffer = new HealthBuffer(table, clock);
    for (const { camera, ...presence } of await table.presence()) {
      buffer.#presence.set(camera, presence);
      if (presence.online) buffer.presence(camera, false);
    }
    return buffer;
  }

  presence(camera: string, online: boolean): void {
    if (this.#presence.get(camera)?.online === online) return;
    const { telemetry, receivedAtMs } = this.#changed.get(camera) ?? {
      telemetry: undefined,
      receivedAtMs: undefined,
    };
    this.#change({ camera, online, sinceMs: this.#clock.now(), telemetry, receivedAtMs });
  }

  telemetry(camera: string, telemetry: Telemetry): void {
    const nowMs = this.#clock.now();
    const { online, sinceMs } = this.#presence.get(camera) ?? { online: true, sinceMs: nowMs };
    this.#change({ camera, online, sinceMs, telemetry, receivedAtMs: nowMs });
  }

  /** Writes down what has changed since the last call. What could not be written is kept. @throws as Queries do. */
  async write(): Promise<void> {
    const written = [...this.#changed.values()];
    if (written.length === 0) return;
    await this.#table.write(written);
    for (const each of written)
      if (this.#changed.get(each.camera) === each) this.#changed.delete(each.camera);
  }

  #change(health: Health): void {
    const { camera, online, sinceMs } = health;
    this.#presence.set(camera, { online, sinceMs });
    this.#changed.set(camera, health);
  }
}
