import {
  type NodeAccess,
  ROOMS,
  type RoomName,
  WALLED_PACKAGES,
  WALLS,
  type WalledPackage,
  type Walls,
} from './table.ts';

/** One entry of biome.json's `overrides`. */
export interface Override {
  readonly includes: readonly string[];
  readonly linter: { readonly rules: Readonly<Record<string, Readonly<Record<string, unknown>>>> };
}

interface Pattern {
  readonly group: readonly string[];
  readonly message: string;
}
type Paths = Record<string, { readonly allowImportNames?: readonly string[]; readonly message: string }>;

/** What a client needs of the modules that can also listen. */
const CLIENTS_HALF: Readonly<Record<string, readonly string[]>> = {
  'node:http': [
    'Agent',
    'ClientRequest',
    'IncomingHttpHeaders',
    'IncomingMessage',
    'OutgoingHttpHeaders',
    'RequestOptions',
    'request',
  ],
  'node:https': ['Agent', 'RequestOptions', 'request'],
  'node:http2': ['ClientHttp2Session', 'ClientHttp2Stream', 'connect', 'constants'],
  'node:net': [
    'NetConnectOpts',
    'Socket',
    'TcpNetConnectOpts',
    'connect',
    'createConnection',
    'isIP',
    'isIPv4',
    'isIPv6',
    'BlockList',
  ],
  'node:tls': [
    'ConnectionOptions',
    'DetailedPeerCertificate',
    'PeerCertificate',
    'SecureContext',
    'TLSSocket',
    'checkServerIdentity',
    'connect',
    'createSecureContext',
    'rootCertificates',
  ],
};

/** What changes no file. */
const READERS_HALF: Paths = {
  'node:fs': {
    allowImportNames: ['existsSync', 'readFileSync', 'readdirSync', 'statSync'],
    message: 'What writes files belongs to another room: this one parses and prints.',
  },
  'node:fs/promises': {
    allowImportNames: ['FileHandle'],
    message: 'What works on files belongs to another room: this one parses and prints.',
  },
};

function clientsHalf(modules: readonly string[]): Paths {
  return Object.fromEntries(
    modules.map((module) => [
      module,
      {
        ...{ allowImportNames: CLIENTS_HALF[module] ?? [] },
        message: `Only the client's half of ${module} is allowed: nothing here may listen.`,
      },
    ]),
  );
}

const LOADERS: Pattern = {
  group: ['node:{cluster,inspector,inspector/promises,module,repl,vm,wasi}'],
  message: 'This loads code or opens a door.',
};
const DATAGRAMS: Pattern = {
  group: ['node:dgram'],
  message: 'A UDP socket is bound as soon as it is used: nothing here may have one.',
};
const NO_NODE: Pattern = {
  group: ['node:{*,*/*}'],
  message: 'This runs in the browser too: nothing of Node.',
};

/** What of Node's modules is refused: as a whole (patterns), or but for some names (paths). */
const NODE: Readonly<
  Record<NodeAccess, (room: RoomName) => { readonly paths?: Paths; readonly patterns: readonly Pattern[] }>
> = {
  nothing: () => ({ patterns: [NO_NODE] }),
  browser: () => ({ patterns: [NO_NODE] }),
  primitives: () => ({
    patterns: [
      {
        group: ['node:{*,*/*}', '!node:crypto', '!node:zlib'],
        message: 'Of Node, this may import node:crypto and node:zlib (CRC-32) only.',
      },
    ],
  }),
  reader: (room) => ({
    paths: READERS_HALF,
    patterns: [
      {
        group: ['node:{net,tls,dns,dns/promises,http,http2,https,dgram}'],
        message: `${room}/ has no sockets: what dials or listens belongs to another room.`,
      },
      LOADERS,
    ],
  }),
  local: (room) => ({
    paths: clientsHalf(['node:http']),
    patterns: [
      {
        group: ['node:{net,tls,dns,dns/promises,http2,https,dgram}'],
        message: `${room}/ reaches the network through host/ only.`,
      },
      LOADERS,
    ],
  }),
  dialer: () => ({ paths: clientsHalf(Object.keys(CLIENTS_HALF)), patterns: [LOADERS, DATAGRAMS] }),
  listener: () => ({ patterns: [LOADERS, DATAGRAMS] }),
  everything: () => ({ patterns: [] }),
};

/** Globals of Node, and those of a browser that act, which code without effects does without. */
const GLOBALS = [
  'Buffer',
  'process',
  'fetch',
  'WebSocket',
  'XMLHttpRequest',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'performance',
  'require',
];

const list = (names: readonly string[]) => names.join(', ');

function roomPattern({ room, imports }: Walls): Pattern[] {
  const others = ROOMS.map(({ name }) => name).filter((name) => name !== room && !imports.includes(name));
  const message =
    imports.length === 0
      ? `${room}/ imports nothing of our other rooms.`
      : `${room}/ may import ${list(imports)} of our rooms, nothing else.`;
  return [{ group: [`**/{${others.join(',')}}/**`], message }];
}

function exceptionPattern({ but }: Walls): Pattern[] {
  if (but === undefined) return [];
  return [{ group: but.files.map((file) => `**/${file}{.ts,-node.ts}`), message: but.because }];
}

function childPattern({ children, node }: Walls): Pattern[] {
  if (children === true || node === 'everything') return [];
  const may = WALLS.filter((walls) => walls.children === true).map(({ files }) => files);
  return [{ group: ['node:child_process'], message: `Child processes belong to ${list(may)}.` }];
}

/** `mqtt` alone stands for the package's main module: `mqtt/lib/client`, which neither dials nor listens, passes. */
function packagePattern({ packages = [] }: Walls): Pattern[] {
  const usersOf = (name: WalledPackage) =>
    WALLS.filter((walls) => walls.packages?.includes(name) === true).map(({ files }) => files);
  return Object.entries(WALLED_PACKAGES)
    .filter(([name]) => !packages.includes(name as WalledPackage))
    .map(([name, why]) => {
      const users = usersOf(name as WalledPackage);
      return { group: [name], message: users.length === 0 ? why : `${why}: ${list(users)} only.` };
    });
}

function wallsOverride(walls: Walls): Override {
  const { paths, patterns } = NODE[walls.node](walls.room);
  const options = {
    ...(paths === undefined ? {} : { paths }),
    patterns: [
      ...roomPattern(walls),
      ...exceptionPattern(walls),
      ...patterns,
      ...childPattern(walls),
      ...packagePattern(walls),
    ],
  };
  const because = `${walls.room}/ runs in the browser too, and its effects come in as arguments.`;
  const deniedGlobals = Object.fromEntries(GLOBALS.map((name) => [name, because]));
  return {
    includes: [walls.files],
    linter: {
      rules: {
        style: {
          noRestrictedImports: { level: 'error', options },
          noRestrictedGlobals:
            walls.node === 'nothing' ? { level: 'error', options: { deniedGlobals } } : 'off',
        },
      },
    },
  };
}

/** Every override of biome.json that says what a room may import or use. */
export function roomOverrides(): Override[] {
  const talkative = ROOMS.filter(({ console }) => console === true).map(({ name }) => `${name}/**`);
  const off = { style: { noProcessEnv: 'off' }, suspicious: { noConsole: 'off' } };
  return [...WALLS.map(wallsOverride), { includes: talkative, linter: { rules: off } }];
}

const RULES_MADE = ['noRestrictedImports', 'noRestrictedGlobals', 'noProcessEnv', 'noConsole'];

/** biome.json's overrides as they have to be: those made here, then those written by hand, which name no rule made here. */
export function completeOverrides(present: readonly Override[]): Override[] {
  const byHand = present.filter(
    ({ linter }) =>
      !Object.values(linter.rules).some((group) => RULES_MADE.some((rule) => Object.hasOwn(group, rule))),
  );
  return [...roomOverrides(), ...byHand];
}
