import type { Gate } from './gate.ts';
import type { Log } from './log.ts';
import type { Registry } from './registry.ts';
import type { Sightings } from './sightings.ts';

/** How often a running server looks whether a command has changed the registry, ms. */
const LOOK_MS = 500;
/** How often it writes down who was here, ms. */
const SIGHTINGS_MS = 10_000;

export interface Watched {
  readonly registry: Registry;
  readonly gate: Pick<Gate, 'expel'>;
  readonly sightings: Sightings;
  readonly log: Log;
}

/** Carries out what commands write into the registry, and writes down who was here. Returns what ends it. */
export function watchRegistry({ registry, gate, sightings, log }: Watched): () => void {
  const attempt = (work: () => void) => {
    try {
      work();
    } catch (error) {
      log.error({ err: error }, 'registry failed');
    }
  };
  const look = () => {
    if (registry.changedElsewhere()) gate.expel((camera) => registry.standing(camera) === 'revoked');
  };
  const write = () => {
    const seen = sightings.take();
    if (seen.length > 0) registry.see(seen);
  };
  const timers = [setInterval(() => attempt(look), LOOK_MS), setInterval(() => attempt(write), SIGHTINGS_MS)];
  return () => {
    for (const timer of timers) clearInterval(timer);
    attempt(write);
  };
}
