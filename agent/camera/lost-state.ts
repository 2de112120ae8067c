import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { parseSessionHeader } from '../../crypto/header.ts';
import { decodeLastSession, LAST_SESSION_FILE, MAX_LAST_SESSION_LENGTH } from '../spool/last-session.ts';
import type { CameraDirectory } from './camera-directory.ts';
import type { PolicySeen } from './camera-state.ts';

/**
 * What a camera whose state.json is gone still knows of the policy that it obeyed: its last session was recorded under it.
 * Undefined for a camera that has never recorded: it begins.
 */
export function policyOfLastSession({ spool }: Pick<CameraDirectory, 'spool'>): PolicySeen | undefined {
  const path = join(spool, LAST_SESSION_FILE);
  if (!existsSync(path) || statSync(path).size > MAX_LAST_SESSION_LENGTH) return undefined;
  const last = decodeLastSession(readFileSync(path), { crc32 });
  if (last === undefined) return undefined;
  const { policyEpoch: epoch, policyCounter: counter } = parseSessionHeader(last.session.header);
  return { epoch, counter };
}
