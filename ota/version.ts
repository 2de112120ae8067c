import { parseRfc3339 } from '../crypto/time.ts';
import packageJson from '../package.json' with { type: 'json' };

/** The version of this build. */
export const version = () => packageJson.version;

/** When this build was released, milliseconds since 1970: the oldest time the camera takes for true. @throws RangeError. */
export function releaseTimeMs(): number {
  const time = parseRfc3339(packageJson.releaseTime);
  if (time === undefined)
    throw new RangeError(`package.json: releaseTime ${packageJson.releaseTime} is no time`);
  return time;
}

/** What this build says of itself: its version, when it was released, and the last day with security fixes; UTC. */
export function programRelease(): { version: string; released: string; supported: string } {
  const { version: number, releaseTime: released, supportEnds: supported } = packageJson;
  return { version: number, released, supported };
}
