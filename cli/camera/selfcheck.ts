import { gatherFacts, judge } from '../../agent/selfcheck/checks.ts';
import type { Finding, Result } from '../../agent/selfcheck/facts.ts';
import { releaseTimeMs } from '../../ota/version.ts';
import { jsonLine, printable } from '../../text/printable.ts';
import type { Light } from '../../wire/health.ts';
import { type Paint, terminalPaint } from '../terminal.ts';

/** `oriel camera selfcheck`. @returns whether no check failed. */
export async function selfcheck(dir: string, json: boolean): Promise<boolean> {
  const inspector = { releaseTimeMs: releaseTimeMs(), nodeOptions: process.env.NODE_OPTIONS ?? '' };
  const findings = judge(await gatherFacts(dir, inspector));
  if (json) console.log(jsonLine({ findings }));
  else console.log(findingsText(findings, terminalPaint));
  return findings.every(({ result }) => result !== 'fail');
}

const LIGHTS: Readonly<Record<Result, Light | undefined>> = {
  ok: 'green',
  warn: 'yellow',
  fail: 'red',
  unknown: undefined,
};

export function findingsText(findings: readonly Finding[], paint: Paint): string {
  const lines = findings.flatMap(({ check, result, text, wayOut }) => {
    const light = LIGHTS[result];
    const word = result.toUpperCase().padEnd(8);
    const line = `${light === undefined ? word : paint(light, word)}${check.padEnd(15)}${printable(text)}`;
    return wayOut === undefined ? [line] : [line, `${' '.repeat(23)}${printable(wayOut)}`];
  });
  const count = (result: Result) => findings.filter((each) => each.result === result).length;
  const summary = `${findings.length} checks: ${count('fail')} failed, ${count('warn')} to look at, ${count('unknown')} unknown`;
  return [...lines, '', summary].join('\n');
}
