import { imbalanceUs } from '../../agent/recording/footage-accounting.ts';
import type { AgentStatus } from '../../agent/status/status.ts';
import type { TestDeployment } from './test-deployment.ts';

/** Sums of times that were each rounded to the millisecond may differ by so much, seconds. */
const ROUNDING = 0.01;

/** Of all that an agent captured it says where it is: acknowledged, held, dropped or skipped. */
export function expectBalance(status: AgentStatus): void {
  const { capturedSeconds, recoveredSeconds } = status;
  const { acknowledgedSeconds, heldSeconds, droppedSeconds, skippedSeconds } = status;
  const accounted = acknowledgedSeconds + heldSeconds + droppedSeconds + skippedSeconds;
  expect(Math.abs(capturedSeconds + recoveredSeconds - accounted)).toBeLessThan(ROUNDING);
  if (status.account !== undefined) expect(imbalanceUs(status.account)).toBe(0);
}

/**
 * The promise: what was acknowledged opens, and nothing is refused.
 * @param lives the last word of each life of the agent, the last one's included.
 */
export async function expectNothingAcknowledgedLost(
  deployment: TestDeployment,
  lives: readonly AgentStatus[],
) {
  const { code, report } = await deployment.verify();
  expect(report.segments.filter(({ verdict }) => verdict === 'refused' || verdict === 'missing')).toEqual([]);
  // What a life found on the disk may have been acknowledged to the one before, which was killed before it could free it.
  const acknowledged = lives.reduce(
    (sum, { acknowledgedSeconds, recoveredSeconds }) => sum + acknowledgedSeconds - recoveredSeconds,
    lives[0]?.recoveredSeconds ?? 0,
  );
  expect(report.openedSeconds).toBeGreaterThan(acknowledged - ROUNDING);
  for (const status of lives) expectBalance(status);
  return { code, report };
}

/** What is captured while `away` runs is held, recording goes on, and everything arrives in the end. */
export async function expectBridged(
  deployment: TestDeployment,
  away: () => Promise<void>,
): Promise<AgentStatus> {
  const before = deployment.status;
  await away();
  const back = deployment.status;
  expect(back.session).toBe(before.session);
  expect(back.capturedSeconds).toBeGreaterThan(before.capturedSeconds);
  await deployment.drains();
  expect(await deployment.endCamera()).toBe(0);
  const { status } = deployment;
  expect(status).toMatchObject({ heldSeconds: 0, droppedSeconds: 0, skippedSeconds: 0, sessions: 1 });
  expect(status.acknowledgedSeconds).toBeCloseTo(status.capturedSeconds, 2);
  const { code, report } = await expectNothingAcknowledgedLost(deployment, [status]);
  expect(report.verdict).toBe('complete');
  expect(code).toBe(0);
  return back;
}
