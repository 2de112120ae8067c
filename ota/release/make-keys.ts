import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { FileError } from '../../host/errors.ts';
import { keyIdOf } from '../signatures.ts';
import { ReleaseError } from './errors.ts';
import { makeKeyFile, readKeyFile, readPassphrase } from './key-file.ts';
import { presentTime } from './present-time.ts';
import { writePublicDocuments } from './public-documents.ts';

interface Options {
  readonly product: string;
  readonly root: number;
  readonly release: number;
  readonly threshold: number;
  readonly passphraseFile?: string;
}

/** Makes all keys of a maker. @returns what to tell. @throws ReleaseError USAGE, FILE_EXISTS, CLOCK_WRONG. */
export function makeKeys(directory: string, wish: Options): string[] {
  const { product, threshold } = wish;
  if (!/^[a-z0-9][a-z0-9-]{0,39}$/.test(product)) {
    throw new ReleaseError('USAGE', 'a product has small letters, digits and hyphens, 40 at most');
  }
  if (threshold > Math.min(wish.root, wish.release)) {
    throw new ReleaseError('USAGE', `${threshold} signatures need as many keys of each kind`);
  }
  const nowMs = presentTime();
  if (existsSync(directory)) throw new FileError('FILE_EXISTS', `${directory} is there already`);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const passphrase = readPassphrase(wish.passphraseFile);
  const lines: string[] = [];
  const make = (name: string) => {
    const publicKey = makeKeyFile(join(directory, `${name}.pem`), passphrase);
    lines.push(`${name.padEnd(12)} ${keyIdOf(publicKey).slice(0, 16)}  ${join(directory, `${name}.pem`)}`);
    return publicKey;
  };
  const several = (name: string, count: number) =>
    Array.from({ length: count }, (_, index) => make(`${name}-${index + 1}`));
  several('root', wish.root);
  const release = several('release', wish.release);
  const online = make('online');
  const root = Array.from({ length: wish.root }, (_, index) =>
    readKeyFile(join(directory, `root-${index + 1}.pem`), passphrase),
  );
  writePublicDocuments(join(directory, 'public'), { product, threshold, root, release, online }, nowMs);
  return [
    ...lines,
    `public       ${join(directory, 'public')}`,
    `${threshold} of ${wish.root} root keys and ${threshold} of ${wish.release} release keys have to sign.`,
    'Take the keys apart now: no two of a kind on one machine.',
  ];
}
