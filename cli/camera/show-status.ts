import { viewOf } from '../../agent/health/camera-view.ts';
import { judgeCondition } from '../../agent/health/condition.ts';
import { jsonLine } from '../../text/printable.ts';
import { terminalPaint } from '../terminal.ts';
import { statusText } from './status-text.ts';

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
