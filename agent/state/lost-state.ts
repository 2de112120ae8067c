import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { CryptoError } from '../../crypto/errors.ts';
import { parseSessionHeader } from '../../crypto/header.ts';
import { HostError } from '../../host/errors.ts';
import { readRegularFile } from '../../host/regular-file.ts';
import { decodeLastSession, LAST_SESSION_FILE, MAX_LAST_SESSION_LENGTH } from '../spool/last-session.ts';
import type { CameraDirectory } from './camera-directory.ts';
import type { PolicySeen } from './camera-state.ts';

/**
 * What a camera whose state.json is gone still knows of the policy that it obeyed: its last session was recorded under it.
 * Undefined for a camera that has never recorded: it begins. So does one whose `last-session` cannot be read, is damaged
 * or is a newer release's: it holds nothing that the camera could go by, and a camera that films is worth more.
 */
export function policyOfLastSession({ spool }: Pick<CameraDirectory, 'spool'>): PolicySeen | undefined {
  try {
    const bytes = readRegularFile(join(spool, LAST_SESSION_FILE), { maxBytes: MAX_LAST_SESSION_LENGTH });
    const last = bytes === undefined ? undefined : decodeLastSession(bytes, { crc32 });
    if (last === undefined) return undefined;
    const { policyEpoch: epoch, policyCounter: counter } = parseSessionHeader(last.session.header);
    return { epoch, counter };
  } catch (error) {
    if (error instanceof HostError || error instanceof CryptoError) return undefined;
    throw error;
  }
}
