import type { Disk, DiskFile } from '../../host/disk.ts';
import type { HostError } from '../../host/errors.ts';

export type Operation = keyof Disk | `file.${keyof DiskFile}`;

/** A disk that asks before every operation whether it fails, and otherwise passes it on. */
export function failingDisk(
  disk: Disk,
  judge: (operation: Operation, path: string) => HostError | undefined,
): Disk {
  const asking = (target: object, path: string | undefined, prefix: string): object =>
    new Proxy(target, {
      get(object, key) {
        const method = Reflect.get(object, key);
        if (typeof method !== 'function') return method;
        return async (...args: unknown[]) => {
          const subject = path ?? String(args[0]);
          const failure = judge(`${prefix}${String(key)}` as Operation, subject);
          if (failure !== undefined) throw failure;
          const result = await method.apply(object, args);
          const opens = path === undefined && (key === 'open' || key === 'create');
          return opens && result !== undefined ? asking(result, subject, 'file.') : result;
        };
      },
    });
  return asking(disk, undefined, '') as Disk;
}
