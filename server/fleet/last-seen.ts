import type { Sighting } from '../registry/registry.ts';

/** When each camera was here last, gathered until somebody writes it down. */
export class LastSeen {
  readonly #seen = new Map<string, Sighting>();

  note(camera: string, address: string | undefined, atMs: number): void {
    this.#seen.set(camera, { camera, atMs, address: address ?? '' });
  }

  /** Writes down what was noted since the last call. What could not be written is kept. */
  async write(put: (seen: Iterable<Sighting>) => Promise<void>): Promise<void> {
    const written = [...this.#seen.values()];
    if (written.length === 0) return;
    await put(written);
    for (const each of written) if (this.#seen.get(each.camera) === each) this.#seen.delete(each.camera);
  }
}
