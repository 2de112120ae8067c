import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Metadata, MetaFile, Snapshot, TargetFile, Targets } from '@tufjs/models';
import { systemClock } from '../../host/clock.ts';
import { systemDisk } from '../../host/disk.ts';
import { withUpdater } from '../../ota/metadata.ts';
import { makeTarget, SPEC_VERSION, signMetadata, writeMetadata } from '../../ota/tuf-metadata.ts';
import { type MakerKey, makeKey } from './maker.ts';
import { DAY_MS, iso, NOW, serve, signerOf, TufRepository } from './tuf-repository.ts';

/** Oriel's own repositories delegate nothing; these hold the metadata part to TUF all the same (sections 5.6, 4.5). */

interface Role {
  readonly keys: readonly MakerKey[];
  threshold?: number;
  paths?: readonly string[];
  terminating?: boolean;
  /** Roles that it hands on to. */
  to?: readonly string[];
  /** The keys that it hands them on to, where those are not their own. */
  toKeys?: readonly MakerKey[];
  targets?: Readonly<Record<string, string>>;
  version?: number;
  expires?: number;
  signers?: readonly MakerKey[];
}
type Roles = Record<string, Role>;

const EXPIRES = NOW + 30 * DAY_MS;

function delegationsOf(roles: Roles, names: readonly string[], toKeys?: readonly MakerKey[]) {
  const listed = names.map((name) => {
    const role = roles[name] ?? { keys: [] };
    return { name, ...role, keys: toKeys ?? role.keys };
  });
  return {
    keys: Object.fromEntries(
      listed
        .flatMap(({ keys }) => keys)
        .map(({ id, publicKey }) => [
          id,
          { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: publicKey } },
        ]),
    ),
    roles: listed.map(({ name, keys, threshold = 1, paths = ['*/*'], terminating = false }) => ({
      name,
      keyids: keys.map(({ id }) => id),
      threshold,
      terminating,
      paths: [...paths],
    })),
  };
}

function targetsOf(
  roles: Roles,
  { to = [], toKeys, targets = {}, version = 1, expires = EXPIRES }: Omit<Role, 'keys'>,
) {
  const entries = Object.entries(targets).map(([path, content]) => [
    path,
    makeTarget(path, Buffer.from(content)).toJSON(),
  ]);
  return new Metadata(
    Targets.fromJSON({
      spec_version: SPEC_VERSION,
      version,
      expires: iso(expires),
      targets: Object.fromEntries(entries),
      ...(to.length > 0 && { delegations: delegationsOf(roles, to, toKeys) }),
    }),
  );
}

/** Serves `roles` below the repository's targets, which hand on to `top`. */
function publish(repository: TufRepository, top: readonly string[], roles: Roles): void {
  const own = { to: top, version: ++repository.versions.targets };
  const targets = signMetadata(targetsOf(roles, own), repository.keys.targets.map(signerOf));
  repository.files.set(`metadata/${own.version}.targets.json`, writeMetadata(targets));
  const meta: Record<string, MetaFile> = { 'targets.json': new MetaFile({ version: own.version }) };
  for (const [name, role] of Object.entries(roles)) {
    const version = role.version ?? 1;
    const metadata = signMetadata(targetsOf(roles, role), (role.signers ?? role.keys).map(signerOf));
    repository.files.set(`metadata/${version}.${name}.json`, writeMetadata(metadata));
    meta[`${name}.json`] = new MetaFile({ version });
  }
  const edition = { version: ++repository.versions.snapshot, expires: iso(EXPIRES) };
  const snapshot = new Metadata(new Snapshot({ specVersion: SPEC_VERSION, ...edition, meta }));
  const bytes = writeMetadata(signMetadata(snapshot, repository.keys.snapshot.map(signerOf)));
  repository.files.set(`metadata/${edition.version}.snapshot.json`, bytes);
  repository.publishTimestamp(bytes);
}

const directories: string[] = [];
afterAll(() => {
  for (const directory of directories) rmSync(directory, { recursive: true });
});

/** Looks targets up as one camera does, one after the other; those of one call by one updater, up to the outcome of the last. */
function camera(repository: TufRepository): (...paths: readonly string[]) => Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'oriel-delegations-'));
  directories.push(directory);
  return async (...paths) => {
    await systemDisk.makeDirectory(join(directory, 'trusted'), 0o700);
    const server = await serve(repository);
    const options = {
      disk: systemDisk,
      clock: systemClock,
      directory: join(directory, 'trusted'),
      shippedRoot: repository.root,
      scratch: directory,
      trustedTimeMs: NOW,
      get: server.get,
      signal: new AbortController().signal,
    };
    try {
      const found = await withUpdater(options, {}, async (updater) => {
        let last: TargetFile | undefined;
        for (const path of paths) last = await updater.getTargetInfo(path);
        return last;
      });
      return found instanceof TargetFile ? 'FOUND' : 'NONE';
    } catch (error) {
      return String((error as { code?: unknown }).code);
    } finally {
      await server.stop();
    }
  };
}

const [a, b, c] = [makeKey(), makeKey(), makeKey()] as const;
const boards = { keys: [a], paths: ['boards/*'], targets: { 'boards/x': '1' } };

test.each<[string, string, readonly string[], Roles, string]>([
  ['is found where it is handed to', 'boards/x', ['boards'], { boards }, 'FOUND'],
  ['is not found elsewhere', 'boards/y', ['boards'], { boards }, 'NONE'],
  [
    'outside of the paths handed on is not looked for',
    'secret',
    ['boards'],
    { boards: { ...boards, targets: { secret: '1' } } },
    'NONE',
  ],
  [
    'by another key is refused',
    'boards/x',
    ['boards'],
    { boards: { ...boards, signers: [b] } },
    'METADATA_UNSIGNED',
  ],
  [
    'by one key of two is refused',
    'boards/x',
    ['boards'],
    { boards: { ...boards, keys: [a, b], threshold: 2, signers: [a] } },
    'METADATA_UNSIGNED',
  ],
  [
    'by two keys of three is found',
    'boards/x',
    ['boards'],
    { boards: { ...boards, keys: [a, b, c], threshold: 2, signers: [c, a] } },
    'FOUND',
  ],
  [
    'that is expired is refused',
    'boards/x',
    ['boards'],
    { boards: { ...boards, expires: NOW - 1000 } },
    'METADATA_EXPIRED',
  ],
  [
    'two steps away is found',
    'boards/x',
    ['first'],
    { first: { keys: [b], to: ['boards'] }, boards },
    'FOUND',
  ],
  [
    'behind a terminating role is not found',
    'boards/x',
    ['first', 'boards'],
    { first: { keys: [b], terminating: true }, boards },
    'NONE',
  ],
  [
    'is not looked for in a circle for ever',
    'boards/y',
    ['first'],
    { first: { keys: [b], to: ['boards'] }, boards: { ...boards, paths: ['*/*'], to: ['first'] } },
    'NONE',
  ],
])('a delegated target %s', async (_, path, top, roles, outcome) => {
  const repository = new TufRepository();
  publish(repository, top, roles);
  expect(await camera(repository)(path)).toBe(outcome);
});

test('an older delegated role is refused once a newer was seen, and so is one that the snapshot drops', async () => {
  const repository = new TufRepository();
  const look = camera(repository);
  publish(repository, ['boards'], { boards: { ...boards, version: 2 } });
  expect(await look('boards/x')).toBe('FOUND');
  publish(repository, ['boards'], { boards });
  expect(await look('boards/x')).toBe('METADATA_OUTDATED');
  publish(repository, [], {});
  expect(await look('boards/x')).toBe('METADATA_MALFORMED');
});

test.each([
  ['refused', 'vouches for another key', b, 'METADATA_UNSIGNED'],
  ['found', 'vouches for its key', a, 'FOUND'],
])(
  'a role taken through one parent is %s through a second one that %s, by the same updater',
  async (_, __, key, outcome) => {
    const repository = new TufRepository();
    const paths = ['*/*'];
    publish(repository, ['left', 'right'], {
      left: { keys: [b], paths: ['left/*'], to: ['release'], toKeys: [a] },
      right: { keys: [c], paths: ['right/*'], to: ['release'], toKeys: [key] },
      release: { keys: [a], paths, targets: { 'left/x': '1', 'right/x': '1' } },
    });
    expect(await camera(repository)('left/x')).toBe('FOUND');
    expect(await camera(repository)('left/x', 'right/x')).toBe(outcome);
  },
);

test('a role of the name of a path leads to no file outside', async () => {
  const repository = new TufRepository();
  const name = '../../escaped';
  publish(repository, [name], { [name]: { ...boards } });
  repository.files.set(
    `metadata/1.${encodeURIComponent(name)}.json`,
    repository.files.get(`metadata/1.${name}.json`) ?? Buffer.alloc(0),
  );
  expect(await camera(repository)('boards/x')).toBe('FOUND');

  const kept = readdirSync(join(directories.at(-1) ?? '', 'trusted'));
  expect(kept).toContain('..%2F..%2Fescaped.json');
});
