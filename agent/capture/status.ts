import type { Clock } from '../../host/clock.ts';
import { RESTART_CAUSES, type RestartCause } from './restart-rules.ts';
import { type CaptureState, writeCaptureState } from './status-file.ts';

/** What capture says of itself, kept in step with capture.json. */
export interface Status {
  /** Writes `capture.json`: on changes only, which come at most as often as runs do. */
  publish(change: Partial<Omit<CaptureState, 'restarts' | 'since'>>): void;
  /** Counts a restart; written with the next change. */
  count(cause: RestartCause): void;
}

export function openStatus(runDir: string, clock: Clock): Status {
  const restarts = Object.fromEntries(RESTART_CAUSES.map((cause) => [cause, 0])) as Record<
    RestartCause,
    number
  >;
  let current: CaptureState = {
    state: 'waiting',
    run: 0,
    source: '',
    mode: null,
    encoder: null,
    restarts,
    lastError: null,
    givenUp: [],
    pid: null,
    since: clock.now(),
  };
  return {
    publish(change) {
      const since = (change.state ?? current.state) === current.state ? current.since : clock.now();
      current = { ...current, ...change, since };
      writeCaptureState(runDir, current);
    },
    count(cause) {
      restarts[cause]++;
    },
  };
}
