import type * as v from 'valibot';
import type { Clock } from '../../host/clock.ts';
import { knownRequest, type Reply, type ReplyCode, type Request } from '../../wire/control.ts';
import { CONTROL_REQUESTS, type RequestKind } from '../../wire/control-requests.ts';
import type { Telemetry } from '../../wire/telemetry.ts';
import type { AgentLog } from '../log.ts';

/** So many lines are written in a window, ms; more are counted. */
const WINDOW_LINES = 60;
const WINDOW_MS = 60_000;

/** Lines about requests, whose number is the server's to choose: it must not fill the camera's log. */
export class RequestLog {
  readonly #logger: Pick<AgentLog, 'info' | 'warn'>;
  readonly #monotonic: () => number;
  #since = Number.NEGATIVE_INFINITY;
  #lines = 0;

  /** @param monotonic ms, as Clock.monotonic. */
  constructor(logger: Pick<AgentLog, 'info' | 'warn'>, monotonic: () => number) {
    this.#logger = logger;
    this.#monotonic = monotonic;
  }

  info(fields: object, message: string): void {
    if (this.#take()) this.#logger.info(fields, message);
  }

  warn(fields: object, message: string): void {
    if (this.#take()) this.#logger.warn(fields, message);
  }

  #take(): boolean {
    const now = this.#monotonic();
    if (now - this.#since >= WINDOW_MS) {
      const count = this.#lines - WINDOW_LINES;
      if (count > 0) this.#logger.warn({ count }, 'more was said of requests');
      this.#since = now;
      this.#lines = 0;
    }
    this.#lines += 1;
    return this.#lines <= WINDOW_LINES;
  }
}

/** What a request came to, with what its reply has beside code and message. */
type Outcome<Kind extends RequestKind> =
  | ({ readonly code: 'DONE' } & ReplyMembers<Kind>)
  | { readonly code: Exclude<ReplyCode, 'DONE'>; readonly message?: string };
type Schemas<Kind extends RequestKind> = (typeof CONTROL_REQUESTS)[Kind]['reply'];
type ReplyMembers<Kind extends RequestKind> = {
  readonly [Name in keyof Schemas<Kind>]: Schemas<Kind>[Name] extends v.GenericSchema
    ? v.InferOutput<Schemas<Kind>[Name]>
    : never;
};

/** What does each request. */
type RequestHandlers = {
  readonly [Kind in RequestKind]: () => Outcome<Kind> | Promise<Outcome<Kind>>;
};

/** What of the camera the requests reach. */
interface RequestedParts {
  readonly telemetry: () => Promise<Telemetry>;
  /** Asks for a snapshot. False when none may be made now; undefined when the camera makes none at all yet. */
  readonly snapshot: () => boolean | undefined;
  /** Fetches policy and certificate, and checks for updates. */
  readonly refresh: () => void;
}

/** A camera's own handlers. */
export function requestHandlers({ telemetry, snapshot, refresh }: RequestedParts): RequestHandlers {
  return {
    ping: () => ({ code: 'DONE' }),
    status: async () => ({ code: 'DONE', telemetry: await telemetry() }),
    snapshot: () => snapshotOutcome(snapshot()),
    refresh: () => {
      refresh();
      return { code: 'DONE' };
    },
  };
}

/** Answers the little that a server may ask of a camera. */
export class Requests {
  readonly #handlers: RequestHandlers;
  readonly #clock: Pick<Clock, 'monotonic'>;
  /** When each was done last, monotonic ms. */
  readonly #doneAtMs = new Map<RequestKind, number>();

  constructor(handlers: RequestHandlers, clock: Pick<Clock, 'monotonic'>) {
    this.#handlers = handlers;
    this.#clock = clock;
  }

  /** Never rejects. */
  async answer(request: Request): Promise<Reply> {
    try {
      return { id: request.id, ...(await this.#answer(knownRequest(request))) };
    } catch {
      return { id: request.id, code: 'FAILED' };
    }
  }

  async #answer(kind: RequestKind | undefined): Promise<Omit<Reply, 'id'>> {
    if (kind === undefined) return { code: 'REQUEST_UNKNOWN' };
    const now = this.#clock.monotonic();
    const last = this.#doneAtMs.get(kind);
    if (last !== undefined && now - last < CONTROL_REQUESTS[kind].apartMs) return { code: 'BUSY' };
    this.#doneAtMs.set(kind, now);
    return await this.#handlers[kind]();
  }
}

function snapshotOutcome(begun: boolean | undefined): Outcome<'snapshot'> {
  if (begun === undefined) return { code: 'UNAVAILABLE', message: 'the camera does not record' };
  return begun
    ? { code: 'DONE' }
    : { code: 'UNAVAILABLE', message: 'the last snapshot is too young, or the policy allows none' };
}
