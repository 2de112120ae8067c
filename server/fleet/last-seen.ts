import type { Sighting } from '../registry/registry.ts';

/** When each camera was here last, gathered until somebody writes it down. */
export class LastSeen {
  #seen = new Map<string, Sighting>();

  note(camera: string, address: string | undefined, atMs: number): void {
    this.#seen.set(camera, { camera, atMs, address: address ?? '' });
  }

  /** Writes down what was noted since the last call. What could not be written is kept. */
  write(put: (seen: Iterable<Sighting>) => void): void {
    if (this.#seen.size === 0) return;
    put(this.#seen.values());
    this.#seen = new Map();
  }
}
