import * as v from 'valibot';
import { fromUtf8, utf8 } from '../crypto/bytes.ts';
import { Version } from './bundle.ts';

/**
 * What an agent tells the launcher that runs its slot: one line of JSON each second, on the file descriptor below. A
 * launcher changes only by flashing, so it reads what agents of any later release say: fields that it does not know
 * it passes over, and those that it knows keep their meaning.
 */
export const FACTS_FD = 3;
/** What the launcher writes on the agent's stdin before it ends it, when another agent goes on from here at once. */
export const HAND_OVER = 'hand-over\n';
/** What it writes there of the machine's clock, whenever that changes (adjtimex(2)); nothing while it cannot tell. */
export const CLOCK_SYNCHRONISED = 'clock-synchronised\n';
export const CLOCK_UNSYNCHRONISED = 'clock-unsynchronised\n';
/** Names the run directory to agent and capture, in their environment; earlier launchers do not. */
export const runEnvironment = (run: string) => ({ ORIEL_RUN_DIRECTORY: run });
/** Longest line, bytes. */
export const MAX_FACTS_BYTES = 4 * 1024;
/** Of what comes at once only the last lines are read: a flood of them keeps no launcher busy. */
const MAX_LINES = 4;

const AgentFacts = v.object({
  /** Whether this camera may film now: its owner has set it up, and no privacy mode is on. */
  mayFilm: v.boolean(),
  /** Since this agent started: a fragment came from capture; a record was sealed. */
  captured: v.boolean(),
  sealed: v.boolean(),
  /** It sealed a segment of its own for a key of its own, and opened it again. */
  opened: v.boolean(),
  /** It has reached the pinned server. */
  connected: v.boolean(),
  /** It has looked for an update, and got an answer that was signed. */
  checked: v.boolean(),
  memoryBytes: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  /** The minimum that the signed metadata gives for the release that it is; null when it does not know. */
  minimum: v.nullable(Version),
  /** Names a release that lies in `incoming`, whole, and is to be tried; another each time. Null when there is none. */
  stage: v.nullable(v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/))),
  /** Number of the newest outcome that the server has; those up to it are forgotten. */
  delivered: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
});
export type AgentFacts = v.InferOutput<typeof AgentFacts>;

export const writeFacts = (facts: AgentFacts): Uint8Array<ArrayBuffer> =>
  utf8(`${JSON.stringify(v.parse(AgentFacts, facts))}\n`);

/** The facts of a line; undefined for what is none, which counts as nothing said. */
export function readFacts(line: Uint8Array): AgentFacts | undefined {
  if (line.length > MAX_FACTS_BYTES) return undefined;
  try {
    const result = v.safeParse(AgentFacts, JSON.parse(fromUtf8(line)));
    return result.success ? result.output : undefined;
  } catch {
    return undefined;
  }
}

/** Splits what comes over the descriptor into lines; of one that is too long nothing is kept. */
export class FactsReader {
  #rest = new Uint8Array(0);
  #overlong = false;

  /** @returns the newest facts in what came; undefined when it holds none. */
  read(chunk: Uint8Array): AgentFacts | undefined {
    const lines: Uint8Array[] = [];
    let from = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, from)) {
      this.#keep(chunk.subarray(from, end));
      if (!this.#overlong) lines.push(this.#rest);
      this.#rest = new Uint8Array(0);
      this.#overlong = false;
      from = end + 1;
    }
    this.#keep(chunk.subarray(from));
    for (const line of lines.slice(-MAX_LINES).toReversed()) {
      const facts = readFacts(line);
      if (facts !== undefined) return facts;
    }
    return undefined;
  }

  #keep(bytes: Uint8Array): void {
    if (this.#overlong || this.#rest.length + bytes.length > MAX_FACTS_BYTES) {
      this.#overlong = true;
      this.#rest = new Uint8Array(0);
      return;
    }
    const joined = new Uint8Array(this.#rest.length + bytes.length);
    joined.set(this.#rest);
    joined.set(bytes, this.#rest.length);
    this.#rest = joined;
  }
}
