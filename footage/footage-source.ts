/** Where footage is read from: a directory (footage-directory-node.ts), or a server over HTTP. */
export interface FootageSource {
  /** Ids of the cameras that have footage, sorted. @throws FootageError FOOTAGE_MISSING, FILE_UNREADABLE. */
  cameras(): Promise<readonly string[]>;
  /** A camera's sessions, by the number in their names. @throws FootageError FILE_UNREADABLE. */
  sessions(camera: string): Promise<readonly SessionFiles[]>;
  /**
   * A whole file. @param path as `sessions` gives it. @returns undefined when there is none.
   * @throws FootageError FILE_UNREADABLE, for one longer than `maxBytes` too.
   */
  read(path: string, maxBytes: number): Promise<Uint8Array | undefined>;
}

/** The files of one session. Paths are what the source reads them by, and what a report says. */
export interface SessionFiles {
  readonly camera: string;
  /** The name of its directory, which states number and id; those signed in its header count. */
  readonly name: string;
  readonly number: number;
  /** 32 hex digits. */
  readonly id: string;
  readonly headerPath: string;
  /** Ascending. */
  readonly segments: readonly { readonly sequence: number; readonly path: string }[];
  /** Ascending. */
  readonly snapshots: readonly { readonly number: number; readonly path: string }[];
}
