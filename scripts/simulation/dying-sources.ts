import type { Fleet } from './fleet.ts';

/** Kills ffmpeg where it runs in a container; that it is gone already is no matter. */
const KILL_FFMPEG =
  'for exe in /proc/[0-9]*/exe; do case $(readlink "$exe") in */ffmpeg) kill -9 "$(basename "$(dirname "$exe")")";; esac; done';

/** Lets the sources die that are to die, as a lens does that is pulled out. */
export class DyingSources {
  readonly #timers: readonly NodeJS.Timeout[];

  constructor(fleet: Fleet) {
    this.#timers = fleet.cameras.flatMap(({ name, film: { diesEvery } }) => {
      if (diesEvery === undefined) return [];
      const kill = async () => fleet.docker('exec', await fleet.container(name), 'sh', '-c', KILL_FFMPEG);
      // A camera that is down at the moment has no source that could die.
      return [setInterval(() => void kill().catch(() => undefined), diesEvery * 1000)];
    });
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }
}
