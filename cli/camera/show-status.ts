import { statSync } from 'node:fs';
import { type CaptureState, readCaptureState } from '../../agent/capture/status-file.ts';
import { CameraDirectory } from '../../agent/state/camera-directory.ts';
import { readStatus } from '../../agent/status.ts';
import { terminalPaint } from '../paint.ts';
import { jsonLine } from '../text.ts';
import { isRunning } from './is-running.ts';
import { startCommand } from './start-command.ts';
import { type CameraView, judgeCondition } from './status/condition.ts';
import { statusText } from './status/status-text.ts';

/**
 * Shows what the camera's processes say of themselves in their files. @returns whether the camera does its work, or
 * waits for somebody.
 * @throws CameraError when there is neither camera nor status.
 */
export function showStatus(dir: string, json: boolean): boolean {
  const { agentAt, ...view } = viewOf(dir);
  const condition = judgeCondition(view);
  const { agent, capture } = view;
  if (json) console.log(jsonLine({ ...condition, agent, capture }));
  else console.log(statusText({ condition, agent, capture, nowMs: agentAt + view.silentMs }, terminalPaint));
  return condition.light !== 'red';
}

/** What the files say, and what the agent's clock said when it wrote. */
function viewOf(dir: string): CameraView & { readonly agentAt: number } {
  const directory = new CameraDirectory(dir);
  const agent = readStatus(directory.status);
  if (agent === undefined) directory.readConfig();
  return {
    directory: dir,
    start: startCommand(dir),
    agent,
    agentRuns: agent !== undefined && isRunning(agent.pid),
    silentMs: statusAgeMs(directory),
    capture: captureState(directory),
    agentAt: agent?.at ?? 0,
  };
}

/** How long ago the status was written. */
export function statusAgeMs({ status }: CameraDirectory): number {
  const writtenAt = statSync(status, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return Math.max(0, Date.now() - writtenAt);
}

/** What another user, whom nobody has to believe, may have written there is not worth failing for. */
export function captureState({ captureRun }: CameraDirectory): CaptureState | undefined {
  try {
    return readCaptureState(captureRun) ?? undefined;
  } catch {
    return undefined;
  }
}
