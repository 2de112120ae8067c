import { constants } from 'node:os';

/** Every way the machine can fail us; closed, so that a policy can switch over it. */
export type HostErrorCode =
  | 'DISK_FULL'
  | 'DISK_IO'
  /** Something else lies where a small regular file of a certain owner is expected. */
  | 'FILE_UNFIT'
  | 'DIAL_RESOLVE'
  | 'DIAL_CONNECT'
  | 'DIAL_TIMEOUT'
  | 'DIAL_TLS'
  | 'DIAL_REFUSED'
  | 'LISTEN_REFUSED'
  | 'ACCOUNT_UNKNOWN'
  /** A program failed; the message holds what it said. */
  | 'COMMAND_FAILED';

/** A failure of the machine. The message never holds a secret; `cause` is the platform's own error. */
export class HostError extends Error {
  override readonly name = 'HostError';
  readonly code: HostErrorCode;

  constructor(code: HostErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** Why a file that a person named cannot be read or written. */
export type FileErrorCode =
  /** An output is one of the inputs. */
  | 'USAGE'
  | 'FILE_UNREADABLE'
  | 'FILE_UNWRITABLE'
  | 'FILE_EXISTS'
  /** Another process changes it. */
  | 'FILE_BUSY';

/** A failure with a file that a person named. The message says the way out, and never quotes the file. */
export class FileError extends Error {
  override readonly name = 'FileError';
  readonly code: FileErrorCode;

  constructor(code: FileErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** By number, for Node has no name for EDQUOT. */
const FULL = [-constants.errno.ENOSPC, -constants.errno.EDQUOT];

/** Whether a platform's error says that room, or inodes, are wanting. */
export const isFull = (error: unknown): boolean => FULL.includes((error as { errno?: number }).errno ?? 0);

/** Whether a disk takes nothing new: it is full, or mounted read-only. */
export function takesNothing({ code, cause }: HostError): boolean {
  return code === 'DISK_FULL' || (cause as { code?: unknown } | undefined)?.code === 'EROFS';
}

/** What a person can do about a platform's error, as the rest of a sentence; empty where that says all. */
export function platformRemedy(code: string | undefined): string {
  switch (code) {
    case 'EROFS':
      return '; its file system is mounted read-only: the kernel says why (dmesg)';
    case 'EIO':
      return '; the disk fails: the kernel says more (dmesg), replace it';
    case 'EACCES':
    case 'EPERM':
      return '; this user may not: run it as the owner of that directory';
    default:
      return '';
  }
}

/** What a person can do where something else lies in the place of a file; it may be theirs, and dear to them. */
export const NO_FILE_REMEDY = 'move away what lies there, or name a file';
