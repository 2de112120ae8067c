import type { AgentStatus } from '../../agent/status/status.ts';
import { nonBlocking, tryWrite } from '../../host/non-blocking.ts';

/** A camera's live counters, as one line for people. */
export function counters(status: AgentStatus): string {
  if (status.state === 'unpaired' || status.state === 'waiting') return waitsFor(status);
  const mebibytes = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(2)} MiB`;
  const lost = status.droppedSeconds + status.skippedSeconds;
  return [
    `captured ${status.capturedSeconds.toFixed(1)} s`,
    `${status.fragments} fragments`,
    `${status.segments} segments`,
    `sealed ${mebibytes(status.sealedBytes)}`,
    `acknowledged ${status.acknowledgedSeconds.toFixed(1)} s, ${mebibytes(status.acknowledgedBytes)}`,
    `spooled ${mebibytes(status.spooledBytes)}`,
    ...(lost > 0 ? [`lost ${lost.toFixed(1)} s`] : []),
    ...(status.gapSeconds > 0 ? [`not filmed ${status.gapSeconds.toFixed(1)} s`] : []),
  ].join(' · ');
}

/** What a camera waits for that does not record yet. */
function waitsFor({ state, enrolment, policy }: AgentStatus): string {
  if (state === 'unpaired') return 'waits to be set up: oriel camera setup';
  const trouble = enrolment.trouble ?? policy.trouble;
  const what = enrolment.state === 'enrolled' ? "its owner's policy" : 'its certificate';
  return `waits for ${what}${trouble === undefined ? '' : `: ${trouble.wayOut ?? trouble.message}`}`;
}

/** Shows the counters on a terminal, one line written over and over, until it is stopped. One that has stopped shows none. */
export function showCounters(read: () => AgentStatus | undefined): () => void {
  const terminal = nonBlocking(1);
  const timer = setInterval(() => {
    const status = read();
    const room = process.stdout.columns - 1;
    if (status !== undefined) tryWrite(terminal, `\r\x1b[K${counters(status).slice(0, room)}`);
  }, 500);
  return () => {
    clearInterval(timer);
    tryWrite(terminal, '\n');
  };
}
