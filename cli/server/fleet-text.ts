import type { CameraHealth } from '../../server/fleet/camera-health.ts';
import type { FleetMember } from '../../server/fleet/fleet.ts';
import type { CameraRecord } from '../../server/registry/registry-tables.ts';
import { printable } from '../../text/printable.ts';
import { duration, size } from '../../text/quantities.ts';
import type { Paint } from '../terminal.ts';

/** A fleet's health at a glance, for people and for programs. Pure. */

const HEADINGS = [
  'name',
  'state',
  'queue',
  'lost',
  'restarts',
  'temp',
  'disk free',
  'stored',
  'certificate',
  'version',
  'id',
];

/** A table, what wants looking at, and a summary. */
export function fleetText(fleet: readonly FleetMember[], nowMs: number, paint: Paint): string[] {
  if (fleet.length === 0) return ['no cameras yet'];
  const rows = fleet.map((member) => cells(member, nowMs));
  const widths = HEADINGS.map((heading, at) =>
    Math.max(heading.length, ...rows.map((row) => row[at]?.length ?? 0)),
  );
  const line = (row: readonly string[]) => row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  ');
  return [
    `  ${line(HEADINGS).trimEnd()}`,
    ...fleet.flatMap(({ health }, at) => [
      `${health.light === undefined ? '-' : paint(health.light, '●')} ${line(rows[at] ?? []).trimEnd()}`,
      ...health.concerns.map((concern) => `    ${concern}`),
    ]),
    '',
    summary(fleet),
  ];
}

function cells({ camera, reported, usage, health }: FleetMember, nowMs: number): string[] {
  const { footage, restarts, machine, versions } = reported?.telemetry ?? {};
  const unless = <T>(value: T | null | undefined, text: (value: T) => string) =>
    value === undefined || value === null ? '-' : text(value);
  const seconds = (value: number) => duration(value * 1000);
  return [
    printable(camera.name) || '-',
    stateText(camera, health, nowMs),
    unless(footage, ({ heldSeconds }) => seconds(heldSeconds)),
    unless(footage, (f) => seconds(f.droppedSeconds + f.skippedSeconds + f.interruptedSeconds)),
    unless(restarts, ({ agent, capture }) => `${agent}+${capture}`),
    unless(machine?.temperature, (celsius) => `${Math.round(celsius)} °C`),
    unless(machine?.diskFreeBytes, size),
    unless(usage, ({ bytes }) => size(bytes)),
    camera.standing === 'revoked' ? '-' : certificateText(camera.notAfterMs - nowMs),
    unless(versions, ({ oriel }) => printable(oriel)),
    camera.id,
  ];
}

function stateText({ standing }: CameraRecord, { online, sinceMs }: CameraHealth, nowMs: number): string {
  if (standing === 'revoked') return 'revoked';
  if (sinceMs === undefined) return online ? 'online' : 'never seen';
  return `${online ? 'online' : 'offline'} for ${duration(nowMs - sinceMs)}`;
}

const certificateText = (leftMs: number) => (leftMs > 0 ? duration(leftMs) : 'ended');

function summary(fleet: readonly FleetMember[]): string {
  const enrolled = fleet.filter(({ camera }) => camera.standing === 'enrolled');
  const online = enrolled.filter(({ health }) => health.online).length;
  const wanting = enrolled.filter(({ health }) => health.light !== 'green').length;
  const revoked = fleet.length - enrolled.length;
  const stored = fleet.reduce((sum, { usage }) => sum + (usage?.bytes ?? 0), 0);
  return [
    `${enrolled.length} ${enrolled.length === 1 ? 'camera' : 'cameras'}: ${online} online`,
    `${enrolled.length - online} offline`,
    `${wanting} to look at`,
    ...(revoked > 0 ? [`${revoked} shut out`] : []),
    `${size(stored)} of footage`,
  ].join(', ');
}

/** The same for programs. */
export function jsonOfHealth({ reported, usage, health }: FleetMember) {
  const { online, control, light, sinceMs, concerns } = health;
  return {
    light: light ?? null,
    online,
    control,
    since: sinceMs === undefined ? null : new Date(sinceMs).toISOString(),
    concerns,
    telemetry: reported?.telemetry ?? null,
    footage: usage === undefined ? null : { bytes: usage.bytes, sessions: usage.sessions },
  };
}
