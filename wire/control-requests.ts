import * as v from 'valibot';
import { Telemetry } from './telemetry.ts';

/** Whose wish a request is: a person's at the server's command line, or the server's own. */
export type Asker = 'operator' | 'server';

export interface ControlRequest {
  /** What it asks the camera to do, for help texts and docs/reference/protocol.md. */
  readonly what: string;
  /** What is said of a camera that did it, after its name. */
  readonly done: string;
  /** Who may ask. */
  readonly askers: readonly Asker[];
  /** Least time between two of them, ms: one that comes sooner is answered BUSY. */
  readonly apartMs: number;
  /** Members of the reply beside code and message. */
  readonly reply: v.ObjectEntries;
}

/**
 * Everything that may be asked of a camera, each request once: the schema of replies, the camera's handlers, `ask` of the
 * command line and the protocol's table follow from here. None of it changes what the camera does: that, only its owner can.
 */
export const CONTROL_REQUESTS = {
  ping: {
    what: 'say that it is there',
    done: 'is there',
    askers: ['operator'],
    apartMs: 0,
    reply: {},
  },
  status: {
    what: 'reply with telemetry',
    done: 'is there',
    askers: ['operator'],
    apartMs: 0,
    reply: { telemetry: Telemetry },
  },
  snapshot: {
    what: 'make a snapshot of the next keyframe and send it',
    done: 'makes a snapshot of its next keyframe',
    askers: ['operator'],
    // The camera's policy and the age of the last snapshot decide.
    apartMs: 0,
    reply: {},
  },
  refresh: {
    what: 'fetch what its owner has signed, and check for a release, now instead of later',
    done: 'fetches what its owner has signed, and checks for a release',
    askers: ['operator', 'server'],
    // It costs server and network something.
    apartMs: 5_000,
    reply: {},
  },
} as const satisfies Readonly<Record<string, ControlRequest>>;

export type RequestKind = keyof typeof CONTROL_REQUESTS;
export const REQUESTS = Object.keys(CONTROL_REQUESTS) as RequestKind[];

/** The requests that one of them may make. */
export const requestsOf = <Who extends Asker>(asker: Who): RequestOf<Who>[] =>
  REQUESTS.filter((each): each is RequestOf<Who> =>
    (CONTROL_REQUESTS[each].askers as readonly Asker[]).includes(asker),
  );

export type RequestOf<Who extends Asker> = {
  [Kind in RequestKind]: Who extends (typeof CONTROL_REQUESTS)[Kind]['askers'][number] ? Kind : never;
}[RequestKind];

/** A type that is all of a union's at once. */
type AllOf<Union> = (Union extends unknown ? (each: Union) => void : never) extends (all: infer All) => void
  ? All
  : never;
type Members = AllOf<(typeof CONTROL_REQUESTS)[RequestKind]['reply']>;

/** Members that the reply to some request has beside code and message, each of them optional. */
export const REPLY_MEMBERS = v.partial(
  v.object(Object.assign({}, ...REQUESTS.map((each) => CONTROL_REQUESTS[each].reply)) as Members),
).entries;
