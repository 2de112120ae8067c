import { cameraFacts, programFacts } from '../../agent/updates/version-facts.ts';
import { programRelease } from '../../ota/version.ts';
import { jsonLine, printable } from '../../text/printable.ts';
import { supportOf, versionText } from './version-text.ts';

export interface VersionOptions {
  readonly json?: true;
  readonly slots?: string;
}

/** `oriel camera version`: of a camera, or of this program. @throws as cameraFacts. */
export async function showVersion(dir: string | undefined, { json, slots }: VersionOptions): Promise<void> {
  const facts =
    dir === undefined ? programFacts(programRelease()) : await cameraFacts(dir, slots, programRelease());
  const nowMs = facts.trustedMs ?? Date.now();
  if (json === undefined) {
    for (const line of versionText(facts, nowMs)) console.log(printable(line));
    return;
  }
  const { model, release, slot, waiting, trustedMs } = facts;
  const { minimum, spare, trial, outcomes, refused } = facts.slots ?? {};
  const support = supportOf(release.supported, nowMs);
  const outcome = outcomes?.at(-1);
  console.log(
    jsonLine({
      ...model,
      ...release,
      support,
      slot,
      minimum,
      spare,
      trial,
      waiting,
      outcome,
      refused,
      trustedMs,
    }),
  );
}
