import { constants } from 'node:os';
import { HostError } from '../../host/errors.ts';
import { OtaError } from '../../ota/errors.ts';

/** Why a mirror keeps what it has, beside the refusals of ota/errors.ts. Closed. */
export type MirrorErrorCode =
  /** The disk has no room for it beside the footage. */
  | 'STORAGE_FULL'
  /** The metadata names more bytes than a mirror may hold. */
  | 'MIRROR_OVERSIZED'
  /** The repository's roots do not include the one that was given. */
  | 'ROOT_FOREIGN'
  /** The check took longer than it may; the next one goes on from there. */
  | 'CHECK_OVERDUE'
  /** Something else failed; the log has it. */
  | 'MIRROR_FAILED';

export class MirrorError extends Error {
  override readonly name = 'MirrorError';
  readonly code: MirrorErrorCode;

  constructor(code: MirrorErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** Why a check came to nothing, by a closed code, with what can be done about it. Pure. */
interface MirrorFailure {
  readonly code: string;
  readonly message: string;
}

const MAKERS_FAULT =
  'what the maker offers does not fit together: tell the maker; cameras are given what was here before';

const REMEDIES: Readonly<Record<string, string>> = {
  STORAGE_FULL: 'make room; footage has priority',
  METADATA_UNSIGNED:
    'either this is not the repository of the maker that this server follows, or somebody changed it; to follow another maker, stop the server and remove the directory mirror in its own',
  METADATA_EXPIRED:
    'the maker has stopped renewing it, somebody keeps the newer from this server, or the clock here is wrong',
  METADATA_OUTDATED: 'the web server gives an older state than it gave before',
  METADATA_MALFORMED:
    'the address has to be of the directory that holds metadata/; a missing file has to be answered with 404',
  METADATA_MIXED:
    'the web server gives parts of two editions; the next check asks again, and if it stays so the maker has to upload the repository again',
  RELEASE_INCOMPLETE: MAKERS_FAULT,
  RELEASE_MISMATCHED: MAKERS_FAULT,
  MIRROR_OVERSIZED:
    'copy the maker’s repository to this machine, and give cameras the copy: oriel server run DIR --updates COPY',
  FETCH_DAY: 'what the web server gives is not what the maker signed; ask the maker',
  FETCH_REFUSED: 'the address has to be of the directory that holds metadata/; redirects are not followed',
  ROOT_FOREIGN:
    'give the root of this maker, or remove the directory mirror in the server’s own to follow another',
};

const FULL = [-constants.errno.ENOSPC, -constants.errno.EDQUOT];

export function mirrorFailure(error: unknown): MirrorFailure {
  const { code, reason } = classify(error);
  const remedy = REMEDIES[code];
  return { code, message: remedy === undefined ? reason : `${reason}: ${remedy}` };
}

function classify(error: unknown): { readonly code: string; readonly reason: string } {
  const { errno, message } = error as { errno?: unknown; message?: unknown };
  const full = error instanceof HostError && error.code === 'DISK_FULL';
  if (full || FULL.includes(Number(errno))) return { code: 'STORAGE_FULL', reason: 'the disk is full' };
  if (error instanceof OtaError) return { code: error.code, reason: `${error.message}${causeOf(error)}` };
  if (error instanceof MirrorError || error instanceof HostError) {
    return { code: error.code, reason: error.message };
  }
  return { code: 'MIRROR_FAILED', reason: String(message) };
}

/** What the network or TLS said, which an OtaError only wraps. */
function causeOf({ cause }: OtaError): string {
  const { code } = (cause ?? {}) as { code?: unknown };
  return typeof code === 'string' && !(cause instanceof OtaError) ? ` (${code})` : '';
}
