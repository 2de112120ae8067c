import type { AgentFacts } from '../../ota/launcher-protocol.ts';
import type { Contents } from '../ota/maker.ts';

/**
 * Releases whose agent and capture do no more than their launcher needs to see (docs/design/slots.md, "Between agent and
 * launcher"): what is looked at here is the launcher and the updater, and neither cares what a release does.
 */
export const versionOf = (counter: number) => `1.0.${counter}`;

/** @param stages whether its agent has a release to be tried. */
function factsOf(stages: boolean): AgentFacts {
  return {
    mayFilm: true,
    captured: true,
    sealed: true,
    opened: true,
    connected: true,
    checked: true,
    memoryBytes: 1,
    minimum: null,
    stage: stages ? '0123456789abcdef' : null,
    delivered: 1,
  };
}

const PLAN = JSON.stringify({ source: 'test:', audio: false, lan: [] });

/** A runtime that is the program itself: a shell starts in a hundredth of Node's time. */
const shellAgent = (counter: number, stages: boolean) => `#!/bin/sh
# ${versionOf(counter)}
for role; do
  case $role in
    plan) echo '${PLAN}'; exit ;;
    capture) exec cat >/dev/null ;;
    agent) echo '${JSON.stringify(factsOf(stages))}' >&3; exec cat >/dev/null ;;
  esac
done
`;

/** What a release of a few files holds: some change with each, one is new in each, one stays. */
export function littleRelease(counter: number, stages: boolean): Contents {
  return {
    'bin/node': shellAgent(counter, stages),
    'app/oriel.mjs': `${'the program '.repeat(500)}${versionOf(counter)}`,
    [`app/chunk-${counter}.mjs`]: `a part of ${versionOf(counter)} alone`,
    'app/node_modules/lasting.node': 'a part of all',
  };
}

/** One with a real runtime, that fetches nothing more. */
export const fullRelease = (node: Uint8Array): Contents => ({
  'bin/node': node,
  'app/oriel.mjs': NODE_AGENT,
});

const NODE_AGENT = `import { writeSync } from 'node:fs';
const role = process.argv[3];
if (role === 'plan') console.log(${JSON.stringify(PLAN)});
else process.stdin.resume();
if (role === 'agent') {
  const tell = () => writeSync(3, ${JSON.stringify(`${JSON.stringify(factsOf(false))}\n`)});
  tell();
  setInterval(tell, 1000).unref();
}
`;
