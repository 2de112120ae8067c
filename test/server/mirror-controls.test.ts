import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type * as MirrorModule from '../../server/updates/mirror.ts';
import { type Breakage, breakBuild } from '../broken-build.ts';
import { TestServer as Maker } from '../ota/test-server.ts';
import { MirrorDeployment } from './mirror-deployment.ts';

/** Each lock of a mirror taken out by itself: then it gives cameras what an attacker serves. */

const deployment = new MirrorDeployment();
beforeAll(async () => {
  await deployment.begin();
  await deployment.release('the agent');
});
afterAll(() => deployment.end());
afterEach(() => deployment.answerWith(() => false));

/** What a mirror with this breakage comes to. */
async function outcomeOf(...breakages: Breakage[]): Promise<unknown> {
  const broken = breakages.length === 0 ? undefined : breakBuild(...breakages);
  try {
    const root = broken?.root ?? join(import.meta.dirname, '../..');
    const { mirrorOnce } = (await import(join(root, 'server/updates/mirror.ts'))) as typeof MirrorModule;
    return await mirrorOnce(deployment.options()).then(
      () => 'FOLLOWED',
      (error: { code?: unknown }) => error.code,
    );
  } finally {
    broken?.remove();
  }
}

test('[FC-54] control: a mirror that does not look at contents gives cameras what was altered', async () => {
  deployment.answerWith((_, response, path) => {
    if (!path.startsWith('files/')) return false;
    response.writeHead(200).end(deployment.bytesOf(path).map((byte) => byte ^ 1));
    return true;
  });
  expect(await outcomeOf()).toBe('FETCH_WRONG');
  const blind = {
    file: 'server/updates/fetch-files.ts',
    from: 'await verifyCompressed(partial, { size, sha256 }, dictionary, options.signal);',
    to: '',
  };
  expect(await outcomeOf(blind)).toBe('FOLLOWED');
  const [altered] = deployment.names.filter((name) => name.startsWith('files/'));
  expect(
    readFileSync(join(deployment.places.repository, altered ?? '')).equals(deployment.bytesOf(altered ?? '')),
  ).toBe(false);
});

test('[FC-54] control: a mirror that does not look at signatures gives cameras forged metadata', async () => {
  const forger = new Maker();
  await forger.begin();
  await forger.release({ changes: { version: '6.6.6', counter: 666 } });
  await forger.sign();
  await forger.sign();
  deployment.answerWith((_, response, path) => {
    if (path.endsWith('.root.json')) return false;
    response.writeHead(200).end(readFileSync(join(forger.repository.directory, path)));
    return true;
  });
  try {
    expect(await outcomeOf()).toBe('METADATA_UNSIGNED');
    const believing = "Reflect.set(this.root, 'verifyDelegate', () => undefined);";
    const unsigned = {
      file: 'ota/trusted-store.ts',
      from: "this.accepted.set('root', root);",
      to: `this.accepted.set('root', root);${believing}`,
    };
    const bundles = {
      file: 'server/updates/documents.ts',
      from: 'return await fetchRelease(effects, release, trust);',
      to: 'return await readRelease(effects, release);',
    };
    expect(await outcomeOf(unsigned, bundles)).toBe('FOLLOWED');
    expect(deployment.names.filter((name) => name.includes('/6.6.6/'))).toHaveLength(5);
  } finally {
    await forger.end();
  }
});
