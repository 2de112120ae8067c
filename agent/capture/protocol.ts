import * as v from 'valibot';

/** The media time at which a source begins, in seconds: with B-frames it is decoded earlier than shown, and tfdt knows no negative time. */
export const FIRST_SECOND = 10;

/** Longest line on capture.fifo, in bytes. */
export const COMMAND_LIMIT = 1024;

const run = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const agent = v.pipe(v.string(), v.regex(/^[0-9a-f]{8,32}$/));

const ReadySchema = v.strictObject({
  ready: run,
  agent,
  audio: v.optional(v.boolean()),
  from: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1e9))),
});
const EndSchema = v.strictObject({ end: run, agent, reason: v.picklist(['rubbish', 'gop', 'time']) });
const CommandSchema = v.union([ReadySchema, EndSchema]);

/**
 * "I have opened media.fifo for run `ready` and am reading": the leave to start ffmpeg. `agent` names one life of
 * the agent; its runs count up from 1. `audio` false forbids sound. `from` is where a file goes on, in seconds of it: up to
 * there the agent has it; a new agent does not know.
 */
export type Ready = v.InferOutput<typeof ReadySchema>;
/**
 * "End this run": its bytes are rubbish, its GOPs too long to copy, or its time is not the time that went by. The agent
 * drains the FIFO to its end.
 */
export type End = v.InferOutput<typeof EndSchema>;
export type Command = Ready | End;

/** One line for capture.fifo. */
export function encodeCommand(command: Command): string {
  return `${JSON.stringify(command)}\n`;
}

/** The command on a line (at most {@link COMMAND_LIMIT} bytes), or null when it is none. */
export function parseCommand(line: string): Command | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  const parsed = v.safeParse(CommandSchema, value);
  return parsed.success ? parsed.output : null;
}

/** The run started last, and whether its ffmpeg still lives. */
export interface StartedRun {
  agent: string;
  run: number;
  alive: boolean;
}

/**
 * What a ready token calls for:
 * - `start`: nothing runs, the reader is fresh.
 * - `repeat`: the token was used; the agent repeats it until it sees bytes.
 * - `await-exit`: the same agent saw the end of the run whose exit we have not seen yet: start after it.
 * - `supersede`: a new agent's reader sees the middle of an old run. End that; the token is used up with it, since
 *   the reader sees the end of the file, reopens and sends the next.
 */
export type ReadyVerdict = 'start' | 'repeat' | 'await-exit' | 'supersede';

export function judgeReady(started: StartedRun | null, token: Ready): ReadyVerdict {
  if (started === null) {
    return 'start';
  }
  if (started.agent !== token.agent) {
    return started.alive ? 'supersede' : 'start';
  }
  if (token.ready <= started.run) {
    return 'repeat';
  }
  return started.alive ? 'await-exit' : 'start';
}
