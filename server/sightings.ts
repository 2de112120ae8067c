import type { Sighting } from './registry.ts';

/** When each camera was here last, gathered until somebody writes it down. */
export class Sightings {
  #seen = new Map<string, Sighting>();

  note(camera: string, address: string | undefined, atMs: number): void {
    this.#seen.set(camera, { camera, atMs, address: address ?? '' });
  }

  /** What was noted since the last call. */
  take(): Sighting[] {
    const seen = [...this.#seen.values()];
    this.#seen = new Map();
    return seen;
  }
}
