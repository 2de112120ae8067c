import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Deployment, endServer, makeDeployment } from '../../scripts/demonstration/deployment.ts';

export type Provisioned = Omit<Deployment, 'server'>;

const FACTS = 'household.json';

/** Where they are kept for all files of one run of scripts/test; without that, for this file. */
const shared = process.env.ORIEL_TEST_SCRATCH;
const shelf = shared ?? mkdtempSync(join(tmpdir(), 'oriel-template-'));
afterAll(() => {
  if (shared === undefined) rmSync(shelf, { recursive: true });
});

const templates = new Map<boolean, Promise<Provisioned>>();

/**
 * A household as the demo makes it, with its server ended, to be copied: keys, certificates and a paired camera, which
 * take a dozen processes to make.
 */
export function deploymentTemplate(audio: boolean): Promise<Provisioned> {
  const template = templates.get(audio) ?? find(audio);
  templates.set(audio, template);
  return template;
}

/** Where things lie in a household's directory. */
export const placesIn = (directory: string) => ({
  directory,
  key: join(directory, 'viewing.key'),
  serverDirectory: join(directory, 'server'),
  cameraDirectory: join(directory, 'camera'),
});

async function find(audio: boolean): Promise<Provisioned> {
  const path = join(shelf, audio ? 'with-audio' : 'without-audio');
  if (!existsSync(path)) await make(path, audio);
  return { ...JSON.parse(readFileSync(join(path, FACTS), 'utf8')), ...placesIn(path) };
}

async function make(path: string, audio: boolean): Promise<void> {
  const directory = mkdtempSync(`${path}-`);
  const deployment = await makeDeployment({ directory, source: 'test:', audio });
  await endServer(deployment);
  const { origin, pin, cameraId } = deployment;
  writeFileSync(join(directory, FACTS), JSON.stringify({ origin, pin, cameraId }));
  try {
    renameSync(directory, path);
  } catch (error) {
    rmSync(directory, { recursive: true });
    // Another file's worker was first.
    if (!['ENOTEMPTY', 'EEXIST'].includes((error as { code?: string }).code ?? '')) throw error;
  }
}
