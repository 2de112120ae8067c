import { freemem } from 'node:os';
import { readFileBounded } from './atomic-file.ts';
import type { Disk } from './disk.ts';

/** How the board is; null for what it does not tell. */
export interface SystemHealth {
  /** Of the warmest sensor, °C. */
  readonly temperature: number | null;
  /** Where `path` lies, bytes. */
  readonly diskFreeBytes: number | null;
  readonly memoryFreeBytes: number | null;
}

/** A reading of a sensor is thousandths of a degree (the kernel's Documentation/ABI, sysfs-class-thermal). */
const THERMAL = '/sys/class/thermal';
const MAX_ZONES = 32;
const MAX_READING_BYTES = 16;
/** Some boards have sensors that are not there, and read 200 °C below freezing. */
const IMPOSSIBLE_CELSIUS = 150;

/** Never rejects. @param path on the disk that is asked about. */
export async function systemHealth(disk: Disk, path: string): Promise<SystemHealth> {
  const [temperature, diskFreeBytes] = await Promise.all([
    warmestOf(disk),
    disk.freeBytes(path).catch(() => null),
  ]);
  return { temperature, diskFreeBytes, memoryFreeBytes: freemem() };
}

async function warmestOf(disk: Disk): Promise<number | null> {
  const names = await disk.list(THERMAL).catch(() => undefined);
  const zones = (names ?? []).filter((name) => name.startsWith('thermal_zone')).slice(0, MAX_ZONES);
  const readings = await Promise.all(zones.map((zone) => temperatureOf(disk, `${THERMAL}/${zone}/temp`)));
  const known = readings.filter((each) => each !== undefined);
  return known.length === 0 ? null : Math.max(...known);
}

async function temperatureOf(disk: Disk, path: string): Promise<number | undefined> {
  const bytes = await readFileBounded(disk, path, MAX_READING_BYTES).catch(() => undefined);
  const text = Buffer.from(bytes ?? [])
    .toString('latin1')
    .trim();
  const celsius = Number(text) / 1000;
  return /^-?\d+$/.test(text) && Math.abs(celsius) < IMPOSSIBLE_CELSIUS ? celsius : undefined;
}
