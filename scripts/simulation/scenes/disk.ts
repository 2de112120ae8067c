import { FLEET } from '../composition.ts';
import type { Fleet } from '../fleet.ts';

const BALLAST = 'ballast';

/** Fills the disk of the server, or of a camera, to the last byte. */
export async function fillDisk(fleet: Fleet, of: string): Promise<void> {
  // What lives on the disk may give some of it back at once: that dd found no more is all that can be asked.
  const path = `${FLEET}/${of}/${BALLAST}`;
  await fleet.shell(`LC_ALL=C dd if=/dev/zero of=${path} bs=64K 2>&1 | grep -q 'No space left'`);
}

export async function freeDisk(fleet: Fleet, of: string): Promise<void> {
  await fleet.shell(`rm -f ${FLEET}/${of}/${BALLAST}`);
}
