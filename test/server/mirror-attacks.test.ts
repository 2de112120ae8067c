import { readFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { systemClock } from '../../host/clock.ts';
import { openWebClient } from '../../host/web-client.ts';
import { publish } from '../../ota/publish.ts';
import { verifyBundle } from '../../ota/verify-bundle.ts';
import type { MirrorOptions } from '../../server/updates/mirror.ts';
import { newMaker } from '../ota/maker.ts';
import { TestServer as Maker } from '../ota/test-server.ts';
import { DAY_MS, NOW } from '../ota/tuf-repository.ts';
import { type Answer, ICON_FILE, MirrorDeployment } from './mirror-deployment.ts';

/** A maker's server that lies, fails, or is somebody else's. */

/** On which half a minute is over in a tenth of a second. */
const HASTY = {
  ...systemClock,
  sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms / 300, signal),
};

const deployment = new MirrorDeployment();
beforeAll(async () => {
  await deployment.begin();
  await deployment.release('the agent');
  await deployment.check();
});
afterAll(() => deployment.end());
afterEach(() => {
  deployment.answerWith(() => false);
  deployment.maker.nowMs = NOW;
});

const answerWith = (answer: Answer) => deployment.answerWith(answer);
const bytesOf = (path: string) => deployment.bytesOf(path);
const send = (response: ServerResponse, bytes: string | Uint8Array) =>
  Boolean(response.writeHead(200).end(bytes));
/** The largest file is to be fetched again, and somebody else answers. */
const newFiles = async (answer: Answer) => {
  await deployment.check();
  deployment.lose(ICON_FILE);
  answerWith((request, response, path) => path.startsWith('files/') && answer(request, response, path));
};

/** What a maker's server does, or who took it over. */
const ATTACKS: [string, string, () => void | Promise<void>, Partial<MirrorOptions>?][] = [
  [
    'a root that is cut off',
    'METADATA_MALFORMED',
    () =>
      answerWith(
        (_, response, path) =>
          path.endsWith('2.root.json') && send(response, bytesOf('metadata/1.root.json').subarray(0, 400)),
      ),
  ],
  [
    'a timestamp without end',
    'FETCH_ENDLESS',
    () =>
      answerWith(
        (_, response, path) => path.endsWith('timestamp.json') && send(response, Buffer.alloc(1 << 20)),
      ),
  ],
  [
    'an edition of somebody who has no key',
    'METADATA_UNSIGNED',
    async () => {
      const stranger = new Maker();
      stranger.nowMs += 1_000;
      await stranger.begin();
      await stranger.release({});
      await stranger.sign();
      const read = (path: string) => readFileSync(join(stranger.repository.directory, path));
      const files = ['metadata/timestamp.json', 'metadata/2.snapshot.json', 'metadata/1.targets.json'];
      const forged = new Map(files.map((path) => [path, read(path)]));
      await stranger.end();
      answerWith((_, response, path) => forged.has(path) && send(response, forged.get(path) ?? ''));
    },
  ],
  [
    'targets that are not those of the snapshot',
    'METADATA_MIXED',
    async () => {
      await deployment.promote(10);
      answerWith((_, response, path) => {
        if (!path.endsWith('.targets.json')) return false;
        return send(response, bytesOf(path).toString().replace('"percentage": 10', '"percentage": 99'));
      });
    },
  ],
  [
    'a state that it has left behind',
    'METADATA_OUTDATED',
    async () => {
      const old = bytesOf('metadata/timestamp.json');
      await deployment.maker.sign();
      await deployment.check();
      answerWith((_, response, path) => path.endsWith('timestamp.json') && send(response, old));
    },
  ],
  [
    'a repository that stands still',
    'METADATA_EXPIRED',
    () => {
      deployment.maker.nowMs += 31 * DAY_MS;
    },
  ],
  [
    'nothing but errors, past the end of what is here',
    'METADATA_EXPIRED',
    () => {
      deployment.maker.nowMs += 31 * DAY_MS;
      answerWith((_, response) => Boolean(response.writeHead(500).end()));
    },
  ],
  [
    'a file of another content',
    'FETCH_WRONG',
    () =>
      newFiles((_, response, path) =>
        send(
          response,
          bytesOf(path).map((byte) => byte ^ 1),
        ),
      ),
  ],
  [
    'a file without end',
    'FETCH_ENDLESS',
    () => newFiles((_, response) => send(response, Buffer.alloc(1 << 20))),
  ],
  [
    'a file at a byte now and then',
    'FETCH_SLOW',
    () => newFiles((_, response) => response.writeHead(200).write('x')),
    { clock: HASTY },
  ],
  ['no answer at all', 'FETCH_SLOW', () => answerWith(() => true), { clock: HASTY }],
];

test.each(ATTACKS)(
  '[FC-54] %s: %s, and cameras are given what was there',
  async (...[, code, attack, changes]) => {
    await attack();
    const { given } = deployment;
    expect(await deployment.outcome(changes)).toBe(code);
    expect(deployment.given).toMatchObject(given);
  },
);

test('[FC-54] a redirect is not followed', async () => {
  let asked = 0;
  const elsewhere = createServer((_, response) => {
    asked += 1;
    response.end('{}');
  });
  await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
  const { port } = elsewhere.address() as AddressInfo;
  answerWith((_, response, path) =>
    Boolean(response.writeHead(302, { location: `http://127.0.0.1:${port}/${path}` }).end()),
  );
  expect(await deployment.outcome()).toBe('FETCH_REFUSED');
  expect(asked).toBe(0);
  elsewhere.close();
});

test('[FC-54] another maker’s repository is refused, and so is one without the root that was given', async () => {
  // What a slow server had sent of a file was wrong, which shows once the file is whole.
  await deployment.outcome();
  await deployment.check();
  const { given } = deployment;
  const other = new Maker();
  await other.begin();
  await other.release({});
  const get = openWebClient(new URL(other.server.url)).get;
  const otherRoot = readFileSync(join(other.repository.directory, 'metadata/1.root.json'));
  try {
    expect(await deployment.outcome({ get })).toBe('METADATA_UNSIGNED');
    expect(await deployment.outcome({ givenRoot: otherRoot })).toBe('ROOT_FOREIGN');
    expect(deployment.given).toMatchObject(given);
  } finally {
    await other.end();
  }
});
test('[FC-54] a bundle whose key list other root keys have signed is refused, although the targets are signed', async () => {
  await deployment.check();
  const { maker, given } = deployment;
  const strangers = newMaker();
  const bundle = maker.bundle({
    changes: { version: '1.99.0', counter: 99 },
    keyListSigners: strangers.root,
  });
  await publish({
    repository: maker.repository,
    bundleDirectory: bundle,
    verified: await verifyBundle(bundle, { ...maker.maker.trust, root: strangers.trust.root }),
    rollout: { percentage: 100, minimum: '0.0.1', severity: 'none', advisories: [] },
    nowMs: maker.nowMs,
    progress: () => undefined,
  });
  await maker.sign();
  expect(await deployment.outcome()).toBe('SIGNATURES_MISSING');
  expect(deployment.given).toMatchObject(given);
});
