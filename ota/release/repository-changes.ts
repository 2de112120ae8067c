import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { systemDisk } from '../../host/disk.ts';
import { type BundleFile, parseBundle } from '../bundle.ts';
import { OtaError } from '../errors.ts';
import { finish } from '../next-edition.ts';
import { countSignatures, signPending } from '../pending.ts';
import { changeRollout, publish } from '../publish.ts';
import { beginRepository, type Repository } from '../repository.ts';
import { type Rollout, SEVERITIES } from '../rollout.ts';
import type { Signer } from '../tuf-metadata.ts';
import { readDocuments, verifyDocuments } from '../verify-bundle.ts';
import { ReleaseError } from './errors.ts';
import { presentTime, requirePast } from './present-time.ts';
import { readAnchor, readFirstRoot, readKeyList } from './public-documents.ts';
import { alone, describePending, describeProposal, withoutWeight } from './signing.ts';

/** The keys that are at hand. */
export interface Signing {
  readonly release: readonly Signer[];
  readonly online: Signer | undefined;
}

export interface PublishRequest {
  readonly public?: string;
  readonly percentage: number;
  readonly minimum?: string;
  readonly severity: string;
  readonly advisory?: readonly string[];
  readonly previous?: string;
  readonly level?: string;
  readonly signing: Signing;
  /** Told what takes long. */
  readonly say: (line: string) => void;
}

const LARGE_BYTES = 8 * 1024 * 1024;

const repositoryIn = (directory: string): Repository => ({ disk: systemDisk, directory });
/** Nothing is below it: a minimum of nothing. */
const NO_MINIMUM = '0.0.0';

export function publishBundle(directory: string, bundle: string, wish: PublishRequest): Promise<string[]> {
  const nowMs = presentTime();
  mkdirSync(directory, { recursive: true });
  return alone(directory, () => publishAlone(directory, bundle, wish, nowMs));
}

async function publishAlone(
  directory: string,
  bundle: string,
  wish: PublishRequest,
  nowMs: number,
): Promise<string[]> {
  const repository = repositoryIn(directory);
  const publicDocuments = wish.public ?? '';
  const anchor = readAnchor(publicDocuments);
  const documents = await readDocuments(bundle);
  const [hardware = ''] = parseBundle(documents.manifest).hardware;
  const keysCounter = readKeyList(publicDocuments).counter;
  const trust = { root: anchor, keysCounter, product: anchor.product, hardware };
  const verified = await verifyDocuments(documents, trust).catch((cause: unknown) => {
    if (!(cause instanceof OtaError) || cause.code !== 'KEYS_OUTDATED') throw cause;
    const remedy = `copy keys.json and keys-signatures.json from ${publicDocuments} into ${bundle}, and have keys of that list sign it: oriel release sign ${bundle} --key KEY`;
    throw new OtaError(cause.code, `${cause.message}: ${remedy}`, cause);
  });
  requirePast(`release ${verified.bundle.version}`, verified.bundle.released, nowMs);
  if (!existsSync(join(directory, 'metadata'))) {
    await beginRepository(repository, readFirstRoot(publicDocuments));
  }
  const severity = SEVERITIES.find((one) => one === wish.severity) ?? 'none';
  await publish({
    repository,
    bundleDirectory: bundle,
    verified,
    previous: wish.previous === undefined ? undefined : await previousOf(wish.previous),
    rollout: {
      percentage: wish.percentage,
      minimum: wish.minimum ?? NO_MINIMUM,
      severity,
      advisories: [...(wish.advisory ?? [])],
    },
    nowMs,
    level: levelOf(wish.level),
    progress: (file) => sayLarge(file, wish.say),
  });
  const { version } = verified.bundle;
  return settle(repository, wish.signing, `${version} for ${wish.percentage}% of the cameras`);
}

export function promote(directory: string, version: string, percentage: number, signing: Signing) {
  return change(
    directory,
    version,
    (rollout) => ({ ...rollout, percentage }),
    signing,
    `${version} for ${percentage}% of the cameras`,
  );
}

export function halt(directory: string, version: string, halted: boolean, signing: Signing) {
  return change(
    directory,
    version,
    (rollout) => ({ ...rollout, halt: halted }),
    signing,
    `${version} ${halted ? 'halted' : 'goes on'}`,
  );
}

/** Puts what is ready into force, and renews the rest, whatever somebody else has not signed yet. */
export function finishRepository(directory: string, online: Signer): Promise<string[]> {
  return alone(directory, () => putIntoForce(repositoryIn(directory), online));
}

async function putIntoForce(repository: Repository, online: Signer): Promise<string[]> {
  const { directory } = repository;
  const { timestampExpires, refusal } = await finish(repository, online, presentTime()).catch(
    async (cause: unknown) => {
      if (!(cause instanceof OtaError) || cause.code !== 'METADATA_UNSIGNED') throw cause;
      const counts = await countSignatures(repository);
      const remedy = counts.every(({ present, needed }) => present >= needed)
        ? '--online takes the online key that the root of this repository names'
        : `oriel release sign ${directory} --key KEY, until there are enough`;
      throw new OtaError(cause.code, `${cause.message}: ${remedy}`, cause);
    },
  );
  if (refusal === undefined) return [`in force, and current until ${timestampExpires}`];
  return [
    `renewed, and current until ${timestampExpires}`,
    `not ready    ${refusal.message}`,
    ...(refusal.code === 'METADATA_MALFORMED' ? [] : await describePending(directory)),
    ...(refusal.code === 'METADATA_UNSIGNED' ? toSign(directory) : []),
  ];
}

const toSign = (directory: string) => [
  `next         oriel release sign ${directory} --key KEY, until there are enough`,
  `then         oriel release finish ${directory} --online KEY`,
];

async function change(
  directory: string,
  version: string,
  turn: (rollout: Rollout) => Rollout,
  signing: Signing,
  what: string,
): Promise<string[]> {
  const repository = repositoryIn(directory);
  const nowMs = presentTime();
  return alone(directory, async () => {
    await changeRollout(repository, version, turn, nowMs);
    return settle(repository, signing, what);
  });
}

/** Signs what is pending with the keys at hand, and puts it into force if they are enough. */
async function settle(repository: Repository, { release, online }: Signing, what: string): Promise<string[]> {
  const shown = release.length === 0 ? [] : await describeProposal(repository);
  const left = await signPending(repository, release);
  const signed = [...shown, ...withoutWeight(left, 'may sign nothing of what is pending')];
  const counts = await countSignatures(repository);
  if (online !== undefined && counts.every(({ present, needed }) => present >= needed)) {
    return [...signed, `${what}: ${(await putIntoForce(repository, online)).join()}`];
  }
  return [
    ...signed,
    `${what}: not in force yet`,
    ...(await describePending(repository.directory)),
    ...toSign(repository.directory),
  ];
}

/** Of files that take long. */
function sayLarge({ path, size }: BundleFile, say: (line: string) => void): void {
  if (size < LARGE_BYTES) return;
  say(`compressing ${path}, ${Math.round(size / 2 ** 20)} MiB: this may take minutes`);
}

async function previousOf(directory: string) {
  return { directory, bundle: parseBundle((await readDocuments(directory)).manifest) };
}

function levelOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const level = Number(text);
  if (!/^\d{1,2}$/.test(text) || level < 1 || level > 22)
    throw new ReleaseError('USAGE', 'a level is 1 to 22');
  return level;
}
