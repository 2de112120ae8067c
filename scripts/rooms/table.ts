/**
 * The rooms of the repository, and what each may import: `scripts/import-rules --write` makes biome.json's import rules and
 * the table of docs/design/architecture.md from this one.
 */

export type RoomName =
  | 'agent'
  | 'launcher'
  | 'ota'
  | 'crypto'
  | 'media'
  | 'wire'
  | 'footage'
  | 'text'
  | 'host'
  | 'server'
  | 'owner'
  | 'web'
  | 'cli'
  | 'scripts'
  | 'test';

/**
 * What of Node a file may import:
 *
 * - `nothing`: no module of Node, and none of its globals either, nor those of a browser that act: effects come in as arguments
 * - `browser`: no module of Node; a browser's globals
 * - `primitives`: node:crypto and node:zlib
 * - `reader`: files, to read only; terminal and timers; neither sockets nor node:http
 * - `local`: files, streams and the like, and of the network the client's half of node:http, over a socket that host/ has dialled
 * - `dialer`: `local`, and the client's half of node:https, http2, net and tls
 * - `listener`: all but node:dgram and what loads code
 * - `everything`
 */
export type NodeAccess =
  | 'nothing'
  | 'browser'
  | 'primitives'
  | 'reader'
  | 'local'
  | 'dialer'
  | 'listener'
  | 'everything';

/** Packages that only those files may import that have them among their `packages`, and why. */
export const WALLED_PACKAGES = {
  'fluent-ffmpeg': 'ffmpeg arguments are built in one place',
  sharp: 'Native code for pictures, loaded when it is used',
  mqtt: 'mqtt as a whole brings what dials and listens: mqtt/lib/client does neither.',
} as const;
export type WalledPackage = keyof typeof WALLED_PACKAGES;

export interface Rights {
  /** Rooms that it may import beside itself. */
  readonly imports: readonly RoomName[];
  /** Files of these rooms that it may not import all the same: paths without `.ts`, of which `-node.ts` goes along. */
  readonly but?: { readonly files: readonly string[]; readonly because: string };
  readonly node: NodeAccess;
  /** Whether it may import node:child_process. */
  readonly children?: boolean;
  readonly packages?: readonly WalledPackage[];
}

export interface Room extends Rights {
  readonly name: RoomName;
  /** What is in it, in Markdown, for the architecture page. */
  readonly holds: string;
  /** Files with other rights than the room's: a glob, and what differs. */
  readonly special?: readonly (Partial<Rights> & { readonly files: string })[];
  /** Whether it may use console and process.env. */
  readonly console?: boolean;
  /** Free of walls: only what nobody ships. */
  readonly free?: boolean;
}

/** The rooms that a release is made of. `web` is still to come. */
export const SHIPPED: readonly RoomName[] = [
  'agent',
  'launcher',
  'ota',
  'crypto',
  'media',
  'wire',
  'footage',
  'text',
  'host',
  'server',
  'owner',
  'web',
  'cli',
];

export const ROOMS: readonly Room[] = [
  {
    name: 'agent',
    holds:
      'the camera: `client/` (connections and requests), `state/` (its directory, key, policy), `pairing/`, `clock/`, `capture/`, `recording/`, `snapshots/`, `spool/`, `uplink/`, `control/`, `updates/`, `firewall/`, `health/`, `selfcheck/`',
    imports: ['ota', 'crypto', 'media', 'wire', 'text', 'host'],
    node: 'local',
    special: [{ files: 'agent/capture/**', children: true, packages: ['fluent-ffmpeg'] }],
  },
  {
    name: 'launcher',
    holds: 'starts agent and capture, each with its own user, and switches slots',
    imports: ['agent', 'ota', 'crypto', 'wire', 'text', 'host'],
    node: 'local',
    special: [{ files: 'launcher/role-process.ts', children: true }],
  },
  {
    name: 'ota',
    holds:
      "updates: bundles, `release/` (a maker's keys, signatures and repository); on the camera metadata, choice, download ([updates](updates.md))",
    imports: ['crypto', 'text', 'host'],
    node: 'local',
    special: [{ files: 'ota/release/pack.ts', children: true }],
  },
  {
    name: 'crypto',
    holds:
      'pure cryptography: headers, records, sealing, opening, sessions, signed documents, certificate chains. Primitives are passed in',
    imports: [],
    node: 'nothing',
    special: [{ files: 'crypto/*-node.ts', node: 'primitives' }],
  },
  {
    name: 'media',
    holds: 'pure MP4: fragments in, one playable file out',
    imports: [],
    node: 'nothing',
  },
  {
    name: 'wire',
    holds: 'the protocol between camera and server: paths, schemas, limits; the rules of a camera’s health',
    imports: ['crypto', 'text'],
    node: 'nothing',
  },
  {
    name: 'text',
    holds: 'how quantities and text of others are written for people',
    imports: [],
    node: 'nothing',
  },
  {
    name: 'footage',
    holds: 'footage as a viewer reads it: verdicts, coverage, gaps, MP4, contact sheet',
    imports: ['crypto', 'media', 'wire'],
    node: 'nothing',
    special: [{ files: 'footage/*-node.ts', imports: ['crypto', 'media', 'wire', 'host'], node: 'local' }],
  },
  {
    name: 'host',
    holds: 'the only room that touches the machine: clock, disk, child processes, FIFOs, the dialer',
    imports: [],
    node: 'dialer',
    children: true,
    special: [
      { files: 'host/no-listen.ts', node: 'everything' },
      { files: 'host/jpeg.ts', packages: ['sharp'] },
    ],
  },
  {
    name: 'server',
    holds: "the server: TLS, HTTP, MQTT, storage, registry; the mirror of a maker's updates",
    imports: ['ota', 'wire', 'text', 'host', 'crypto'],
    but: {
      files: ['crypto/opener', 'crypto/session', 'crypto/snapshot-opener', 'crypto/viewing-key'],
      because: 'The server is blind: it never imports what opens footage.',
    },
    node: 'listener',
  },
  {
    name: 'owner',
    holds:
      'what an owner does with the viewing key: setup codes, accepting cameras, policies, pin statements, forgetting day keys',
    imports: ['crypto', 'wire', 'footage', 'text', 'host', 'server'],
    node: 'local',
  },
  {
    name: 'web',
    holds: 'what runs in the browser (to come)',
    imports: ['crypto', 'media', 'wire', 'footage', 'text'],
    node: 'browser',
  },
  {
    name: 'cli',
    holds: 'the one command, `oriel`: parses and prints',
    imports: SHIPPED.filter((name) => name !== 'cli'),
    node: 'reader',
    special: [
      // They run a script of the checkout, which is no part of what is shipped.
      { files: 'cli/release/build.ts', children: true },
      { files: 'cli/release/kit.ts', children: true },
      { files: 'cli/launcher/install.ts', node: 'local' },
    ],
    console: true,
  },
  {
    name: 'scripts',
    holds: 'setup, test, check, demo, build, bench, [image](../guide/image.md)',
    imports: [...SHIPPED, 'test'],
    node: 'everything',
    console: true,
    free: true,
  },
  {
    name: 'test',
    holds:
      'mirrors the rooms; `e2e/` runs the real processes, `all/` slow tests, `long/` the slowest, `vectors/` bytes for other implementations',
    imports: [...SHIPPED, 'scripts'],
    node: 'everything',
    console: true,
    free: true,
  },
];

/** The rights of a room's own files, or of special ones: a glob, and every right spelt out. */
export interface Walls extends Rights {
  readonly room: RoomName;
  readonly files: string;
}

/** The walls of every room, in the order in which Biome has to read them: a room's special files after the room. */
export const WALLS: readonly Walls[] = ROOMS.filter(({ free }) => free !== true).flatMap(
  ({ name, holds: _holds, special = [], console: _console, ...rights }) => [
    { room: name, files: `${name}/**`, ...rights },
    ...special.map((one) => ({ room: name, ...rights, ...one })),
  ],
);
