import { isZero, toHex } from '../crypto/bytes.ts';
import type { ParsedSessionHeader } from '../crypto/header.ts';
import { rfc3339 } from '../crypto/time.ts';

type Linked = Pick<ParsedSessionHeader, 'camera' | 'number' | 'previousSession' | 'hash'>;

/**
 * Finds where a camera's line of sessions divides: two sessions of one number, or after the same one. One camera makes no
 * such line, unless its disk lost what it had recorded; two with one key do, as when a card is copied.
 */
class SessionForks {
  readonly #sessions = new Map<string, string>();

  isFork({ camera, number, previousSession, hash }: Linked): boolean {
    const marks = [`${camera} ${number}`];
    if (previousSession.some((byte) => byte !== 0)) marks.push(`${camera} ${toHex(previousSession)}`);
    const own = toHex(hash);
    const found = marks.some((mark) => (this.#sessions.get(mark) ?? own) !== own);
    for (const mark of marks) this.#sessions.set(mark, own);
    return found;
  }
}

/** Which of a camera's sessions are here: of what lies before or after them, no segment can tell. */
export interface CameraLine {
  readonly camera: string;
  /** As the viewing key has it. */
  readonly name: string;
  /** How many sessions have a header that holds. */
  readonly sessions: number;
  /** Absent when there are none. */
  readonly first?: SessionLine;
  readonly last?: SessionLine;
  /** Whether the first names one before it, which is not here. */
  readonly earlier: boolean;
  /** Numbers of sessions beside which there is another of the same number, or after the same session. */
  readonly forked?: readonly number[];
}

interface SessionLine {
  readonly number: number;
  /** RFC 3339, by the camera's clock. */
  readonly time: string;
}

/** Gathers what sessions there are of each camera, and of which trusted cameras there are none. */
export class Coverage {
  readonly #lines = new Map<string, CameraLine>();
  readonly #names: ReadonlyMap<string, string>;
  readonly #forks = new SessionForks();

  /** @param known all cameras of the viewing key. @param expected ids of those whose footage is asked for. */
  constructor(known: readonly { readonly id: string; readonly name: string }[], expected: readonly string[]) {
    this.#names = new Map(known.map(({ id, name }) => [id, name]));
    for (const camera of expected) this.#lines.set(camera, this.#none(camera));
  }

  note(header: ParsedSessionHeader): void {
    const { camera, number, timeMs, previousSession } = header;
    const before = this.#lines.get(camera) ?? this.#none(camera);
    const forked = this.#forks.isFork(header) ? [...(before.forked ?? []), number] : before.forked;
    const session = { number, time: rfc3339(timeMs) };
    this.#lines.set(camera, {
      ...before,
      sessions: before.sessions + 1,
      first: before.first ?? session,
      last: session,
      earlier: before.first === undefined ? !isZero(previousSession) : before.earlier,
      ...(forked && { forked }),
    });
  }

  /** In the order of the cameras' ids. */
  lines(): readonly CameraLine[] {
    return [...this.#lines.values()].sort((a, b) => (a.camera < b.camera ? -1 : 1));
  }

  #none(camera: string): CameraLine {
    return { camera, name: this.#names.get(camera) ?? '', sessions: 0, earlier: false };
  }
}
