import type { OpenPort } from '../../host/open-ports.ts';
import type { Cause } from '../capture/errors.ts';
import type { Source } from '../capture/source.ts';

/** What one check found. */
export interface Finding {
  readonly check: string;
  readonly result: Result;
  /** One line. */
  readonly text: string;
  readonly wayOut?: string;
}

/** `unknown`: whoever looks may not see it. */
export type Result = 'ok' | 'warn' | 'fail' | 'unknown';

type Verdict = Omit<Finding, 'check'>;

export const ok = (text: string): Verdict => ({ result: 'ok', text });
export const unknown = (text: string): Verdict => ({ result: 'unknown', text });
export const warn = (text: string, wayOut: string): Verdict => ({ result: 'warn', text, wayOut });
export const fail = (text: string, wayOut: string): Verdict => ({ result: 'fail', text, wayOut });
export type { Verdict };

/** What `oriel camera selfcheck` looks at. Undefined where whoever looks may not see it. */

export interface FileFacts {
  readonly path: string;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
}

/** Undefined for a file that is not there. */
export interface CameraFiles {
  readonly directory: FileFacts | undefined;
  readonly deviceKey: FileFacts | undefined;
  readonly config: FileFacts | undefined;
  readonly pairing: FileFacts | undefined;
  readonly setupCode: FileFacts | undefined;
}

export interface ConfigFacts {
  readonly pins: readonly string[];
  readonly source: Source | undefined;
  /** Why the source is none. */
  readonly sourceError: string | undefined;
  readonly spool: { readonly maxBytes: number; readonly minFreeBytes: number };
}

export interface CertificateFacts {
  /** `none`: not there. `wrong`: unreadable, or of another key. */
  readonly state: 'none' | 'wrong' | 'good';
  /** Milliseconds since 1970. */
  readonly endsMs: number | undefined;
  /** Whether a setup code waits to be used. */
  readonly claiming: boolean;
}

export interface ClockFacts {
  readonly machineMs: number;
  /** The newest time known to be past. */
  readonly trustedMs: number;
  /** What the server's clock says by now, if the camera runs and has heard it. */
  readonly serverMs: number | undefined;
}

export interface SpoolFacts {
  /** Why nothing can be written there. */
  readonly error: string | undefined;
  readonly uid: number | undefined;
  readonly freeBytes: number | undefined;
  /** Undefined when the camera does not run. */
  readonly usedBytes: number | undefined;
}

export interface ToolFacts {
  /** As ffmpeg prints it; undefined when it cannot be run. */
  readonly version: string | undefined;
  readonly ffprobe: boolean;
  /** H.264 encoders that Oriel uses, of those built in. */
  readonly encoders: readonly string[];
}

/** What is wrong with the source; nothing, or nothing that can be seen, where there is no trouble. */
export interface SourceFacts {
  /** Whether it was opened, by capture or now. */
  readonly opened: boolean;
  readonly trouble?: {
    /** A CaptureErrorCode, or the end of a run. */
    readonly code: string;
    readonly cause: Cause | undefined;
    readonly text: string;
  };
}

export interface SwapArea {
  readonly name: string;
  /** In memory (zram), or encrypted (dm-crypt). */
  readonly safe: boolean;
}

export interface MachineFacts {
  readonly swap: readonly SwapArea[] | undefined;
  /** The camera's processes may not be swapped out at all (the unit's MemorySwapMax=0). */
  readonly swapForbidden: boolean;
  readonly corePattern: string | undefined;
  /** The greatest soft limit among the camera's processes, or of whoever looks. */
  readonly coreLimit: number | undefined;
  readonly ports: readonly PortFacts[];
}

export interface PortFacts extends OpenPort {
  /** Who has it open; undefined where that may not be seen. */
  readonly process: string | undefined;
  readonly ours: boolean;
}

export interface RoleFacts {
  readonly pid: number;
  readonly role: 'launcher' | 'agent' | 'capture';
  readonly uid: number;
  readonly gids: readonly number[];
  readonly command: readonly string[];
  readonly environment: readonly string[] | undefined;
}

export interface Facts {
  readonly directory: string;
  readonly files: CameraFiles;
  readonly config: ConfigFacts | { readonly error: string };
  readonly certificate: CertificateFacts;
  readonly clock: ClockFacts;
  readonly spool: SpoolFacts;
  readonly tools: ToolFacts;
  /** Undefined where the configuration names none. */
  readonly source: SourceFacts | undefined;
  readonly machine: MachineFacts;
  /** The camera's processes; empty when it does not run. */
  readonly roles: readonly RoleFacts[];
  /** NODE_OPTIONS of whoever looks, and would start the camera. */
  readonly nodeOptions: string;
  readonly firewall: {
    /** systemd knows Oriel's unit. */
    readonly unit: boolean;
    /** The machine's was left alone when the camera was installed. */
    readonly leftAlone: boolean;
    /** Undefined where that may not be seen. */
    readonly present: boolean | undefined;
  };
}
