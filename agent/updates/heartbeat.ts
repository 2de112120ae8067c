import { write } from 'node:fs';
import type { Clock } from '../../host/clock.ts';
import { type AgentFacts, FACTS_FD, writeFacts } from '../../ota/launcher-protocol.ts';

const TELL_MS = 1000;

/**
 * Tells the launcher each second that this agent lives, and how it does. Of a launcher that does not listen no more is
 * asked than that it takes one line before the next is written.
 */
export async function sendHeartbeat(
  facts: () => AgentFacts,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  let writing = false;
  while (!signal.aborted) {
    if (!writing) {
      writing = true;
      write(FACTS_FD, writeFacts(facts()), () => {
        writing = false;
      });
    }
    await clock.sleep(TELL_MS, signal).catch(() => undefined);
  }
}
