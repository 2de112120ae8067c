import type { Refusal, RefusalCode } from '../wire/refusal.ts';

/** Why a camera's request is refused. The message goes to the camera: never a secret, never a path. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly code: RefusalCode;
  /** With OFFSET_CONFLICT: bytes that are held durably. */
  readonly offset: number | undefined;
  /** With CLAIM_THROTTLED and RATE_EXCEEDED: seconds after which to try again. */
  readonly retryAfter: number | undefined;

  constructor(
    code: RefusalCode,
    message: string,
    detail: { offset?: number; retryAfter?: number; cause?: unknown } = {},
  ) {
    super(message, { cause: detail.cause });
    this.code = code;
    this.offset = detail.offset;
    this.retryAfter = detail.retryAfter;
  }

  toJSON(): Refusal {
    const refusal = { code: this.code, message: this.message.slice(0, 300) };
    return this.offset === undefined ? refusal : { ...refusal, offset: this.offset };
  }
}

export type ServerErrorCode =
  /** The directory holds something already. */
  | 'DIRECTORY_TAKEN'
  /** The directory is not one that `oriel server init` made, or its files are damaged. */
  | 'DIRECTORY_MALFORMED'
  /** Another server runs on this directory. */
  | 'DIRECTORY_IN_USE'
  /** The system does not let the directory be locked. */
  | 'DIRECTORY_UNLOCKABLE'
  /** The address or port cannot be listened on. */
  | 'ADDRESS_REFUSED'
  /** The registry was written by a newer program that this one cannot follow. */
  | 'REGISTRY_NEWER'
  /** The registry is no database, or a damaged one. */
  | 'REGISTRY_DAMAGED'
  /** Another process has written the registry for too long; nothing was written. */
  | 'REGISTRY_BUSY'
  /** A file is no backup of a server, or a damaged one. */
  | 'BACKUP_MALFORMED'
  | 'CAMERA_UNKNOWN'
  | 'CAMERA_REVOKED'
  /** No camera, or more than one, is meant. */
  | 'CAMERA_AMBIGUOUS'
  /** It was not there to be asked. */
  | 'CAMERA_OFFLINE'
  /** It was asked, and did not reply. */
  | 'CAMERA_SILENT'
  /** No server runs on this directory. */
  | 'SERVER_DOWN'
  /** The server gives cameras a directory, and follows no maker. */
  | 'UPDATES_NOT_FOLLOWED'
  | 'CHECK_UNFINISHED'
  /** No such claim was given. */
  | 'CLAIM_UNKNOWN'
  /** A camera has used the claim. */
  | 'CLAIM_USED'
  /** The same claim was given before. */
  | 'CLAIM_KNOWN'
  | 'NAME_REFUSED'
  /** A policy file is malformed, forged, or for another camera. */
  | 'POLICY_REFUSED'
  /** A pin statement is older than the one that lies there, or another of the same number. */
  | 'PINS_REFUSED'
  /** The key at hand is not that of the backup CA, or it is not at hand. */
  | 'AUTHORITY_MISSING'
  /** A certificate has to be issued, and the machine's clock is certainly wrong. */
  | 'CLOCK_WRONG'
  /** The directory of updates is not there. */
  | 'UPDATES_MISSING'
  /** The address of updates is malformed, or not one to follow. */
  | 'UPDATES_ADDRESS_REFUSED'
  /** The root of updates is not of TUF's form, or not signed by itself. */
  | 'UPDATES_ROOT_REFUSED';

/** A failure to set up, start or change a server, or to ask something of it, told to its operator. */
export class ServerError extends Error {
  override readonly name = 'ServerError';
  readonly code: ServerErrorCode;

  constructor(code: ServerErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** What helps where nothing can listen at an address. @param option that chooses the port. */
export function listenRemedy({ code }: NodeJS.ErrnoException, option: '--port' | '--metrics'): string {
  if (code === 'EADDRNOTAVAIL') return 'this machine has no such address: give one that it has (--address)';
  if (code === 'EACCES') return `this user may not: choose a port from 1024 on (${option})`;
  const other = `end what listens there, or choose another port (${option})`;
  return option === '--port' ? `${other}, of which cameras are told by oriel keys pins` : other;
}
