import { isIP } from 'node:net';
import { join } from 'node:path';
import { fromUtf8, utf8 } from '../../crypto/bytes.ts';
import { readFileBounded, writeFileAtomic } from '../../host/atomic-file.ts';
import type { Disk } from '../../host/disk.ts';
import { ServerError } from '../errors.ts';

/** How a command asks the running server for a check: a file with the request's id, which the server takes. */

const MAX_REQUEST_BYTES = 64;
const ID = /^[0-9a-f]{16}$/;

/** Readable by the server, no matter who runs the command. @param id 16 hex digits. @throws HostError. */
export function layRequest(disk: Disk, path: string, id: string): Promise<void> {
  return writeFileAtomic(disk, path, utf8(id), 0o644);
}

/** Removes it before it is done: a request that ends the server is not met again. @throws HostError. */
export async function takeRequest(disk: Disk, path: string): Promise<string | undefined> {
  const bytes = await readFileBounded(disk, path, MAX_REQUEST_BYTES);
  if (bytes === undefined) return undefined;
  await disk.unlink(path);
  const id = fromUtf8(bytes);
  return ID.test(id) ? id : undefined;
}

/** What `oriel server run --updates` names. */
type UpdatesSource =
  | { readonly kind: 'directory'; readonly directory: string }
  /** The maker's repository on a web server; the address ends with a slash. */
  | { readonly kind: 'web'; readonly base: URL };

/** Everything that begins like an address is one: nobody means a directory called `https:`. */
const ADDRESS = /^([A-Za-z][A-Za-z0-9+.-]*:\/\/|https?:)/i;

/** @throws ServerError UPDATES_ADDRESS_REFUSED. */
export function parseUpdatesSource(text: string): UpdatesSource {
  if (!ADDRESS.test(text)) return { kind: 'directory', directory: text };
  if (!/^https?:\/\/[^/]/i.test(text) || !URL.canParse(text)) {
    throw refused('this is no address; give one like https://updates.example.org/oriel, or a directory');
  }
  const base = new URL(text);
  if (base.username !== '' || base.password !== '' || base.search !== '' || base.hash !== '') {
    throw refused('an address of updates has no user, password, query or fragment');
  }
  if (base.protocol === 'http:' && !isLoopback(base.hostname)) {
    throw refused(`http:// is for this machine alone; give https://${base.host}${base.pathname}`);
  }
  if (!base.pathname.endsWith('/')) base.pathname += '/';
  return { kind: 'web', base };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** The address is not quoted: it may hold a password. */
const refused = (why: string) => new ServerError('UPDATES_ADDRESS_REFUSED', `--updates: ${why}`);

/** A mirror's files, below a server's directory. */
export interface MirrorPlaces {
  readonly directory: string;
  /** The first root that is believed. */
  readonly root: string;
  /** Metadata accepted from the maker, as ota/metadata.ts keeps it. */
  readonly trusted: string;
  readonly scratch: string;
  /** What is being fetched. */
  readonly partial: string;
  /** What cameras are given: always one whole edition. */
  readonly repository: string;
  readonly state: string;
  /** How many bytes of bundles have come today. */
  readonly fetched: string;
  /** Laid down by `oriel server updates check DIR`. */
  readonly request: string;
}

export function mirrorPlaces(serverDirectory: string): MirrorPlaces {
  const directory = join(serverDirectory, 'mirror');
  const at = (name: string) => join(directory, name);
  return {
    directory,
    root: at('root.json'),
    trusted: at('trusted'),
    scratch: at('scratch'),
    partial: at('partial'),
    repository: at('repository'),
    state: at('state.json'),
    fetched: at('fetched.json'),
    request: at('check'),
  };
}
