import type { Disk, DiskFile } from '../../host/disk.ts';
import type { RefusalCode } from '../../wire/refusal.ts';

/** What is counted of a server at work, for whoever wants metrics (prometheus.ts). */
export interface Meter {
  /** A request was answered, refused or broken off. */
  answered(route: string, seconds: number): void;
  refused(code: RefusalCode): void;
  /** Footage was appended, bytes. */
  stored(bytes: number): void;
  segment(event: 'begun' | 'ended'): void;
  /** The disk was waited for, until something was durable. */
  synced(seconds: number): void;
}

/** Where nobody wants to know. */
export const NO_METER: Meter = {
  answered: () => undefined,
  refused: () => undefined,
  stored: () => undefined,
  segment: () => undefined,
  synced: () => undefined,
};

/** A disk whose syncs are counted. @param monotonic ms. */
export function meteredDisk(disk: Disk, meter: Meter, monotonic: () => number): Disk {
  const timed = async (sync: () => Promise<void>) => {
    const from = monotonic();
    try {
      await sync();
    } finally {
      meter.synced((monotonic() - from) / 1000);
    }
  };
  const metered = (file: DiskFile | undefined): DiskFile | undefined =>
    file && {
      write: (bytes, position) => file.write(bytes, position),
      read: (length, position) => file.read(length, position),
      truncate: (length) => file.truncate(length),
      size: () => file.size(),
      sync: () => timed(() => file.sync()),
      close: () => file.close(),
    };
  return {
    ...disk,
    open: async (path, access) => metered(await disk.open(path, access)),
    create: async (path, mode) => metered(await disk.create(path, mode)),
    syncDirectory: (path) => timed(() => disk.syncDirectory(path)),
  };
}
