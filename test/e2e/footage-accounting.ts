import { imbalanceUs } from '../../agent/recording/footage-accounting.ts';
import type { AgentStatus } from '../../agent/status.ts';
import type { Home } from './test-deployment.ts';

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
export async function expectNothingAcknowledgedLost(home: Home, lives: readonly AgentStatus[]) {
  const { code, report } = await home.verify();
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
export async function expectBridged(home: Home, away: () => Promise<void>): Promise<AgentStatus> {
  const before = home.status;
  await away();
  const back = home.status;
  expect(back.session).toBe(before.session);
  expect(back.capturedSeconds).toBeGreaterThan(before.capturedSeconds);
  await home.drains();
  expect(await home.endCamera()).toBe(0);
  const { status } = home;
  expect(status).toMatchObject({ heldSeconds: 0, droppedSeconds: 0, skippedSeconds: 0, sessions: 1 });
  expect(status.acknowledgedSeconds).toBeCloseTo(status.capturedSeconds, 2);
  const { code, report } = await expectNothingAcknowledgedLost(home, [status]);
  expect(report.verdict).toBe('complete');
  expect(code).toBe(0);
  return back;
}
