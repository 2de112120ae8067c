import type { Clock } from '../../host/clock.ts';
import { knownRequest, type Reply, type Request } from '../../wire/control.ts';
import type { Telemetry } from '../../wire/telemetry.ts';

export interface RequestHandlers {
  readonly telemetry: () => Promise<Telemetry>;
  /** Asks for a snapshot. False when none may be made now; undefined when the camera makes none at all yet. */
  readonly snapshot: () => boolean | undefined;
  /** Looks for policy, certificate and updates. */
  readonly refresh: () => void;
}

/** Looking costs the server and the line something: it is not done more often. */
const CLOSEST_LOOKS_MS = 5_000;

/** The little that a server may ask of a camera. None of it changes what the camera does: that, only its owner can. */
export class Requests {
  readonly #handlers: RequestHandlers;
  readonly #clock: Pick<Clock, 'monotonic'>;
  #lookedAt: number | undefined;

  constructor(handlers: RequestHandlers, clock: Pick<Clock, 'monotonic'>) {
    this.#handlers = handlers;
    this.#clock = clock;
  }

  /** Never rejects. */
  async answer(request: Request): Promise<Reply> {
    try {
      return { id: request.id, ...(await this.#answer(request)) };
    } catch {
      return { id: request.id, code: 'FAILED' };
    }
  }

  async #answer(request: Request): Promise<Omit<Reply, 'id'>> {
    const { telemetry, snapshot } = this.#handlers;
    switch (knownRequest(request)) {
      case 'ping':
        return { code: 'DONE' };
      case 'status':
        return { code: 'DONE', telemetry: await telemetry() };
      case 'snapshot':
        return snapshotReply(snapshot());
      case 'refresh':
        return this.#refresh();
      case undefined:
        return { code: 'REQUEST_UNKNOWN' };
    }
  }

  #refresh(): Omit<Reply, 'id'> {
    const now = this.#clock.monotonic();
    if (this.#lookedAt !== undefined && now - this.#lookedAt < CLOSEST_LOOKS_MS) return { code: 'BUSY' };
    this.#lookedAt = now;
    this.#handlers.refresh();
    return { code: 'DONE' };
  }
}

function snapshotReply(begun: boolean | undefined): Omit<Reply, 'id'> {
  if (begun === undefined) return { code: 'UNAVAILABLE', message: 'the camera does not record' };
  return begun
    ? { code: 'DONE' }
    : { code: 'UNAVAILABLE', message: 'the last snapshot is too young, or the policy allows none' };
}
