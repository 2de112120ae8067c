import { FLEET } from '../composition.ts';
import type { Fleet } from '../fleet.ts';

const BALLAST = 'ballast';

/** Fills the disk of the server, or of a camera, to the last byte. */
export async function fillDisk(fleet: Fleet, of: string): Promise<void> {
  const path = `${FLEET}/${of}/${BALLAST}`;
  await fleet.shell(
    `dd if=/dev/zero of=${path} bs=64K 2>/dev/null; test "$(df --output=avail ${path} | tail -1)" -eq 0`,
  );
}

export async function freeDisk(fleet: Fleet, of: string): Promise<void> {
  await fleet.shell(`rm -f ${FLEET}/${of}/${BALLAST}`);
}
