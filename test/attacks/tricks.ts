import { randomBytes } from 'node:crypto';
import { copyFileSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bundle } from '../../ota/bundle.ts';
import { finish } from '../../ota/next-edition.ts';
import { changeRollout } from '../../ota/publish.ts';
import { LIFETIME_DAYS } from '../../ota/repository.ts';
import { wholePath } from '../../ota/transfer-list.ts';
import type { BundleOptions, Contents } from '../ota/maker.ts';
import { describeBundle, entryOf } from '../ota/maker.ts';
import type { SlottedDeployment } from '../ota/slotted-deployment.ts';
import { versionOf } from '../ota/slotted-deployment.ts';
import type { TestServer } from '../ota/test-server.ts';
import { DAY_MS, signerOf } from '../ota/tuf-repository.ts';
import { looks } from './attempt.ts';
import {
  bent,
  FORGED,
  force,
  keepMetadata,
  nextTargets,
  publishTargets,
  publishUnjudged,
  renew,
  targetsInForce,
  withBundle,
} from './forgery.ts';
import { endless, heldBack, type Lie, slow } from './lying-server.ts';

/**
 * What who has server, repository and TLS keys tries on a camera. The online key is theirs too; where a trick needs the
 * release keys to have signed something, that is said, and shows the lock behind the signatures.
 */
export interface Trick {
  readonly name: string;
  /** With which it is refused. */
  readonly code: string;
  /** Of the camera's own processes, which refuses. */
  readonly by: 'agent' | 'launcher';
  /** Sets it up. @returns how the house is put in order again. */
  readonly play: (slotted: SlottedDeployment) => Promise<() => Promise<void> | void>;
}

/** The release that the camera would take, of files that come one after the other. */
export const WANTED = 2;
export const BESIDE: Contents = {
  'app/beside-1': randomBytes(100_000),
  'app/beside-2': randomBytes(100_000),
};
const [FIRST, SECOND] = Object.entries(BESIDE).map(([path, content]) => entryOf(path, content).sha256) as [
  string,
  string,
];

const agentRefuses = (name: string, code: string, play: Trick['play']): Trick => ({
  name,
  code,
  by: 'agent',
  play,
});

/** While a repository is worked on, nobody is to see it: a camera looks when it likes. */
async function unseen({ server }: TestServer, work: () => Promise<void>): Promise<void> {
  server.answer = (_request, response) => Boolean(response.writeHead(503).end());
  await work();
  server.answer = () => false;
}

/** Metadata that the camera is not to accept; then the maker's own, in newer editions. */
const metadata = (name: string, code: string, forge: (slotted: SlottedDeployment) => Promise<void>): Trick =>
  agentRefuses(name, code, async (slotted) => {
    const { testServer } = slotted;
    const restore = keepMetadata(testServer);
    await unseen(testServer, () => forge(slotted));
    return () =>
      unseen(testServer, async () => {
        restore();
        await renew(testServer);
      });
  });

/** A bundle behind metadata that the release keys have signed; then it is taken out. */
const signed = (name: string, code: string, offer: (slotted: SlottedDeployment) => Promise<void>): Trick =>
  agentRefuses(name, code, async (slotted) => {
    const { targets } = (await targetsInForce(slotted.testServer)).signed;
    await offer(slotted);
    return () => publishTargets(slotted.testServer, { ...targets });
  });

const bundle = (
  name: string,
  code: string,
  wish: (bundle: Bundle) => BundleOptions,
  rollout: Parameters<typeof withBundle>[2] = {},
): Trick =>
  signed(name, code, async ({ testServer }) => {
    const forged = describeBundle(undefined, FORGED);
    await publishTargets(testServer, await withBundle(testServer, wish(forged), rollout));
  });

/** The exact bytes of a manifest that no tool of Oriel's writes. */
const manifest = (json: object): BundleOptions => ({
  manifest: Buffer.from(`${JSON.stringify(json, undefined, 2)}\n`),
});

const lie = (name: string, code: string, answer: Lie): Trick =>
  agentRefuses(name, code, async ({ testServer: { server } }) => {
    server.answer = answer;
    return () => {
      server.answer = () => false;
    };
  });

const TRICKS_WITH_METADATA: readonly Trick[] = [
  metadata('a release that nobody has signed', 'METADATA_UNSIGNED', async ({ testServer }) => {
    await force(testServer, await nextTargets(testServer, await withBundle(testServer, { signers: [] }), []));
  }),
  metadata('a release with one signature of two', 'METADATA_UNSIGNED', async ({ testServer }) => {
    const one = testServer.maker.release.slice(0, 1);
    await force(
      testServer,
      await nextTargets(testServer, await withBundle(testServer, { signers: one }), one),
    );
  }),
  metadata('percentage raised for this camera alone', 'METADATA_UNSIGNED', async ({ testServer }) => {
    await force(testServer, await bent(testServer, /"percentage": 0\b/, '"percentage": 100'));
  }),
  agentRefuses('old metadata, replayed', 'METADATA_OUTDATED', async (slotted) => {
    const { testServer } = slotted;
    const replay = keepMetadata(testServer);
    await renew(testServer);
    const restore = keepMetadata(testServer);
    await looks(slotted);
    replay();
    return restore;
  }),
  metadata('parts of two editions, mixed', 'METADATA_MIXED', async ({ testServer }) => {
    const { repository, nowMs } = testServer;
    const before = await targetsInForce(testServer);
    await changeRollout(
      repository,
      versionOf(WANTED),
      (rollout) => ({ ...rollout, seed: '1'.repeat(32) }),
      nowMs,
    );
    await testServer.sign();
    const after = await targetsInForce(testServer);
    const file = (version: number) => join(repository.directory, 'metadata', `${version}.targets.json`);
    copyFileSync(file(before.signed.version), file(after.signed.version));
  }),
  metadata(
    'the repository frozen, its timestamp past its end',
    'METADATA_EXPIRED',
    async ({ testServer }) => {
      const { repository, online, nowMs } = testServer;
      await finish(repository, signerOf(online), nowMs - LIFETIME_DAYS.timestamp * DAY_MS - 60_000);
    },
  ),
];

const TRICKS_BEHIND_SIGNATURES: readonly Trick[] = [
  signed('the bundle with one signature of two', 'SIGNATURES_MISSING', async ({ testServer, contents }) => {
    const [counter, signers] = [9, testServer.maker.release.slice(0, 1)];
    const changes = { version: versionOf(counter), counter };
    await publishUnjudged(testServer, { contents: contents(counter), changes, signers });
  }),
  bundle('a release for other hardware', 'HARDWARE_FOREIGN', () => ({}), { hardware: ['linux-arm64'] }),
  bundle('a downgrade', 'VERSION_DOWNGRADE', () => ({}), { version: '0.9.0' }),
  bundle('a path that leads elsewhere', 'BUNDLE_PATH_REFUSED', (forged) =>
    manifest({ ...forged, files: [entryOf('../../../etc/passwd', '')] }),
  ),
  bundle('one name twice', 'BUNDLE_PATH_REPEATED', (forged) =>
    manifest({ ...forged, files: [entryOf('app/file', ''), entryOf('app/file', '')] }),
  ),
  bundle('a manifest of more than 512 KiB', 'BUNDLE_OVERSIZED', (forged) =>
    manifest({ ...forged, notes: 'n'.repeat(512 * 1024) }),
  ),
];

const TRICKS_ON_THE_WAY: readonly Trick[] = [
  lie('a file without end', 'FETCH_ENDLESS', endless),
  lie('a file at a byte a second', 'FETCH_SLOW', slow),
];

/** What is done, with the agent's rights, to a file that the agent has verified and put by. */
const staged = (name: string, code: string, alter: (file: string) => void): Trick => ({
  name,
  code,
  by: 'launcher',
  play: async ({ testServer, deployment }) => {
    const incoming = join(deployment.cameraDirectory, 'updates/incoming');
    rmSync(incoming, { recursive: true, force: true });
    const file = join(incoming, 'files', FIRST);
    const { directory } = testServer.repository;
    testServer.server.answer = heldBack(directory, wholePath(SECOND), file, () => alter(file));
    return () => {
      testServer.server.answer = () => false;
      rmSync(incoming, { recursive: true, force: true });
    };
  },
});

export const ALTERED_AFTER_STAGING = staged('a file altered after staging', 'FILE_ALTERED', (file) => {
  const bytes = readFileSync(file);
  bytes.writeUInt8(bytes.readUInt8(0) ^ 1, 0);
  writeFileSync(file, bytes);
});

const TRICKS_ON_THE_CAMERA: readonly Trick[] = [
  ALTERED_AFTER_STAGING,
  staged('a symbolic link in the place of a staged file', 'FILE_MISSING', (file) => {
    copyFileSync(file, `${file}.elsewhere`);
    rmSync(file);
    symlinkSync(`${file}.elsewhere`, file);
  }),
];

export const [ONE_SIGNATURE_UNDER_THE_BUNDLE] = TRICKS_BEHIND_SIGNATURES as [Trick];

/** While the release that the camera would take is for none of a hundred. */
export const TRICKS_WHILE_WAITING = [...TRICKS_WITH_METADATA, ...TRICKS_BEHIND_SIGNATURES];
/** While it is for all. */
export const TRICKS_WHILE_DUE = [...TRICKS_ON_THE_WAY, ...TRICKS_ON_THE_CAMERA];

/** Played last, with root's rights to the disk: what ran is altered, and the spare takes over. */
export const ALTERED_BEFORE_START = {
  name: 'a file altered in the slot, before a start',
  code: 'FILE_ALTERED',
  by: 'launcher',
} as const;
