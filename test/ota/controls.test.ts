import { mkdtempSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../host/clock.ts';
import { systemDisk } from '../../host/disk.ts';
import type * as BundleRoom from '../../ota/bundle.ts';
import type * as MetadataRoom from '../../ota/metadata.ts';
import type * as RolloutRoom from '../../ota/rollout.ts';
import { readSnapshot, signMetadata, writeMetadata } from '../../ota/tuf-metadata.ts';
import type * as VerifyRoom from '../../ota/verify-bundle.ts';
import type * as ZstdRoom from '../../ota/zstd.ts';
import { type Breakage, breakBuild } from '../broken-build.ts';
import { type BundleOptions, describeBundle, entryOf, makeBundle, newMaker } from './maker.ts';
import { DAY_MS, NOW, serve, signerOf, TufRepository } from './tuf-repository.ts';

/** Each lock of this room taken out by itself: then the thief gets through, so it is that lock that held him. */

interface Rooms {
  readonly bundle: typeof BundleRoom;
  readonly verify: typeof VerifyRoom;
  readonly metadata: typeof MetadataRoom;
  readonly rollout: typeof RolloutRoom;
  readonly zstd: typeof ZstdRoom;
}

async function roomsIn(root: string): Promise<Rooms> {
  const load = (name: string) => import(join(root, 'ota', name));
  return {
    bundle: await load('bundle.ts'),
    verify: await load('verify-bundle.ts'),
    metadata: await load('metadata.ts'),
    rollout: await load('rollout.ts'),
    zstd: await load('zstd.ts'),
  };
}

const maker = newMaker();
const scratch = mkdtempSync(join(tmpdir(), 'oriel-controls-'));
afterAll(() => rmSync(scratch, { recursive: true }));

type Attack = (rooms: Rooms) => Promise<unknown>;

/** A bundle, then what the thief does to its directory. */
const bundled =
  (wish: BundleOptions, change: (directory: string) => void = () => undefined): Attack =>
  async ({ verify }) => {
    const directory = makeBundle(maker, wish);
    try {
      change(directory);
      return await verify.verifyBundle(directory, maker.trust);
    } finally {
      rmSync(directory, { recursive: true });
    }
  };

/** A camera that trusts what is in `directory` afterwards refreshes at `trustedTimeMs`. */
const refreshed =
  (trustedTimeMs: number, change: (repository: TufRepository, trusted: string) => void): Attack =>
  async ({ metadata }) => {
    const repository = new TufRepository();
    const server = await serve(repository);
    const directory = mkdtempSync(join(scratch, 'trusted-'));
    const options = {
      disk: systemDisk,
      clock: systemClock,
      directory,
      shippedRoot: repository.root,
      scratch,
      get: server.get,
      signal: new AbortController().signal,
    };
    try {
      await metadata.refreshMetadata({ ...options, trustedTimeMs: NOW });
      change(repository, directory);
      return await metadata.refreshMetadata({ ...options, trustedTimeMs });
    } finally {
      await server.stop();
    }
  };

const older: Attack = async ({ rollout }) => {
  const release = {
    ...{ product: 'oriel', version: '1.0.0', counter: 1, hardware: ['linux-x64'], percentage: 100, seed: '' },
    ...{ released: '', halt: false, minimum: '0.0.0', severity: 'none' as const, advisories: [] },
  };
  const camera = { camera: 'a', product: 'oriel', hardware: 'linux-x64', version: '2.0.0', counter: 2 };
  const judged = rollout.judgeRelease(release, { ...camera, minimum: '0.0.0', failed: [] });
  if (judged !== 'install') throw Object.assign(new Error('refused'), { code: judged });
};

const unpacked: Attack = async ({ zstd }) => {
  const [from, to] = [join(scratch, 'from'), join(scratch, 'to')];
  rmSync(to, { force: true });
  writeFileSync(from, await zstd.compress(Buffer.from('another')));
  await zstd.decompressFile(from, to, entryOf('a', 'wanted'));
};

const parsed =
  (path: string): Attack =>
  async ({ bundle }) => {
    const files = [{ ...entryOf('a', ''), path }];
    bundle.parseBundle(Buffer.from(`${JSON.stringify({ ...describeBundle(), files }, undefined, 2)}\n`));
  };

const linked = (directory: string) => {
  renameSync(join(directory, 'files/bin/node'), join(directory, 'node'));
  symlinkSync('../../node', join(directory, 'files/bin/node'));
};

/** With the online key: a snapshot that names targets without saying what is in them. */
function vouchForAnything(repository: TufRepository): void {
  const bytes = Buffer.from(repository.files.get('metadata/1.snapshot.json') ?? '').toString();
  const snapshot = readSnapshot(
    Buffer.from(
      bytes
        .replace(/"hashes": \{[^}]*\}/, '"hashes": {}')
        .replace('"version": 1,\n  "expires"', '"version": 2,\n  "expires"'),
    ),
  );
  snapshot.signatures = {};
  signMetadata(snapshot, repository.keys.snapshot.map(signerOf));
  repository.versions.snapshot = snapshot.signed.version;
  const written = writeMetadata(snapshot);
  repository.files.set(`metadata/${snapshot.signed.version}.snapshot.json`, written);
  repository.publishTimestamp(written);
}

const LOCKS: [string, Attack, string, Breakage[]][] = [
  [
    'one signature of two',
    bundled({ signers: maker.release.slice(0, 1) }),
    'SIGNATURES_MISSING',
    [{ file: 'ota/signatures.ts', from: 'fitting.size >= threshold', to: 'fitting.size >= 1' }],
  ],
  [
    'wrong hardware',
    bundled({ changes: { hardware: ['linux-arm64'] } }),
    'HARDWARE_FOREIGN',
    [{ file: 'ota/verify-bundle.ts', from: '!bundle.hardware.includes(trust.hardware)', to: 'false' }],
  ],
  [
    'an altered file',
    bundled({}, (directory) => writeFileSync(join(directory, 'files/app/oriel.mjs'), 'the agenT')),
    'FILE_ALTERED',
    [{ file: 'ota/bundle-files.ts', from: '!== expected.sha256', to: '=== undefined' }],
  ],
  [
    'a symbolic link',
    bundled({}, linked),
    'FILE_IRREGULAR',
    [
      { file: 'ota/bundle-files.ts', from: "if (kind === 'other')", to: 'if (false)' },
      {
        file: 'ota/bundle-files.ts',
        from: 'constants.O_RDONLY | constants.O_NOFOLLOW',
        to: 'constants.O_RDONLY',
      },
    ],
  ],
  [
    'a path out of the bundle',
    parsed('../node'),
    'BUNDLE_PATH_REFUSED',
    [{ file: 'ota/bundle.ts', from: 'if (!fits)', to: 'if (false)' }],
  ],
  [
    'a downgrade',
    older,
    'VERSION_DOWNGRADE',
    [
      {
        file: 'ota/rollout.ts',
        from: 'if (!semver.gt(version, candidate.version) || counter <= candidate.counter)',
        to: 'if (false)',
      },
    ],
  ],
  [
    'a frozen repository, on a machine whose clock is behind',
    refreshed(NOW + 60 * DAY_MS, () => undefined),
    'METADATA_EXPIRED',
    [
      {
        file: 'ota/trusted-store.ts',
        from: "Reflect.set(this, 'referenceTime', new Date(trustedTimeMs));",
        to: '',
      },
    ],
  ],
  [
    'a list of hashes with none in it',
    refreshed(NOW, vouchForAnything),
    'METADATA_MALFORMED',
    [{ file: 'ota/trusted-store.ts', from: 'refuseEmptyHashes(json);', to: '' }],
  ],
  [
    'content that is not what was asked for',
    unpacked,
    'FETCH_WRONG',
    [
      {
        file: 'ota/zstd.ts',
        from: "if (size !== expected.size || hash.digest('hex') !== expected.sha256)",
        to: 'if (false)',
      },
      { file: 'ota/zstd.ts', from: 'if (size > expected.size) break;', to: '' },
    ],
  ],
];

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'ACCEPTED',
    (error: { code?: unknown }) => error.code,
  );

test.each(LOCKS)('%s is refused, and no longer without its lock', async (_, attack, code, breakages) => {
  expect(await codeOf(attack(await roomsIn(join(import.meta.dirname, '../..'))))).toBe(code);
  const broken = breakBuild(...breakages);
  try {
    expect(await codeOf(attack(await roomsIn(broken.root)))).toBe('ACCEPTED');
  } finally {
    broken.remove();
  }
});

test('a truncated root stops nothing, and for good without its fallback', async () => {
  const cut = refreshed(NOW, (_, trusted) => truncateSync(join(trusted, 'root.json'), 30));
  expect(await codeOf(cut(await roomsIn(join(import.meta.dirname, '../..'))))).toBe('ACCEPTED');
  const broken = breakBuild({
    file: 'ota/metadata.ts',
    from: `  } catch {
    return open(shippedRoot);
  }`,
    to: '  } finally {}',
  });
  try {
    expect(await codeOf(cut(await roomsIn(broken.root)))).toBe('METADATA_MALFORMED');
  } finally {
    broken.remove();
  }
});
